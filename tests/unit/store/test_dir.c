// The dir store: files as objects, objects as files.
#include "ctrl/store/store.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop.h"

#define API "\"apiVersion\":\"networking.alibaba.com/v1\","
#define NETWORK(name, spec) \
	"{" API "\"kind\":\"Network\",\"metadata\":{\"name\":\"" name "\"},\"spec\":{" spec "}}"

// What a watcher was told, one line an event: "PUT Network a", "BROKEN …".
struct seen {
	struct store *store;
	char log[65536];
	unsigned int n_put, n_synced;
};

static void on_event(
	void *arg, enum kind kind, enum store_event event, const cJSON *obj, const char *message)
{
	static const char *const names[] = {"PUT", "DELETED", "SYNCED", "BROKEN"};
	struct seen *s = arg;
	const cJSON *meta = cJSON_GetObjectItemCaseSensitive(obj, "metadata");
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, "name"));
	size_t at = strlen(s->log);

	s->n_put += event == STORE_PUT;
	s->n_synced += event == STORE_SYNCED;
	if (event == STORE_SYNCED)
		return;
	(void)snprintf(s->log + at, sizeof(s->log) - at, "%s %s %s\n", names[event],
		event == STORE_BROKEN ? "" : kind_name(kind),
		event == STORE_BROKEN ? message : name);
}

static bool is_synced(void *arg)
{
	return ((struct seen *)arg)->n_synced == KIND_COUNT;
}

static void open_store(struct seen *s)
{
	char message[MODEL_ERROR_MAX];

	memset(s, 0, sizeof(*s));
	assert_int_equal(store_dir_open(&loop, loop_dir, &s->store, message), 0);
	assert_int_equal(s->store->ops->watch(
				 s->store, &(struct store_watcher){.event = on_event, .arg = s}),
		0);
	assert_int_equal(s->n_synced, 0);
	assert_true(loop_until(is_synced, s));
}

static void close_store(struct seen *s)
{
	s->store->ops->close(s->store);
	s->store = NULL;
}

struct wanted {
	const struct seen *seen;
	const char *text;
};

static bool has_text(void *arg)
{
	const struct wanted *w = arg;
	return strstr(w->seen->log, w->text) != NULL;
}

static void expect_log(struct seen *s, const char *text)
{
	if (!loop_until(has_text, &(struct wanted){.seen = s, .text = text}))
		fail_msg("no '%s' in:\n%s", text, s->log);
}

static const char *meta(const cJSON *obj, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(
		cJSON_GetObjectItemCaseSensitive(obj, "metadata"), name));
}

static const char article[] = "---\n"
			      "apiVersion: networking.alibaba.com/v1\n"
			      "kind: Network\n"
			      "metadata:\n"
			      "  name: underlay-network1\n"
			      "spec:\n"
			      "  netID: 0   # untagged\n"
			      "  type: Underlay\n"
			      "\n"
			      "---\n"
			      "apiVersion: networking.alibaba.com/v1\n"
			      "kind: Subnet\n"
			      "metadata:\n"
			      "  name: underlay-subnet1\n"
			      "spec:\n"
			      "  network: underlay-network1\n";

static void objects_in_any_file_are_listed_then_synced(void **)
{
	struct seen s;

	put_file("article.yaml", "%s", article);
	put_file("networks/a.json", "%s", NETWORK("a", ""));
	put_file("pods/x/p.yml", "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: x}}");
	put_file("notes.txt", "not an object");
	put_file(".hidden.yaml", "also: not");
	put_file("networks/a.yaml~", "nor: this");
	open_store(&s);
	assert_int_equal(s.n_put, 4);
	assert_non_null(
		strstr(s.log, "PUT Network underlay-network1\nPUT Subnet underlay-subnet1\n"));
	assert_null(strstr(s.log, "BROKEN"));
	close_store(&s);
}

