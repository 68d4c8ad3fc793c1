// What comes in as an AdmissionReview and what goes out, and how lists are read.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctrl/manager/facts.h"
#include "ctrl/manager/ledger.h"

#define OF_KIND(kind, version, request)                                     \
	"{\"apiVersion\":\"admission.k8s.io/" version "\",\"kind\":\"" kind \
	"\",\"request\":" request "}"
#define REVIEW(version, request) OF_KIND("AdmissionReview", version, request)

static void what_is_no_review_is_refused_with_words(void **)
{
	static const char *const bodies[] = {"", "x", "{", "[]", "{}", "null", REVIEW("v1", "null"),
		REVIEW("v1", "{}"), REVIEW("v1", "{\"uid\":7}"), REVIEW("v2", "{\"uid\":\"u\"}"),
		OF_KIND("Review", "v1", "{\"uid\":\"u\"}")};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		char error[MODEL_ERROR_MAX] = "";
		struct review r;

		assert_int_equal(review_decode(bodies[i], strlen(bodies[i]), &r, error), -EINVAL);
		assert_true(strstr(error, "the body is not ") == error);
	}
}

static void an_answer_is_of_the_version_of_the_question(void **)
{
	static const char body[] =
		REVIEW("v1beta1", "{\"uid\":\"abc\",\"operation\":\"CREATE\",\"resource\":{}}");
	struct review_answer a = {0};
	char error[MODEL_ERROR_MAX];
	struct review r;

	assert_int_equal(review_decode(body, strlen(body), &r, error), 0);
	assert_false(review_refuse(&a, 403, "not %s", "so \"quoted\""));
	char *text = review_encode(&r, &a);
	assert_string_equal(text,
		"{\"response\":{\"uid\":\"abc\",\"allowed\":false,\"status\":{\"code\":403,"
		"\"reason\":"
		"\"Forbidden\",\"message\":\"not so \\\"quoted\\\"\"}},\"apiVersion\":"
		"\"admission.k8s.io/v1beta1\",\"kind\":\"AdmissionReview\"}");
	cJSON_free(text);
	review_fini(&r);
}

static void an_object_of_another_kind_than_its_review_is_malformed(void **)
{
	static const char body[] = REVIEW("v1",
		"{\"uid\":\"u\",\"operation\":\"CREATE\",\"resource\":{\"group\":"
		"\"networking.alibaba.com\",\"version\":\"v1\",\"resource\":\"networks\"},"
		"\"object\":{"
		"\"apiVersion\":\"networking.alibaba.com/v1\",\"kind\":\"NodeInfo\",\"metadata\":{"
		"\"name\":\"x\"}}}");
	char error[MODEL_ERROR_MAX];
	struct review r;

	assert_int_equal(review_decode(body, strlen(body), &r, error), 0);
	assert_null(r.object);
	assert_string_equal(r.malformed, "object is not a Network");
	review_fini(&r);
}

static void a_new_object_is_in_the_namespace_of_its_request(void **)
{
	static const char body[] = REVIEW("v1",
		"{\"uid\":\"u\",\"operation\":\"CREATE\",\"namespace\":\"ns\",\"resource\":{"
		"\"group\":\"\",\"version\":\"v1\",\"resource\":\"pods\"},\"object\":{"
		"\"apiVersion\":"
		"\"v1\",\"kind\":\"Pod\",\"metadata\":{\"generateName\":\"web-\"},\"spec\":{}}}");
	char error[MODEL_ERROR_MAX];
	struct review r;

	assert_int_equal(review_decode(body, strlen(body), &r, error), 0);
	assert_non_null(r.object);
	assert_string_equal(r.object->meta.namespace, "ns");
	assert_string_equal(review_name(&r), "");
	review_fini(&r);
}

