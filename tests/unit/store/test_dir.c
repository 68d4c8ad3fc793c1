// The dir store as a store: objects are created, changed and deleted, and watched by others.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "dir_world.h"
#include "loop.h"

static const char article[] = ARTICLE;

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
		DIR_TEST(create_writes_a_file_and_refuses_a_second),
		DIR_TEST(names_that_are_paths_are_refused),
		DIR_TEST(update_replaces_the_spec_and_refuses_a_stale_one),
		DIR_TEST(a_patch_changes_what_it_names_and_no_more),
		DIR_TEST(a_patch_that_takes_the_last_finalizer_ends_a_deleted_object),
		DIR_TEST(only_the_version_that_was_looked_at_is_deleted),
		DIR_TEST(status_lives_beside_the_users_file),
		DIR_TEST(an_object_with_finalizers_goes_with_its_last),
		DIR_TEST(two_stores_see_each_other),
		DIR_TEST(a_thousand_objects_are_created),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