static void create_writes_a_file_and_refuses_a_second(void **)
{
	struct seen s;

	open_store(&s);
	assert_int_equal(do_create(s.store, NETWORK("a", "\"netID\":4")), 0);
	assert_int_equal(strlen(meta(last.obj, "uid")), 36);
	assert_non_null(meta(last.obj, "resourceVersion"));
	assert_non_null(meta(last.obj, "creationTimestamp"));
	expect_log(&s, "PUT Network a\n");
	assert_true(has_file("networks/a.yaml"));
	assert_int_equal(do_create(s.store, NETWORK("a", "")), -EEXIST);
	assert_string_equal(last.message, "'a' already exists");
	loop_for(300);
	assert_int_equal(s.n_put, 1); // inotify brings nothing new
	close_store(&s);
}

static void names_that_are_paths_are_refused(void **)
{
	struct seen s;

	open_store(&s);
	assert_int_equal(do_create(s.store, NETWORK("../a", "")), -EINVAL);
	assert_int_equal(do_create(s.store, NETWORK("a/b", "")), -EINVAL);
	assert_int_equal(do_create(s.store, NETWORK("", "")), -EINVAL);
	assert_int_equal(do_create(s.store, NETWORK("A", "")), -EINVAL);
	assert_int_equal(do_delete(s.store, KIND_POD, "..", "a"), -EINVAL);
	assert_string_equal(last.message, "metadata.namespace '..' is not a name");
	close_store(&s);
}

static void update_replaces_the_spec_and_refuses_a_stale_one(void **)
{
	struct seen s;
	char version[64], uid[64], json[512];

	open_store(&s);
	assert_int_equal(do_create(s.store, NETWORK("a", "\"netID\":4")), 0);
	(void)snprintf(version, sizeof(version), "%s", meta(last.obj, "resourceVersion"));
	(void)snprintf(uid, sizeof(uid), "%s", meta(last.obj, "uid"));
	assert_int_equal(do_update(s.store, NETWORK("a", "\"netID\":5")), 0);
	assert_string_equal(meta(last.obj, "uid"), uid);
	assert_string_not_equal(meta(last.obj, "resourceVersion"), version);
	(void)snprintf(json, sizeof(json),
		"{" API "\"kind\":\"Network\",\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"%"
		"s\"},\"spec\":{}}",
		version);
	assert_int_equal(do_update(s.store, json), -ESTALE);
	assert_int_equal(do_update(s.store, NETWORK("b", "")), -ENOENT);
	assert_string_equal(last.message, "'b' not found");
	char *text = get_file("networks/a.yaml");
	assert_non_null(strstr(text, "netID: 5"));
	free(text);
	close_store(&s);
}

static const struct store_name network_a = {.kind = KIND_NETWORK, .name = "a"};

static void a_patch_changes_what_it_names_and_no_more(void **)
{
	struct seen s;
	char version[64], json[256];

	open_store(&s);
	assert_int_equal(do_patch(s.store, &network_a, "{}", false), -ENOENT);
	assert_int_equal(do_create(s.store, NETWORK("a", "\"netID\":4,\"type\":\"Overlay\"")), 0);
	(void)snprintf(version, sizeof(version), "%s", meta(last.obj, "resourceVersion"));
	assert_int_equal(do_patch(s.store, &network_a,
				 "{\"metadata\":{\"labels\":{\"x\":\"y\"}},"
				 "\"spec\":{\"netID\":5,\"type\":null}}",
				 false),
		0);
	const cJSON *spec = cJSON_GetObjectItemCaseSensitive(last.obj, "spec");
	assert_int_equal(cJSON_GetObjectItemCaseSensitive(spec, "netID")->valueint, 5);
	assert_null(cJSON_GetObjectItemCaseSensitive(spec, "type"));
	assert_int_equal(
		do_patch(s.store, &network_a,
			"{\"spec\":{\"netID\":6},\"status\":{\"lastAllocatedSubnet\":\"s\"}}",
			true),
		0);
	assert_int_equal(do_get(s.store, &network_a), 0);
	spec = cJSON_GetObjectItemCaseSensitive(last.obj, "spec");
	assert_int_equal(cJSON_GetObjectItemCaseSensitive(spec, "netID")->valueint, 5);
	assert_non_null(cJSON_GetObjectItemCaseSensitive(last.obj, "status"));
	(void)snprintf(json, sizeof(json), "{\"metadata\":{\"resourceVersion\":\"%s\"}}", version);
	assert_int_equal(do_patch(s.store, &network_a, json, false), -ESTALE);
	assert_int_equal(
		do_patch(s.store, &network_a, "{\"metadata\":{\"name\":\"b\"}}", false), -EINVAL);
	close_store(&s);
}

