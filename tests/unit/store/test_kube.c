// The kube back end's pure pieces.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctrl/store/kube_backoff.h"
#include "ctrl/store/kube_event_log.h"
#include "ctrl/store/kube_known.h"
#include "ctrl/store/kube_client.h"
#include "ctrl/store/kube_lines.h"
#include "ctrl/store/kube_path.h"
#include "ctrl/store/kube_strip.h"

// ── Lines ──────────────────────────────────────────────────────────────────────────────────────

struct heard {
	char text[256];
	int stop_after; // lines; 0: never
};

static bool hear(void *arg, char *text, size_t len)
{
	struct heard *h = arg;

	assert_int_equal(strlen(text), len);
	strcat(h->text, text);
	strcat(h->text, "|");
	return h->stop_after == 0 || --h->stop_after > 0;
}

static int feed(struct kube_lines *l, struct heard *h, const char *text)
{
	char *copy = strdup(text);
	int ret = kube_lines_feed(l, copy, strlen(copy), hear, h);

	free(copy);
	return ret;
}

static void a_line_may_come_in_any_chunks(void **)
{
	static const char stream[] = "{\"a\":1}\n\n{\"b\":\"x\"}\n{}\nrest";
	char chunk[sizeof(stream)];

	for (size_t size = 1; size < sizeof(stream); size++) {
		struct kube_lines l = {0};
		struct heard h = {0};

		for (size_t at = 0; at < sizeof(stream) - 1; at += size) {
			(void)snprintf(chunk, size + 1, "%s", stream + at);
			assert_int_equal(feed(&l, &h, chunk), 0);
		}
		assert_string_equal(h.text, "{\"a\":1}|{\"b\":\"x\"}|{}|");
		assert_true(kube_lines_pending(&l));
		kube_lines_reset(&l);
		assert_false(kube_lines_pending(&l));
	}
}

static void a_line_without_end_is_refused(void **)
{
	struct kube_lines l = {0};
	struct heard h = {0};
	static char much[1024 * 1024];
	int ret = 0;

	memset(much, 'x', sizeof(much));
	for (int i = 0; i < 100 && ret == 0; i++)
		ret = kube_lines_feed(&l, much, sizeof(much), hear, &h);
	assert_int_equal(ret, -EMSGSIZE);
	assert_true(l.len <= KUBE_LINE_MAX);
	kube_lines_reset(&l);
}

static void a_reader_that_has_enough_gets_no_more(void **)
{
	struct kube_lines l = {0};
	struct heard h = {.stop_after = 2};

	assert_int_equal(feed(&l, &h, "a\nb\nc\n"), -ECANCELED);
	assert_string_equal(h.text, "a|b|");
	kube_lines_reset(&l);
}

// ── Waits ──────────────────────────────────────────────────────────────────────────────────────

static void waits_double_up_to_half_a_minute(void **)
{
	static const uint32_t most[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000};
	struct kube_backoff b = {0};

	for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
		struct kube_backoff low = b;

		assert_int_equal(kube_backoff_next(&low, 0), most[i] / 2);
		assert_int_equal(kube_backoff_next(&b, most[i] / 2), most[i]);
	}
	for (uint32_t i = 0; i < 100; i++)
		assert_in_range(kube_backoff_next(&b, i * 0x9e3779b9), 15000, KUBE_BACKOFF_MAX_MS);
	kube_backoff_reset(&b);
	assert_int_equal(kube_backoff_next(&b, 0), KUBE_BACKOFF_MIN_MS);
}

