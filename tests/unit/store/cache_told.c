#include "cache_told.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ctrl/model/field.h"
#include "loop.h"

void note(struct told *t, const char *format, ...)
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

void open_lean(struct told *t, cache_is_lean *is_lean)
{
	char message[MODEL_ERROR_MAX];

	memset(t, 0, sizeof(*t));
	assert_int_equal(store_dir_open(&loop, loop_dir, &t->store, message), 0);
	t->cache = cache_new(t->store);
	t->sub = (struct cache_subscriber){.event = on_event, .bad = on_bad, .arg = t};
	cache_subscribe(t->cache, &t->sub);
	cache_set_lean(t->cache, is_lean, NULL);
	assert_int_equal(cache_start(t->cache), 0);
	assert_true(loop_until(is_synced, t));
	assert_true(cache_synced(t->cache));
}

void open_cache(struct told *t)
{
	open_lean(t, NULL);
}

void close_cache(struct told *t)
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

void expect(struct told *t, const char *text)
{
	if (!loop_until(has_text, &(struct wanted){.told = t, .text = text}))
		fail_msg("no '%s' in:\n%s", text, t->log);
}

void put_overlay(void)
{
	put_file("networks/n.yaml",
		API "kind: Network\nmetadata: {name: n}\nspec: {type: Overlay, netID: 4}\n");
}

void put_subnet(const char *name, const char *cidr)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "subnets/%s.yaml", name);
	put_file(path,
		API "kind: Subnet\nmetadata: {name: %s}\nspec: {network: n, range: {version: "
		    "\"4\", cidr: %s}}\n",
		name, cidr);
}

void put_ip(const char *namespace, const char *name, const char *ip)
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

const char *label_of(const cJSON *json)
{
	return field_string(field_get(field_get(json, "metadata"), "labels"), "of");
}