static void a_patch_that_takes_the_last_finalizer_ends_a_deleted_object(void **)
{
	struct seen s;

	open_store(&s);
	assert_int_equal(
		do_create(s.store, "{" API "\"kind\":\"Network\",\"metadata\":{\"name\":\"a\","
				   "\"finalizers\":[\"f\"]},\"spec\":{}}"),
		0);
	assert_int_equal(do_delete(s.store, KIND_NETWORK, NULL, "a"), 0);
	assert_int_equal(do_get(s.store, &network_a), 0);
	assert_non_null(meta(last.obj, "deletionTimestamp"));
	assert_int_equal(
		do_patch(s.store, &network_a, "{\"metadata\":{\"finalizers\":null}}", false), 0);
	assert_int_equal(do_get(s.store, &network_a), -ENOENT);
	assert_string_equal(last.message, "'a' not found");
	close_store(&s);
}

static void only_the_version_that_was_looked_at_is_deleted(void **)
{
	struct seen s;
	char version[64], uid[64];

	open_store(&s);
	assert_int_equal(do_create(s.store, NETWORK("a", "")), 0);
	(void)snprintf(version, sizeof(version), "%s", meta(last.obj, "resourceVersion"));
	(void)snprintf(uid, sizeof(uid), "%s", meta(last.obj, "uid"));
	assert_int_equal(do_update(s.store, NETWORK("a", "\"netID\":5")), 0);
	assert_int_equal(do_delete_version(s.store, &network_a, uid, version), -ESTALE);
	assert_int_equal(do_delete_version(s.store, &network_a, "another", NULL), -ESTALE);
	assert_int_equal(do_delete_version(s.store, &network_a, uid, NULL), 0);
	assert_int_equal(do_get(s.store, &network_a), -ENOENT);
	close_store(&s);
}

static void status_lives_beside_the_users_file(void **)
{
	struct seen s;

	put_file("article.yaml", "%s", article);
	open_store(&s);
	assert_int_equal(
		do_update_status(s.store,
			"{" API "\"kind\":\"Subnet\",\"metadata\":{\"name\":\"underlay-subnet1\"},"
			"\"status\":{\"used\":3}}"),
		0);
	const cJSON *status = cJSON_GetObjectItemCaseSensitive(last.obj, "status");
	assert_int_equal(cJSON_GetObjectItemCaseSensitive(status, "used")->valueint, 3);
	assert_non_null(cJSON_GetObjectItemCaseSensitive(last.obj, "spec"));
	assert_true(has_file("status/subnets/underlay-subnet1.yaml"));
	char *text = get_file("article.yaml");
	assert_string_equal(text, article);
	free(text);
	unsigned int n = s.n_put;
	assert_int_equal(
		do_update_status(s.store,
			"{" API "\"kind\":\"Subnet\",\"metadata\":{\"name\":\"underlay-subnet1\"},"
			"\"status\":{\"used\":3}}"),
		0);
	loop_for(300);
	assert_int_equal(s.n_put, n); // the same status is not written again
	close_store(&s);

	open_store(&s); // it is there after a restart
	assert_int_equal(
		do_update_status(s.store,
			"{" API
			"\"kind\":\"Network\",\"metadata\":{\"name\":\"nobody\"},\"status\":{}}"),
		-ENOENT);
	assert_int_equal(do_delete(s.store, KIND_SUBNET, NULL, "underlay-subnet1"), 0);
	assert_false(has_file("status/subnets/underlay-subnet1.yaml"));
	close_store(&s);
}

