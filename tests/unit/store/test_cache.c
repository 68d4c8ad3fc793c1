// The cache: what comes into force, what is kept out, and what waits.
#include "ctrl/store/cache.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cache_told.h"
#include "ctrl/model/field.h"
#include "loop.h"

static void parents_come_before_children_whatever_the_files_order(void **)
{
	struct told t;

	put_overlay();
	put_subnet("s", "10.0.0.0/24");
	put_ip("x", "10-0-0-5", "10.0.0.5/24");
	open_cache(&t);
	assert_string_equal(t.log, "PUT Network n\nPUT Subnet s\nPUT IPInstance 10-0-0-5\n");
	assert_non_null(cache_get(t.cache, KIND_IPINSTANCE, "x", "10-0-0-5"));
	assert_null(cache_get(t.cache, KIND_IPINSTANCE, "y", "10-0-0-5"));
	assert_non_null(cache_get_json(t.cache, KIND_SUBNET, NULL, "s"));
	close_cache(&t);
}

static void json_is_that_of_the_version_in_force(void **)
{
	struct told t;

	put_overlay();
	open_cache(&t);
	const cJSON *json = cache_get_json(t.cache, KIND_NETWORK, NULL, "n");
	assert_string_equal(label_of(json), "");
	assert_ptr_equal(cache_get_json(t.cache, KIND_NETWORK, NULL, "n"), json);
	put_file("networks/n.yaml", API "kind: Network\nmetadata: {name: n, labels: {of: later}}\n"
					"spec: {type: Overlay, netID: 4}\n");
	expect(&t, "CHANGE Network n");
	assert_string_equal(label_of(cache_get_json(t.cache, KIND_NETWORK, NULL, "n")), "later");
	cJSON *copy = cache_copy_json(t.cache, cache_get(t.cache, KIND_NETWORK, NULL, "n"));
	put_file("networks/n.yaml", API "kind: Network\nmetadata: {name: n, labels: {of: bad}}\n"
					"spec: {type: Overlay, netID: -1}\n");
	expect(&t, "BAD n");
	assert_string_equal(label_of(cache_get_json(t.cache, KIND_NETWORK, NULL, "n")), "later");
	assert_string_equal(label_of(copy), "later");
	cJSON_Delete(copy);
	copy = cache_copy_refused(t.cache, KIND_NETWORK, "n");
	assert_string_equal(label_of(copy), "bad");
	cJSON_Delete(copy);
	close_cache(&t);
}

static void children_wait_for_their_parents(void **)
{
	struct told t;

	put_ip("x", "10-0-0-5", "10.0.0.5/24");
	put_subnet("s", "10.0.0.0/24");
	open_cache(&t);
	assert_string_equal(t.log, "BAD s: parent network n does not exist\nBAD x/10-0-0-5: subnet "
				   "s does not exist\n");
	t.log[0] = '\0';
	put_overlay();
	expect(&t, "PUT Network n\nPUT Subnet s\nPUT IPInstance 10-0-0-5\n");
	close_cache(&t);
}

static bool one_address_waits(void *told)
{
	return cache_count_refused(((struct told *)told)->cache, KIND_IPINSTANCE) == 1;
}

static void what_waited_and_is_gone_is_not_looked_at_again(void **)
{
	struct told t;

	open_cache(&t);
	put_ip("x", "10-0-0-5", "10.0.0.5/24");
	expect(&t, "BAD x/10-0-0-5: subnet s does not exist\n");
	remove_file("ipinstances/x/10-0-0-5.yaml");
	put_ip("x", "10-0-0-6", "10.0.0.6/24");
	expect(&t, "BAD x/10-0-0-6: subnet s does not exist\n");
	assert_true(loop_until(one_address_waits, &t));
	put_subnet("s", "10.0.0.0/24");
	expect(&t, "BAD s: parent network n does not exist\n");
	t.log[0] = '\0';
	put_overlay();
	expect(&t, "PUT Network n\nPUT Subnet s\nPUT IPInstance 10-0-0-6\n");
	assert_int_equal(cache_count_refused(t.cache, KIND_IPINSTANCE), 0);
	close_cache(&t);
}

struct bad_case {
	const char *yaml, *message;
};

