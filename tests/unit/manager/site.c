#include "tests/unit/manager/site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctrl/model/ipinstance.h"
#include "tests/unit/store/loop.h"

struct manager_conf conf;

static char lock_path[96];

bool is_active(void *arg)
{
	return manager_active(((struct site *)arg)->manager);
}

void open_site(struct site *s)
{
	char message[MODEL_ERROR_MAX];

	assert_int_equal(store_dir_open(&loop, loop_dir, &s->store, message), 0);
	s->cache = cache_new(s->store);
	assert_int_equal(manager_new(&loop, s->store, s->cache, &conf, &s->manager), 0);
	assert_int_equal(cache_start(s->cache), 0);
}

void open_active(struct site *s)
{
	open_site(s);
	assert_true(loop_until(is_active, s));
}

void close_site(struct site *s)
{
	manager_free(s->manager);
	s->store->ops->close(s->store);
	cache_free(s->cache);
}

int setup(void **state)
{
	int ret = loop_setup(state);

	(void)snprintf(lock_path, sizeof(lock_path), "%s/.manager", loop_dir);
	conf = (struct manager_conf){.default_network_type = "Overlay",
		.default_ip_family = "IPv4",
		.stateful_kinds = "StatefulSet",
		.default_ip_retain = true,
		.lock_path = lock_path};
	return ret;
}

// ── Objects ────────────────────────────────────────────────────────────────────────────────────

void put_overlay(void)
{
	put_file("n.yaml",
		API "kind: Network\nmetadata: {name: n}\nspec: {type: Overlay, netID: 4}\n");
}

void put_subnet(const char *name, const char *version, const char *cidr, const char *more)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%s.yaml", name);
	put_file(path,
		API "kind: Subnet\nmetadata: {name: %s}\n"
		    "spec: {network: n, range: {version: \"%s\", cidr: \"%s\"%s}}\n",
		name, version, cidr, more);
}

void open_overlay(struct site *s)
{
	put_overlay();
	put_subnet("s", "4", "10.0.0.0/24", "");
	open_active(s);
}

void put_node(const char *name, const char *labels)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "nodeinfoes/%s.yaml", name);
	put_file(path, API "kind: NodeInfo\nmetadata: {name: %s, labels: {%s}}\nspec: {}\n", name,
		labels);
}

void create_pod(struct site *s, const char *name, const char *node, const char *annotations,
	const char *owner)
{
	char json[1024];

	(void)snprintf(json, sizeof(json),
		"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\","
		"\"namespace\":\"x\","
		"\"annotations\":{%s}%s},\"spec\":{\"nodeName\":\"%s\"}}",
		name, annotations, owner, node);
	assert_int_equal(do_create(s->store, json), 0);
}

// ── What there is ──────────────────────────────────────────────────────────────────────────────

static bool collect_ip(const struct object *obj, void *arg)
{
	struct ips *ips = arg;
	const struct ipinstance *i = (const void *)obj;
	const struct object *pod = cache_get(ips->site->cache, KIND_POD, "x", ips->pod);

	if (strcmp(i->binding.pod_name, ips->pod) != 0 || obj->meta.deleting || ips->n_all == 4)
		return true;
	ips->n_all++;
	if (pod == NULL || strcmp(i->binding.pod_uid, pod->meta.uid) != 0)
		return true;
	memcpy(ips->mac[ips->n], i->address.mac, 6);
	(void)ip_text(&i->address.ip.ip, ips->text[ips->n++]);
	return true;
}

static bool has_ips(void *arg)
{
	struct ips *ips = arg;

	ips->n = ips->n_all = 0;
	cache_each(ips->site->cache, KIND_IPINSTANCE, collect_ip, ips);
	return ips->n == ips->want;
}

struct ips ips_of(const struct site *s, const char *pod, size_t want)
{
	struct ips ips = {.site = s, .pod = pod, .want = want};

	if (!loop_until(has_ips, &ips))
		fail_msg("pod '%s' has %zu addresses, not %zu", pod, ips.n, want);
	return ips;
}

void expect_ip(const struct site *s, const char *pod, const char *ip)
{
	struct ips ips = ips_of(s, pod, 1);
	assert_string_equal(ips.text[0], ip);
}

static bool count_one(const struct object *, void *arg)
{
	++*(size_t *)arg;
	return true;
}

size_t count(const struct site *s, enum kind kind)
{
	size_t n = 0;

	cache_each(s->cache, kind, count_one, &n);
	return n;
}

struct counted {
	const struct site *site;
	size_t n;
};

static bool has_instances(void *arg)
{
	const struct counted *c = arg;
	return count(c->site, KIND_IPINSTANCE) == c->n;
}

void expect_instances(const struct site *s, size_t n)
{
	if (!loop_until(has_instances, &(struct counted){.site = s, .n = n}))
		fail_msg("%zu IPInstances, not %zu", count(s, KIND_IPINSTANCE), n);
}

struct wanted { // in an object's JSON
	const struct site *site;
	enum kind kind;
	const char *namespace, *name, *text;
};

static bool json_has(void *arg)
{
	const struct wanted *w = arg;
	const cJSON *json = cache_get_json(w->site->cache, w->kind, w->namespace, w->name);
	char *text = json != NULL ? cJSON_PrintUnformatted(json) : NULL;
	bool ok = text != NULL && strstr(text, w->text) != NULL;

	free(text);
	return ok;
}

void expect_json(const struct site *s, enum kind kind, const char *namespace, const char *name,
	const char *text)
{
	struct wanted w = {
		.site = s, .kind = kind, .namespace = namespace, .name = name, .text = text};

	if (!loop_until(json_has, &w)) {
		const cJSON *json = cache_get_json(s->cache, kind, namespace, name);
		fail_msg("no '%s' in %s", text, json != NULL ? cJSON_Print(json) : "(nothing)");
	}
}

void expect_status(const struct site *s, enum kind kind, const char *name, const char *text)
{
	expect_json(s, kind, NULL, name, text);
}

void expect_failure(const struct site *s, const char *pod, const char *message)
{
	char text[512];

	expect_json(s, KIND_POD, "x", pod, "\"type\":\"IPAllocated\"");
	(void)snprintf(text, sizeof(text), "\"message\":\"%s\"", message);
	expect_json(s, KIND_POD, "x", pod, text);
	expect_json(s, KIND_POD, "x", pod, "\"status\":\"False\"");
}