static void deleting_one_document_leaves_the_rest_byte_for_byte(void **)
{
	struct seen s;

	put_file("article.yaml", "# ours\n%s", article);
	open_store(&s);
	assert_int_equal(do_delete(s.store, KIND_SUBNET, NULL, "underlay-subnet1"), 0);
	expect_log(&s, "DELETED Subnet underlay-subnet1\n");
	char *text = get_file("article.yaml");
	char want[sizeof(article) + 16];
	(void)snprintf(want, sizeof(want), "# ours\n%.*s",
		(int)(strstr(article + 4, "---\n") - article), article);
	assert_string_equal(text, want);
	free(text);
	assert_int_equal(do_delete(s.store, KIND_NETWORK, NULL, "underlay-network1"), 0);
	assert_false(has_file("article.yaml"));
	close_store(&s);
}

static void updating_one_document_leaves_the_rest_byte_for_byte(void **)
{
	struct seen s;

	put_file("article.yaml", "%s", article);
	open_store(&s);
	assert_int_equal(
		do_update(s.store,
			"{" API "\"kind\":\"Subnet\",\"metadata\":{\"name\":\"underlay-subnet1\"},"
			"\"spec\":{\"network\":\"n\"}}"),
		0);
	char *text = get_file("article.yaml");
	size_t first = (size_t)(strstr(article + 4, "---\n") - article);
	assert_memory_equal(text, article, first);
	assert_string_equal(text + first,
		"---\napiVersion: networking.alibaba.com/v1\nkind: Subnet\nmetadata:\n"
		"  name: underlay-subnet1\nspec:\n  network: \"n\"\n");
	free(text);
	close_store(&s);
}