static void retry_after_is_seconds_or_a_date(void **)
{
	assert_int_equal(kube_retry_after("5", 0), 5);
	assert_int_equal(kube_retry_after("0", 0), 0);
	assert_int_equal(kube_retry_after("86400", 0), KUBE_RETRY_AFTER_MAX_S);
	assert_int_equal(kube_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", 784111770), 7);
	assert_int_equal(kube_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", 784111800), 0);
	assert_int_equal(kube_retry_after("", 0), -1);
	assert_int_equal(kube_retry_after("-1", 0), -1);
	assert_int_equal(kube_retry_after("soon", 0), -1);
	assert_int_equal(kube_retry_after("5 minutes", 0), -1);
}

// ── Objects ────────────────────────────────────────────────────────────────────────────────────

static void assert_stripped(enum kind kind, const char *json, const char *want)
{
	cJSON *obj = cJSON_Parse(json);

	assert_non_null(obj);
	kube_strip(kind, obj);
	char *text = cJSON_PrintUnformatted(obj);
	assert_string_equal(text, want);
	free(text);
	cJSON_Delete(obj);
}

static void metadata_that_nobody_reads_is_taken_out(void **)
{
	assert_stripped(KIND_NETWORK,
		"{\"apiVersion\":\"networking.alibaba.com/v1\",\"kind\":\"Network\",\"metadata\":{"
		"\"name\":\"n\",\"managedFields\":[{}],\"selfLink\":\"x\",\"generateName\":\"y\","
		"\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":\"{}\","
		"\"a\":\"b\"},\"resourceVersion\":\"5\"},\"spec\":{\"any\":1},\"status\":{\"x\":2}"
		"}",
		"{\"apiVersion\":\"networking.alibaba.com/v1\",\"kind\":\"Network\",\"metadata\":{"
		"\"name\":\"n\",\"annotations\":{\"a\":\"b\"},\"resourceVersion\":\"5\"},"
		"\"spec\":{\"any\":1},\"status\":{\"x\":2}}");
}

static void of_a_pod_little_is_left(void **)
{
	assert_stripped(KIND_POD,
		"{\"metadata\":{\"name\":\"p\",\"labels\":{\"a\":\"b\"}},\"spec\":{\"nodeName\":"
		"\"n\","
		"\"volumes\":[{}],\"containers\":[{\"name\":\"c\",\"env\":[1]}],\"hostNetwork\":"
		"true},"
		"\"status\":{\"phase\":\"Running\",\"conditions\":[],\"containerStatuses\":[{"
		"\"name\":"
		"\"c\",\"image\":\"i\",\"state\":{\"running\":{}}}]}}",
		"{\"metadata\":{\"name\":\"p\",\"labels\":{\"a\":\"b\"}},\"spec\":{\"nodeName\":"
		"\"n\","
		"\"containers\":[{\"name\":\"c\"}],\"hostNetwork\":true},"
		"\"status\":{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"c\","
		"\"state\":{\"running\":{}}}]},\"apiVersion\":\"v1\",\"kind\":\"Pod\"}");
}

static void what_is_no_object_is_stripped_without_harm(void **)
{
	static const char lists[] = "{\"spec\":[],\"status\":{\"containerStatuses\":{}}}";
	static const char *const odd[] = {"null", "[]", "5", "{\"metadata\":[]}",
		"{\"metadata\":{\"annotations\":5}}", lists};

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		cJSON *obj = cJSON_Parse(odd[i]);
		kube_strip(KIND_POD, obj);
		cJSON_Delete(obj);
	}
}

static void paths_are_the_servers(void **)
{
	char path[KUBE_PATH_MAX];
	struct store_name pod = {.kind = KIND_POD, .namespace = "x", .name = "p"};
	struct store_name subnet = {.kind = KIND_SUBNET, .namespace = "x", .name = "s"};

	assert_int_equal(kube_path_collection(KIND_IPINSTANCE, NULL, path), 0);
	assert_string_equal(path, "/apis/networking.alibaba.com/v1/ipinstances");
	assert_int_equal(kube_path_collection(KIND_IPINSTANCE, "", path), 0);
	assert_string_equal(path, "/apis/networking.alibaba.com/v1/namespaces/default/ipinstances");
	assert_int_equal(kube_path_object(&pod, "status", path), 0);
	assert_string_equal(path, "/api/v1/namespaces/x/pods/p/status");
	assert_int_equal(kube_path_object(&subnet, NULL, path), 0);
	assert_string_equal(path, "/apis/networking.alibaba.com/v1/subnets/s");
	assert_int_equal(kube_path_query(path, "continue", "a+/="), 0);
	assert_int_equal(kube_path_query(path, "limit", "5"), 0);
	assert_string_equal(
		path, "/apis/networking.alibaba.com/v1/subnets/s?continue=a%2B%2F%3D&limit=5");
}

static void a_name_that_is_none_makes_no_path(void **)
{
	static const char *const bad[] = {"", "..", "a/b", "A", "a?b", "a b", "a%2f"};
	char path[KUBE_PATH_MAX];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct store_name pod = {.kind = KIND_POD, .namespace = "x", .name = bad[i]};
		assert_int_equal(kube_path_object(&pod, NULL, path), -EINVAL);
	}
	struct store_name pod = {.kind = KIND_POD, .namespace = "../x", .name = "p"};
	assert_int_equal(kube_path_object(&pod, NULL, path), -EINVAL);
}

