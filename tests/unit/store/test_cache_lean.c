// The cache where objects are kept lean: what is left of them.
#include "ctrl/store/cache.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cache_told.h"
#include "ctrl/model/field.h"
#include "loop.h"

static bool is_elsewhere(const struct object *obj, void *)
{
	const struct ipinstance *i = (const void *)obj;

	return obj->kind == KIND_IPINSTANCE && strcmp(i->binding.node_name, "x") != 0;
}

static void put_labelled(const char *name, const char *ip, const char *node, const char *gateway)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "ipinstances/default/%s.yaml", name);
	put_file(path,
		API "kind: IPInstance\nmetadata: {name: %s, labels: {of: its}, finalizers: [f]}\n"
		    "spec: {network: n, subnet: s, address: {version: \"4\", ip: %s, mac: "
		    "\"02:12:34:00:00:01\", gateway: %s, netID: 4},"
		    " binding: {referredObject: {kind: Pod, name: p, uid: u}, nodeName: %s, "
		    "podName: p, podUID: u, stateful: {index: 2}}}\n"
		    "status: {nodeName: %s, podName: p, podNamespace: default, sandboxID: box, "
		    "updateTimestamp: 2026-01-31T12:00:00Z}\n",
		name, ip, gateway, node, node);
}

static void put_text(cJSON *json, const char *text, const char *const *path)
{
	for (; path[1] != NULL; path++)
		json = cJSON_GetObjectItemCaseSensitive(json, path[0]);
	cJSON_ReplaceItemInObjectCaseSensitive(json, path[0], cJSON_CreateString(text));
}

static void del_text(cJSON *json, const char *const *path)
{
	for (; path[1] != NULL; path++)
		json = cJSON_GetObjectItemCaseSensitive(json, path[0]);
	assert_true(cJSON_HasObjectItem(json, path[0]));
	cJSON_DeleteItemFromObjectCaseSensitive(json, path[0]);
}

static void what_is_kept_lean_has_all_but_labels_uids_and_their_like(void **)
{
	struct told t;

	put_overlay();
	put_subnet("s", "10.0.0.0/24");
	put_labelled("10-0-0-5", "10.0.0.5/24", "x", "10.0.0.1");
	put_labelled("10-0-0-6", "10.0.0.6/24", "y", "10.0.0.1");
	open_lean(&t, is_elsewhere);
	const struct object *here = cache_get(t.cache, KIND_IPINSTANCE, "default", "10-0-0-5");
	const struct object *there = cache_get(t.cache, KIND_IPINSTANCE, "default", "10-0-0-6");
	assert_non_null(here);
	assert_non_null(there);
	assert_string_equal(key_values_get(&here->meta.labels, "of"), "its");
	assert_int_equal(there->meta.labels.n + there->meta.n_finalizers, 0);
	assert_string_not_equal(here->meta.uid, "");
	assert_string_equal(there->meta.uid, "");
	assert_true(malloc_usable_size((void *)(uintptr_t)there) <
		    malloc_usable_size((void *)(uintptr_t)here));

	cJSON *whole = cache_copy_json(t.cache, here);
	cJSON *lean = cJSON_Duplicate(
		cache_get_json(t.cache, KIND_IPINSTANCE, "default", "10-0-0-6"), true);
	assert_string_equal(label_of(whole), "its");
	assert_string_equal(label_of(lean), "");
	// The rest is as it was.
	put_text(whole, "y", (const char *const[]){"spec", "binding", "nodeName", NULL});
	put_text(whole, "y", (const char *const[]){"status", "nodeName", NULL});
	put_text(whole, "10.0.0.6/24", (const char *const[]){"spec", "address", "ip", NULL});
	del_text(whole, (const char *const[]){"spec", "binding", "referredObject", "uid", NULL});
	del_text(whole, (const char *const[]){"spec", "binding", "podUID", NULL});
	del_text(whole, (const char *const[]){"status", "sandboxID", NULL});
	del_text(whole, (const char *const[]){"status", "updateTimestamp", NULL});
	assert_true(cJSON_Compare(field_get(whole, "spec"), field_get(lean, "spec"), true));
	assert_true(cJSON_Compare(field_get(whole, "status"), field_get(lean, "status"), true));
	cJSON_Delete(whole);
	cJSON_Delete(lean);
	close_cache(&t);
}

static void a_lean_version_that_is_refused_is_shown_too(void **)
{
	struct told t;

	put_overlay();
	put_subnet("s", "10.0.0.0/24");
	put_labelled("10-0-0-6", "10.0.0.6/24", "y", "10.0.0.1");
	open_lean(&t, is_elsewhere);
	put_labelled("10-0-0-7", "10.0.0.6/24", "y", "10.0.0.1");
	expect(&t, "BAD default/10-0-0-7");
	cJSON *json = cache_copy_refused(t.cache, KIND_IPINSTANCE, "default/10-0-0-7");
	assert_string_equal(field_string(field_get(json, "metadata"), "name"), "10-0-0-7");
	assert_non_null(cache_version(t.cache, KIND_IPINSTANCE, "default", "10-0-0-7"));
	assert_int_equal(cache_count_refused(t.cache, KIND_IPINSTANCE), 1);
	cJSON_Delete(json);
	// One that cannot be read is kept as it is.
	put_labelled("10-0-0-8", "10.0.0.8/24", "y", "nonsense");
	expect(&t, "BAD default/10-0-0-8");
	json = cache_copy_refused(t.cache, KIND_IPINSTANCE, "default/10-0-0-8");
	assert_string_equal(label_of(json), "its");
	cJSON_Delete(json);
	assert_int_equal(cache_count_refused(t.cache, KIND_IPINSTANCE), 2);
	close_cache(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CACHE_TEST(what_is_kept_lean_has_all_but_labels_uids_and_their_like),
		CACHE_TEST(a_lean_version_that_is_refused_is_shown_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