static void an_object_with_finalizers_goes_with_its_last(void **)
{
	struct seen s;

	open_store(&s);
	assert_int_equal(do_create(s.store, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{"
					    "\"name\":\"p\",\"namespace\":\"x\","
					    "\"finalizers\":[\"f\"]}}"),
		0);
	assert_int_equal(do_delete(s.store, KIND_POD, "x", "p"), 0);
	assert_true(has_file("pods/x/p.yaml"));
	assert_int_equal(do_update(s.store, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{"
					    "\"name\":\"p\",\"namespace\":\"x\","
					    "\"labels\":{\"a\":\"b\"},\"finalizers\":[\"f\"]}}"),
		0);
	assert_non_null(meta(last.obj, "deletionTimestamp"));
	assert_int_equal(do_update(s.store, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{"
					    "\"name\":\"p\",\"namespace\":\"x\"}}"),
		0);
	assert_false(has_file("pods/x/p.yaml"));
	expect_log(&s, "DELETED Pod p\n");
	assert_int_equal(do_delete(s.store, KIND_POD, "x", "p"), -ENOENT);
	close_store(&s);
}

static void two_stores_see_each_other(void **)
{
	struct seen a, b;

	open_store(&a);
	open_store(&b);
	assert_int_equal(do_create(a.store, NETWORK("n", "\"netID\":4")), 0);
	char version[64];
	(void)snprintf(version, sizeof(version), "%s", meta(last.obj, "resourceVersion"));
	assert_int_equal(do_create(b.store, NETWORK("n", "")), -EEXIST); // even before it was told
	expect_log(&b, "PUT Network n\n");
	assert_int_equal(do_update(b.store, NETWORK("n", "\"netID\":5")), 0);
	char json[512];
	(void)snprintf(json, sizeof(json),
		"{" API "\"kind\":\"Network\",\"metadata\":{\"name\":\"n\",\"resourceVersion\":\"%"
		"s\"},\"spec\":{}}",
		version);
	assert_int_equal(do_update(a.store, json), -ESTALE);
	expect_log(&a, "PUT Network n\nPUT Network n\n");
	assert_int_equal(do_delete(a.store, KIND_NETWORK, NULL, "n"), 0);
	expect_log(&b, "DELETED Network n\n");
	// A new folder, made by one, watched by the other.
	assert_int_equal(do_create(a.store, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{"
					    "\"name\":\"p\",\"namespace\":\"y\"}}"),
		0);
	expect_log(&b, "PUT Pod p\n");
	close_store(&a);
	close_store(&b);
}

static void a_file_that_breaks_keeps_its_objects_in_force(void **)
{
	struct seen s;

	put_file("a.yaml", "%s", article);
	open_store(&s);
	put_file("a.yaml", "%.*s", 60, article); // `kind: Netwo`
	expect_log(&s, "BROKEN  a.yaml:");
	s.log[0] = '\0';
	put_file("a.yaml", "a: [\n");
	expect_log(&s, "BROKEN  a.yaml:2:1: ");
	put_file("a.yaml", "%s", article);
	loop_for(300);
	assert_null(strstr(s.log, "DELETED Subnet"));
	close_store(&s);
}

static void a_file_is_read_when_its_writer_is_done(void **)
{
	struct seen s;
	char path[128];

	open_store(&s);
	(void)snprintf(path, sizeof(path), "%s/slow.yaml", loop_dir);
	FILE *f = fopen(path, "w");
	fwrite(article, 1, 40, f);
	fflush(f);
	loop_for(200);
	fwrite(article + 40, 1, sizeof(article) - 41, f);
	fclose(f);
	expect_log(&s, "PUT Subnet underlay-subnet1\n");
	assert_null(strstr(s.log, "BROKEN"));
	close_store(&s);
}

static void bad_documents_are_named_and_the_others_stay(void **)
{
	struct seen s;

	put_file("bad.yaml",
		"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\n---\n"
		"[1]\n---\n{apiVersion: networking.alibaba.com/v1, kind: Network, metadata: {name: "
		"good}}\n---\n"
		"apiVersion: networking.alibaba.com/v1\nkind: Network\nmetadata: {name: Bad}\n");
	open_store(&s);
	assert_non_null(strstr(s.log, "BROKEN  bad.yaml:1: unknown kind 'NetworkPolicy' of "
				      "apiVersion 'networking.k8s.io/v1'\n"));
	assert_non_null(strstr(s.log, "BROKEN  bad.yaml:5: not an object\n"));
	assert_non_null(strstr(s.log, "PUT Network good\n"));
	assert_non_null(strstr(s.log, "BROKEN  bad.yaml:9: metadata.name 'Bad' is not a name\n"));
	close_store(&s);
}

static void nodes_and_namespaces_are_an_api_servers(void **)
{
	struct seen s;

	put_file("nodes/node1.yaml", "apiVersion: v1\nkind: Node\nmetadata: {name: node1}\n");
	put_file("ns.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n");
	open_store(&s);
	assert_non_null(strstr(s.log, "ns.yaml:1: unknown kind 'Namespace' of apiVersion 'v1'\n"));
	assert_null(strstr(s.log, "PUT"));
	assert_int_equal(do_create(s.store, "{\"apiVersion\":\"v1\",\"kind\":\"Node\","
					    "\"metadata\":{\"name\":\"node1\"}}"),
		-EINVAL);
	close_store(&s);
}

static void the_first_of_two_definitions_stays(void **)
{
	struct seen s;

	put_file("a.yaml", "%s", NETWORK("n", "\"netID\":1"));
	put_file("b.yaml", "%s", NETWORK("n", "\"netID\":2"));
	open_store(&s);
	expect_log(&s, "PUT Network n\nBROKEN  b.yaml: Network 'n' is already defined in a.yaml\n");
	remove_file("a.yaml");
	expect_log(&s, "DELETED Network n\nPUT Network n\n");
	close_store(&s);
}

static void a_renamed_file_deletes_nothing(void **)
{
	struct seen s;
	char from[128], to[128];

	put_file("a.yaml", "%s", article);
	open_store(&s);
	(void)snprintf(from, sizeof(from), "%s/a.yaml", loop_dir);
	(void)snprintf(to, sizeof(to), "%s/b.yaml", loop_dir);
	assert_int_equal(rename(from, to), 0);
	loop_for(400);
	assert_null(strstr(s.log, "DELETED"));
	assert_null(strstr(s.log, "BROKEN"));
	remove_file("b.yaml");
	expect_log(&s, "DELETED Network underlay-network1\n");
	close_store(&s);
}

static void all_daemons_give_a_written_object_the_same_uid_and_version(void **)
{
	struct seen a, b;

	put_file("a.yaml", "%s", article);
	open_store(&a);
	open_store(&b);
	const char *status = "{" API "\"kind\":\"Subnet\",\"metadata\":{\"name\":\"underlay-"
			     "subnet1\"},\"status\":{\"used\":1}}";
	assert_int_equal(do_update_status(a.store, status), 0);
	char uid[64], version[64];
	(void)snprintf(uid, sizeof(uid), "%s", meta(last.obj, "uid"));
	(void)snprintf(version, sizeof(version), "%s", meta(last.obj, "resourceVersion"));
	assert_int_equal(do_update_status(b.store, status), 0);
	assert_string_equal(meta(last.obj, "uid"), uid);
	assert_string_equal(meta(last.obj, "resourceVersion"), version);
	close_store(&a);
	close_store(&b);
}

static void on_created(void *arg, int err, const cJSON *, const char *)
{
	assert_int_equal(err, 0);
	(*(unsigned int *)arg)++;
}

static bool all_created(void *arg)
{
	return *(unsigned int *)arg == 1000;
}

static void a_thousand_objects_are_created(void **)
{
	struct seen a, b;
	unsigned int n = 0;
	char json[256];
	struct timespec t0, t1;

	open_store(&a);
	open_store(&b);
	(void)clock_gettime(CLOCK_MONOTONIC, &t0);
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(json, sizeof(json),
			"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p%d\","
			"\"namespace\":\"x\"}}",
			i);
		cJSON *obj = cJSON_Parse(json);
		a.store->ops->create(a.store, obj, on_created, &n);
		cJSON_Delete(obj);
	}
	assert_true(loop_until(all_created, &n));
	(void)clock_gettime(CLOCK_MONOTONIC, &t1);
	print_message("1000 creates: %ld us\n",
		(t1.tv_sec - t0.tv_sec) * 1000000 + (t1.tv_nsec - t0.tv_nsec) / 1000);
	assert_int_equal(a.n_put, 1000);
	expect_log(&b, "PUT Pod p999\n");
	assert_int_equal(b.n_put, 1000);
	close_store(&a);
	close_store(&b);
}

#define DIR_TEST(f) cmocka_unit_test_setup_teardown(f, loop_setup, loop_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DIR_TEST(objects_in_any_file_are_listed_then_synced),
		DIR_TEST(create_writes_a_file_and_refuses_a_second),
		DIR_TEST(names_that_are_paths_are_refused),
		DIR_TEST(update_replaces_the_spec_and_refuses_a_stale_one),
		DIR_TEST(a_patch_changes_what_it_names_and_no_more),
		DIR_TEST(a_patch_that_takes_the_last_finalizer_ends_a_deleted_object),
		DIR_TEST(only_the_version_that_was_looked_at_is_deleted),
		DIR_TEST(status_lives_beside_the_users_file),
		DIR_TEST(deleting_one_document_leaves_the_rest_byte_for_byte),
		DIR_TEST(updating_one_document_leaves_the_rest_byte_for_byte),
		DIR_TEST(an_object_with_finalizers_goes_with_its_last),
		DIR_TEST(two_stores_see_each_other),
		DIR_TEST(a_file_that_breaks_keeps_its_objects_in_force),
		DIR_TEST(a_file_is_read_when_its_writer_is_done),
		DIR_TEST(bad_documents_are_named_and_the_others_stay),
		DIR_TEST(nodes_and_namespaces_are_an_api_servers),
		DIR_TEST(the_first_of_two_definitions_stays),
		DIR_TEST(a_renamed_file_deletes_nothing),
		DIR_TEST(all_daemons_give_a_written_object_the_same_uid_and_version),
		DIR_TEST(a_thousand_objects_are_created),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