// ── Answers ────────────────────────────────────────────────────────────────────────────────────

static void a_status_is_one_of_the_stores_errors(void **)
{
	cJSON *exists = cJSON_Parse("{\"reason\":\"AlreadyExists\"}");
	cJSON *conflict = cJSON_Parse("{\"reason\":\"Conflict\"}");

	assert_int_equal(kube_error(201, NULL), 0);
	assert_int_equal(kube_error(409, exists), -EEXIST);
	assert_int_equal(kube_error(409, conflict), -ESTALE);
	assert_int_equal(kube_error(404, NULL), -ENOENT);
	assert_int_equal(kube_error(422, NULL), -EINVAL);
	assert_int_equal(kube_error(403, NULL), -EACCES);
	assert_int_equal(kube_error(429, NULL), -EAGAIN);
	assert_int_equal(kube_error(503, NULL), -EIO);
	assert_int_equal(kube_error(-ETIMEDOUT, NULL), -ETIMEDOUT);
	assert_string_equal(kube_reason(NULL), "");
	cJSON_Delete(exists);
	cJSON_Delete(conflict);
}

// ── What is known ──────────────────────────────────────────────────────────────────────────────

static bool put(struct kube_known *k, const char *namespace, const char *name, const char *version)
{
	char json[256];
	bool news = false;

	(void)snprintf(json, sizeof(json),
		"{\"metadata\":{\"namespace\":\"%s\",\"name\":\"%s\",\"resourceVersion\":\"%s\"}}",
		namespace, name, version);
	cJSON *obj = cJSON_Parse(json);
	assert_int_equal(kube_known_put(k, obj, &news), 0);
	cJSON_Delete(obj);
	return news;
}

static bool note_gone(void *arg, const char *namespace, const char *name)
{
	char *text = arg;

	(void)sprintf(text + strlen(text), "%s/%s ", namespace, name);
	return true;
}

static void after_a_list_only_what_changed_is_news_and_the_rest_is_gone(void **)
{
	struct kube_known k = {0};
	char gone[256] = "";

	kube_known_begin(&k);
	assert_true(put(&k, "x", "a", "1"));
	assert_true(put(&k, "x", "b", "2"));
	assert_true(put(&k, "", "a", "3"));
	assert_true(put(&k, "y", "a", "4"));
	kube_known_sweep(&k, note_gone, gone);
	assert_string_equal(gone, "");
	kube_known_begin(&k);
	assert_false(put(&k, "x", "a", "1"));
	assert_true(put(&k, "x", "b", "5"));
	kube_known_sweep(&k, note_gone, gone);
	// In no order.
	assert_int_equal(strlen(gone), strlen("/a y/a "));
	assert_non_null(strstr(gone, "y/a "));
	assert_true(strncmp(gone, "/a ", 3) == 0 || strstr(gone, " /a ") != NULL);
	assert_int_equal(kube_known_count(&k), 2);
	kube_known_clear(&k);
}

static void an_object_without_a_name_is_not_known(void **)
{
	struct kube_known k = {0};
	cJSON *obj = cJSON_Parse("{\"metadata\":{\"namespace\":\"x\"}}");
	bool news;

	assert_int_equal(kube_known_put(&k, obj, &news), -EINVAL);
	kube_known_del(&k, obj);
	assert_int_equal(kube_known_count(&k), 0);
	cJSON_Delete(obj);
}

// ── Events ─────────────────────────────────────────────────────────────────────────────────────

static bool say(struct kube_event_log *l, const char *name, const char *message, int64_t now,
	struct event_plan *plan)
{
	const struct store_event_record r = {
		.about = {.kind = KIND_POD, .namespace = "x", .name = name},
		.uid = "u",
		.reason = "Tried",
		.message = message,
	};