static void what_breaks_a_rule_is_kept_out_and_named(void **)
{
	static const struct bad_case cases[] = {
		{"kind: Subnet\nmetadata: {name: b}\nspec: {network: n, rnage: {}, range: "
		 "{version: \"4\", cidr: 10.9.0.0/24}}",
			"BAD b: unknown field spec.rnage\n"},
		{"kind: Subnet\nmetadata: {name: b}\nspec: {network: n, range: {version: \"4\", "
		 "cidr: 10.9.0.0/24, "
		 "start: 10.9.0.9, end: 10.9.0.5}}",
			"BAD b: subnet should have at least one available IP. start=10.9.0.9, "
			"end=10.9.0.5\n"},
		{"kind: Subnet\nmetadata: {name: b}\nspec: {network: n, range: {version: \"4\", "
		 "cidr: 10.0.0.0/16}}",
			"BAD b: different but overlapped CIDR with existing subnet s, this is not "
			"suppored yet\n"},
		{"kind: Network\nmetadata: {name: b}\nspec: {type: Overlay, netID: 5}",
			"BAD b: must have one overlay network at most\n"},
		{"kind: Network\nmetadata: {name: b}\nspec: {type: Underlay, netID: 5000, "
		 "nodeSelector: {a: b}}",
			"BAD b: "},
		{"kind: Network\nmetadata: {name: b}\nspec: {type: 5}", "BAD b: "},
		{"kind: IPInstance\nmetadata: {name: 10-9-0-1, namespace: x}\nspec: {network: n, "
		 "subnet: s, "
		 "address: {version: \"4\", ip: 10.9.0.1/24, mac: \"02:12:34:00:00:01\"}}",
			"BAD x/10-9-0-1: "},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct told t;

		put_overlay();
		put_subnet("s", "10.0.0.0/24");
		open_cache(&t);
		put_file("bad.yaml", API "%s\n", cases[i].yaml);
		expect(&t, cases[i].message);
		assert_null(cache_get(t.cache, KIND_SUBNET, NULL, "b"));
		assert_null(cache_get(t.cache, KIND_NETWORK, NULL, "b"));
		assert_non_null(cache_get(t.cache, KIND_SUBNET, NULL, "s"));
		assert_null(strstr(t.log, "DELETED"));
		close_cache(&t);
		remove_file("bad.yaml");
	}
}

static void an_address_belongs_to_the_first_that_has_it(void **)
{
	struct told t;

	put_overlay();
	put_subnet("s", "10.0.0.0/24");
	put_ip("x", "10-0-0-5", "10.0.0.5/24");
	open_cache(&t);
	put_ip("a", "10-0-0-5", "10.0.0.5/24");
	expect(&t, "BAD a/10-0-0-5: address 10.0.0.5 is already that of ipinstance x/10-0-0-5\n");
	assert_null(cache_get(t.cache, KIND_IPINSTANCE, "a", "10-0-0-5"));
	remove_file("ipinstances/x/10-0-0-5.yaml");
	expect(&t, "DELETED IPInstance 10-0-0-5\nPUT IPInstance 10-0-0-5\n");
	assert_non_null(cache_get(t.cache, KIND_IPINSTANCE, "a", "10-0-0-5"));
	close_cache(&t);
}

static void an_address_that_is_given_up_for_another_goes_to_who_waits_for_it(void **)
{
	struct told t;

	put_overlay();
	put_subnet("s", "10.0.0.0/24");
	put_ip("x", "10-0-0-5", "10.0.0.5/24");
	open_cache(&t);
	put_ip("a", "10-0-0-5", "10.0.0.5/24");
	expect(&t, "BAD a/10-0-0-5: address 10.0.0.5 is already that of ipinstance x/10-0-0-5\n");
	t.log[0] = '\0';
	put_ip("x", "10-0-0-5", "10.0.0.6/24");
	expect(&t, "CHANGE IPInstance 10-0-0-5\nPUT IPInstance 10-0-0-5\n");
	assert_non_null(cache_get(t.cache, KIND_IPINSTANCE, "a", "10-0-0-5"));
	close_cache(&t);
}

static void a_bad_version_leaves_the_one_before_in_force(void **)
{
	struct told t;

	put_overlay();
	open_cache(&t);
	put_file("networks/n.yaml",
		API "kind: Network\nmetadata: {name: n}\nspec: {type: Overlay, netID: 5}\n");
	expect(&t, "BAD n: net ID must not be changed\n");
	assert_int_equal(
		((const struct network *)cache_get(t.cache, KIND_NETWORK, NULL, "n"))->net_id, 4);
	put_file("networks/n.yaml", "a: [\n");
	expect(&t, "BAD networks/n.yaml: networks/n.yaml:");
	t.log[0] = '\0';
	put_file("networks/n.yaml", API "kind: Network\nmetadata: {name: n, labels: {a: b}}\nspec: "
					"{type: Overlay, netID: 4}\n");
	expect(&t, "CHANGE Network n\n");
	close_cache(&t);
}

static void trouble_is_told_once(void **)
{
	struct told t;

	open_cache(&t);
	put_file("n.yaml", API "kind: Network\nmetadata: {name: n}\nspec: {type: Underlay}\n");
	expect(&t, "BAD n: must have node selector for underlay network\n");
	t.log[0] = '\0';
	assert_int_equal(
		do_update_status(t.store,
			"{\"apiVersion\":\"networking.alibaba.com/v1\",\"kind\":\"Network\","
			"\"metadata\":{\"name\":\"n\"},\"status\":{\"conditions\":[]}}"),
		0);
	loop_for(300);
	assert_string_equal(t.log, "");
	close_cache(&t);
}

