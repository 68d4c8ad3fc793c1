// The cache: what comes into force, what is kept out, and what waits.
#include "ctrl/store/cache.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctrl/model/field.h"
#include "loop.h"

#define API "apiVersion: networking.alibaba.com/v1\n"

// What a subscriber was told: "PUT network a", "BAD a: …".
struct told {
	struct store *store;
	struct cache *cache;
	struct cache_subscriber sub;
	char log[16384];
	unsigned int n_synced;
};

static void note(struct told *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(struct told *t, const char *format, ...)
{
	size_t at = strlen(t->log);
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(t->log + at, sizeof(t->log) - at, format, ap);
	va_end(ap);
}

static void on_event(void *arg, enum kind kind, enum cache_event event, const struct object *obj,
	const struct object *old)
{
	struct told *t = arg;

	t->n_synced += event == CACHE_SYNCED;
	if (event == CACHE_PUT)
		note(t, "%s %s %s\n", old != NULL ? "CHANGE" : "PUT", kind_name(kind),
			obj->meta.name);
	else if (event == CACHE_DELETED)
		note(t, "DELETED %s %s\n", kind_name(kind), obj->meta.name);
}

static void on_bad(void *arg, enum kind, const char *key, const char *message)
{
	note(arg, "BAD %s: %s\n", key, message);
}

static bool is_synced(void *arg)
{
	return ((struct told *)arg)->n_synced == KIND_COUNT;
}

static void open_cache(struct told *t)
{
	char message[MODEL_ERROR_MAX];

	memset(t, 0, sizeof(*t));
	assert_int_equal(store_dir_open(&loop, loop_dir, &t->store, message), 0);
	t->cache = cache_new(t->store);
	t->sub = (struct cache_subscriber){.event = on_event, .bad = on_bad, .arg = t};
	cache_subscribe(t->cache, &t->sub);
	assert_int_equal(cache_start(t->cache), 0);
	assert_true(loop_until(is_synced, t));
	assert_true(cache_synced(t->cache));
}

static void close_cache(struct told *t)
{
	t->store->ops->close(t->store);
	cache_free(t->cache);
}

struct wanted {
	const struct told *told;
	const char *text;
};

static bool has_text(void *arg)
{
	const struct wanted *w = arg;
	return strstr(w->told->log, w->text) != NULL;
}

static void expect(struct told *t, const char *text)
{
	if (!loop_until(has_text, &(struct wanted){.told = t, .text = text}))
		fail_msg("no '%s' in:\n%s", text, t->log);
}

static void put_overlay(void)
{
	put_file("networks/n.yaml",
		API "kind: Network\nmetadata: {name: n}\nspec: {type: Overlay, netID: 4}\n");
}

static void put_subnet(const char *name, const char *cidr)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "subnets/%s.yaml", name);
	put_file(path,
		API "kind: Subnet\nmetadata: {name: %s}\nspec: {network: n, range: {version: "
		    "\"4\", cidr: %s}}\n",
		name, cidr);
}

static void put_ip(const char *namespace, const char *name, const char *ip)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "ipinstances/%s/%s.yaml", namespace, name);
	put_file(path,
		API "kind: IPInstance\nmetadata: {name: %s, namespace: %s}\n"
		    "spec: {network: n, subnet: s, address: {version: \"4\", ip: %s, mac: "
		    "\"02:12:34:00:00:01\"},"
		    " binding: {referredObject: {kind: Pod, name: p, uid: u}, nodeName: x, "
		    "podName: p, podUID: u}}\n",
		name, namespace, ip);
}

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

static const char *label_of(const cJSON *json)
{
	return field_string(field_get(field_get(json, "metadata"), "labels"), "of");
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

#define CACHE_TEST(f) cmocka_unit_test_setup_teardown(f, loop_setup, loop_teardown)

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
		CACHE_TEST(json_is_that_of_the_version_in_force),
		CACHE_TEST(what_breaks_a_rule_is_kept_out_and_named),
		CACHE_TEST(an_address_belongs_to_the_first_that_has_it),
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