static void lists_are_read_page_by_page(void **)
{
	struct facts_request request = {.kind = KIND_NODE, .path = "/api/v1/nodes?limit=500"};
	cJSON *first =
		cJSON_Parse("{\"metadata\":{\"continue\":\"a+b/c=\"},\"items\":[{\"metadata\":{"
			    "\"name\":\"a\"}},{\"metadata\":7}]}");
	cJSON *last = cJSON_Parse(
		"{\"metadata\":{\"continue\":\"\"},\"items\":[{\"metadata\":{\"name\":\"b\"}}]}");
	char path[FACTS_PATH_MAX];
	struct facts f = {0};
	const char *more;

	assert_int_equal(facts_take(&f, &request, 200, first, &more), 0);
	assert_string_equal(more, "a+b/c=");
	assert_false(f.known[KIND_NODE]);
	assert_true(facts_continue(&request, more, path));
	assert_string_equal(path, "/api/v1/nodes?limit=500&continue=a%2Bb%2Fc%3D");
	assert_int_equal(facts_take(&f, &request, 200, last, &more), 0);
	assert_null(more);
	assert_true(f.known[KIND_NODE]);
	assert_int_equal(f.n[KIND_NODE], 2); // the malformed one is nowhere in force
	// Where one object is enough to refuse, nobody asks for the rest.
	facts_fini(&f);
	request.first_page = true;
	assert_int_equal(facts_take(&f, &request, 200, first, &more), 0);
	assert_null(more);
	assert_true(f.known[KIND_NODE]);
	cJSON_Delete(first);
	cJSON_Delete(last);
	facts_fini(&f);
}

static void only_what_is_not_there_is_known_not_to_be(void **)
{
	struct facts_request one = {
		.kind = KIND_NAMESPACE, .path = "/api/v1/namespaces/x", .single = true};
	struct facts_request list = {.kind = KIND_NETWORK, .path = "/apis/x/networks"};
	struct facts_request labelled = {
		.kind = KIND_IPINSTANCE, .path = "/apis/x/ipinstances?labelSelector=a%3D-"};
	static const int errors[] = {-ETIMEDOUT, 401, 403, 410, 429, 500, 503};
	struct facts f = {0};
	const char *more;

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		assert_true(facts_take(&f, &one, errors[i], NULL, &more) < 0);
		assert_true(facts_take(&f, &labelled, errors[i], NULL, &more) < 0);
	}
	assert_true(facts_take(&f, &list, 404, NULL, &more) < 0); // no CRDs: nothing is known
	assert_true(facts_take(&f, &list, 400, NULL, &more) < 0);
	assert_int_equal(facts_take(&f, &one, 404, NULL, &more), 0);
	assert_int_equal(facts_take(&f, &labelled, 400, NULL, &more), 0);
	assert_true(f.known[KIND_NAMESPACE] && f.known[KIND_IPINSTANCE] && !f.known[KIND_NETWORK]);
	facts_fini(&f);
}

static void too_many_changes_at_a_time_are_told(void **)
{
	static const char body[] = REVIEW("v1",
		"{\"uid\":\"u\",\"operation\":\"DELETE\",\"name\":\"n-%03d\",\"resource\":{"
		"\"group\":"
		"\"networking.alibaba.com\",\"version\":\"v1\",\"resource\":\"networks\"}}");
	char text[1024], error[MODEL_ERROR_MAX];
	cJSON *lease = NULL, *next;
	int ret = 0, n = 0;

	for (; ret == 0 && n < 1000; n++) {
		struct review r;

		(void)snprintf(text, sizeof(text), body, n);
		assert_int_equal(review_decode(text, strlen(text), &r, error), 0);
		ret = ledger_note(lease, "kube-system", &r, 1000000, &next);
		review_fini(&r);
		if (ret < 0)
			break;
		cJSON_Delete(lease);
		lease = next;
	}
	assert_int_equal(ret, -ENOSPC);
	assert_int_equal(n, LEDGER_ENTRIES_MAX);
	cJSON_Delete(lease);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_review_is_refused_with_words),
		cmocka_unit_test(an_answer_is_of_the_version_of_the_question),
		cmocka_unit_test(an_object_of_another_kind_than_its_review_is_malformed),
		cmocka_unit_test(a_new_object_is_in_the_namespace_of_its_request),
		cmocka_unit_test(lists_are_read_page_by_page),
		cmocka_unit_test(only_what_is_not_there_is_known_not_to_be),
		cmocka_unit_test(too_many_changes_at_a_time_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