	return kube_event_admit(l, &r, now, plan);
}

static void what_is_said_again_is_counted(void **)
{
	struct kube_event_log *l = kube_event_log_new();
	struct event_plan a, b;

	assert_true(say(l, "p", "in vain", 100, &a));
	assert_int_equal(a.count, 1);
	assert_true(say(l, "p", "in vain", 160, &b));
	assert_int_equal(b.id, a.id);
	assert_int_equal(b.count, 2);
	assert_int_equal(b.first, 100);
	assert_int_equal(b.last, 160);
	assert_true(say(l, "q", "in vain", 160, &b));
	assert_int_not_equal(b.id, a.id);
	kube_event_counted(l, a.id, 7);
	assert_true(say(l, "p", "in vain", 161, &b));
	assert_int_equal(b.count, 8);
	kube_event_log_free(l);
}

static void an_object_that_says_too_much_is_not_heard_for_a_while(void **)
{
	struct kube_event_log *l = kube_event_log_new();
	struct event_plan plan;

	for (int i = 0; i < EVENT_BURST; i++)
		assert_true(say(l, "p", "again", 100, &plan));
	assert_false(say(l, "p", "again", 100, &plan));
	assert_true(say(l, "q", "again", 100, &plan)); // another one
	assert_false(say(l, "p", "again", 100 + EVENT_REFILL_S - 1, &plan));
	assert_true(say(l, "p", "again", 100 + EVENT_REFILL_S, &plan));
	assert_false(say(l, "p", "again", 100 + EVENT_REFILL_S, &plan));
	kube_event_log_free(l);
}

static void many_messages_of_one_reason_become_one(void **)
{
	struct kube_event_log *l = kube_event_log_new();
	struct event_plan plan, combined;
	char text[32];

	for (int i = 0; i < EVENT_SIMILAR_MAX; i++) {
		(void)snprintf(text, sizeof(text), "number %d", i);
		assert_true(say(l, "p", text, 100, &plan));
		assert_string_equal(plan.message, text);
	}
	assert_true(say(l, "p", "one more", 101, &combined));
	assert_string_equal(combined.message, "(combined from similar events): one more");
	assert_true(say(l, "p", "another", 102, &plan));
	assert_int_equal(plan.id, combined.id);
	assert_int_equal(plan.count, 2);
	assert_true(say(l, "p", "later", 103 + EVENT_SIMILAR_S, &plan));
	assert_string_equal(plan.message, "later");
	kube_event_log_free(l);
}

static void the_log_of_events_stays_small(void **)
{
	struct kube_event_log *l = kube_event_log_new();
	struct event_plan plan;
	char name[32];

	for (int i = 0; i < 3 * EVENT_LOG_MAX; i++) {
		(void)snprintf(name, sizeof(name), "p%d", i);
		assert_true(say(l, name, "hello", i, &plan));
		assert_int_equal(plan.count, 1);
	}
	assert_true(say(l, "p0", "hello", 1, &plan)); // forgotten
	assert_int_equal(plan.count, 1);
	kube_event_log_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_may_come_in_any_chunks),
		cmocka_unit_test(a_line_without_end_is_refused),
		cmocka_unit_test(a_reader_that_has_enough_gets_no_more),
		cmocka_unit_test(waits_double_up_to_half_a_minute),
		cmocka_unit_test(retry_after_is_seconds_or_a_date),
		cmocka_unit_test(metadata_that_nobody_reads_is_taken_out),
		cmocka_unit_test(of_a_pod_little_is_left),
		cmocka_unit_test(what_is_no_object_is_stripped_without_harm),
		cmocka_unit_test(paths_are_the_servers),
		cmocka_unit_test(a_name_that_is_none_makes_no_path),
		cmocka_unit_test(a_status_is_one_of_the_stores_errors),
		cmocka_unit_test(after_a_list_only_what_changed_is_news_and_the_rest_is_gone),
		cmocka_unit_test(an_object_without_a_name_is_not_known),
		cmocka_unit_test(what_is_said_again_is_counted),
		cmocka_unit_test(an_object_that_says_too_much_is_not_heard_for_a_while),
		cmocka_unit_test(many_messages_of_one_reason_become_one),
		cmocka_unit_test(the_log_of_events_stays_small),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