static void what_is_removed_in_use_stays_until_its_last_user_is_gone(void **)
{
	struct told t;

	put_overlay();
	put_subnet("s", "10.0.0.0/24");
	put_ip("x", "10-0-0-5", "10.0.0.5/24");
	open_cache(&t);
	t.log[0] = '\0';
	remove_file("subnets/s.yaml");
	expect(&t, "BAD s: removed while in use, stays in force: still have using ip 10-0-0-5\n");
	remove_file("networks/n.yaml");
	expect(&t, "BAD n: removed while in use, stays in force: still have child subnet s\n");
	assert_non_null(cache_get(t.cache, KIND_SUBNET, NULL, "s"));
	t.log[0] = '\0';
	remove_file("ipinstances/x/10-0-0-5.yaml");
	expect(&t, "DELETED IPInstance 10-0-0-5\nDELETED Subnet s\nDELETED Network n\n");
	assert_null(cache_get(t.cache, KIND_NETWORK, NULL, "n"));
	close_cache(&t);
}

static void what_was_removed_in_use_may_come_back(void **)
{
	struct told t;

	put_overlay();
	put_subnet("s", "10.0.0.0/24");
	open_cache(&t);
	remove_file("networks/n.yaml");
	expect(&t, "BAD n: removed while in use");
	put_overlay();
	expect(&t, "CHANGE Network n\n");
	remove_file("subnets/s.yaml");
	expect(&t, "DELETED Subnet s\n");
	loop_for(200);
	assert_non_null(cache_get(t.cache, KIND_NETWORK, NULL, "n"));
	close_cache(&t);
}

static bool collect(const struct object *obj, void *arg)
{
	strcat(arg, obj->meta.name);
	strcat(arg, " ");
	return strcmp(obj->meta.name, "c") != 0;
}

static void objects_are_walked_in_key_order_until_told_to_stop(void **)
{
	struct told t;
	char names[64] = "";

	put_overlay();
	put_subnet("d", "10.0.3.0/24");
	put_subnet("b", "10.0.1.0/24");
	put_subnet("c", "10.0.2.0/24");
	open_cache(&t);
	put_subnet("a", "10.0.0.0/24");
	expect(&t, "PUT Subnet a\n");
	cache_each(t.cache, KIND_SUBNET, collect, names);
	assert_string_equal(names, "a b c ");
	struct admission_view view;
	cache_view(t.cache, &view);
	assert_int_equal(view.n_subnets, 4);
	assert_int_equal(view.n_networks, 1);
	admission_view_free(&view);
	close_cache(&t);
}

static bool note_refused(const cJSON *json, const char *why, void *arg)
{
	const cJSON *meta = cJSON_GetObjectItemCaseSensitive(json, "metadata");

	note(arg, "REFUSED %s: %s\n",
		cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, "name")), why);
	return true;
}

static void what_is_not_in_force_is_shown_with_the_reason(void **)
{
	struct told t;

	put_overlay();
	put_subnet("s", "10.0.0.0/24");
	put_subnet("waits", "10.0.1.0/33");
	open_cache(&t);
	t.log[0] = '\0';
	cache_each_refused(t.cache, KIND_SUBNET, note_refused, &t);
	assert_string_equal(t.log, "REFUSED waits: invalid range CIDR 10.0.1.0/33\n");
	assert_non_null(cache_version(t.cache, KIND_SUBNET, NULL, "waits"));
	assert_null(cache_get(t.cache, KIND_SUBNET, NULL, "waits"));
	assert_null(cache_version(t.cache, KIND_SUBNET, NULL, "nobody"));
	close_cache(&t);
}

// A store that brings some kinds only, as an API server's does for a node.
static void nodes_synced_only(struct cache *c, const struct store_watcher *w)
{
	assert_false(cache_synced(c));
	w->event(w->arg, KIND_NODE, STORE_SYNCED, NULL, NULL);
	assert_true(cache_synced(c));
}

static struct cache *watched;

static int watch_nodes(struct store *, const struct store_watcher *w)
{
	nodes_synced_only(watched, w);
	return 0;
}

static void kinds_that_the_store_does_not_bring_are_not_waited_for(void **)
{
	static const struct store_ops ops = {.watch = watch_nodes};
	struct store store = {.ops = &ops, .backend = "test"};

	watched = cache_new(&store);
	cache_set_kinds(watched, 1U << KIND_NODE);
	assert_int_equal(cache_start(watched), 0);
	cache_free(watched);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CACHE_TEST(parents_come_before_children_whatever_the_files_order),
		CACHE_TEST(children_wait_for_their_parents),
		CACHE_TEST(what_waited_and_is_gone_is_not_looked_at_again),
		CACHE_TEST(json_is_that_of_the_version_in_force),
		CACHE_TEST(what_breaks_a_rule_is_kept_out_and_named),
		CACHE_TEST(an_address_belongs_to_the_first_that_has_it),
		CACHE_TEST(an_address_that_is_given_up_for_another_goes_to_who_waits_for_it),
		CACHE_TEST(a_bad_version_leaves_the_one_before_in_force),
		CACHE_TEST(trouble_is_told_once),
		CACHE_TEST(what_is_removed_in_use_stays_until_its_last_user_is_gone),
		CACHE_TEST(what_was_removed_in_use_may_come_back),
		CACHE_TEST(objects_are_walked_in_key_order_until_told_to_stop),
		CACHE_TEST(what_is_not_in_force_is_shown_with_the_reason),
		cmocka_unit_test(kinds_that_the_store_does_not_bring_are_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
