// The cache: takes the store's events, keeps what is in force and tells subscribers.
//
// The first lists are held until all are complete, then judged parents first and the older of two
// rivals first, so that their order in the store does not matter. After that every change may free
// what waits for it: an unsettled item is judged again when something it depends on changes.
#include "ctrl/store/cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "ctrl/model/field.h"
#include "ctrl/store/cache_item.h"

struct grave {
	struct object *obj; // owned
	cJSON *json; // owned
	struct grave *next;
};

// ── Subscribers ────────────────────────────────────────────────────────────────────────────────

static void tell(struct cache *c, enum kind kind, enum cache_event event, const struct object *obj,
	const struct object *old)
{
	for (struct cache_subscriber *s = c->subscribers; s != NULL; s = s->next)
		s->event(s->arg, kind, event, obj, old);
}

static void tell_bad(struct cache *c, enum kind kind, const char *key, const char *message)
{
	for (struct cache_subscriber *s = c->subscribers; s != NULL; s = s->next) {
		if (s->bad != NULL)
			s->bad(s->arg, kind, key, message);
	}
}

// Once per message: the same trouble of a new version (its status changed) is not news.
static void report(struct cache *c, struct cache_item *item, const char *message)
{
	if (item->reported != NULL && strcmp(item->reported, message) == 0)
		return;
	free(item->reported);
	item->reported = strdup(message);
	tell_bad(c, item->kind, item->key, message);
}

// ── Items ──────────────────────────────────────────────────────────────────────────────────────

void cache_bury(struct cache *c, struct object *obj, cJSON *json)
{
	struct grave *g = obj != NULL || json != NULL ? calloc(1, sizeof(*g)) : NULL;

	if (g == NULL) {
		// Without memory for a grave better a leak than a dangling pointer up the stack.
		return;
	}
	g->obj = obj;
	g->json = json;
	LL_PREPEND(c->graves, g);
}

static void empty_graves(struct cache *c)
{
	struct grave *g, *next;

	LL_FOREACH_SAFE (c->graves, g, next) {
		object_free(g->obj);
		cJSON_Delete(g->json);
		free(g);
	}
	c->graves = NULL;
	c->turn++;
}

struct cache_item *cache_item_find(const struct cache *c, enum kind kind, const char *key)
{
	struct cache_item *item;

	HASH_FIND_STR(c->items[kind], key, item);
	return item;
}

static struct cache_item *item_get(struct cache *c, enum kind kind, const char *key)
{
	struct cache_item *item = cache_item_find(c, kind, key);

	if (item != NULL)
		return item;
	item = calloc(1, sizeof(*item) + strlen(key) + 1);
	if (item == NULL)
		return NULL;
	item->kind = kind;
	strcpy(item->key, key);
	HASH_ADD_STR(c->items[kind], key, item);
	c->sorted[kind] = false;
	return item;
}

static void set_next(struct cache *c, struct cache_item *item, char *next)
{
	c->n_unsettled[item->kind] += (next != NULL) - (item->next != NULL);
	free(item->next);
	item->next = next;
}

static void set_removed(struct cache *c, struct cache_item *item, bool removed)
{
	c->n_removed += removed - item->removed;
	item->removed = removed;
}

static int list_add(struct cache *c, struct cache_item *item)
{
	struct cache_list *l = &c->list[item->kind];

	if (l->n == l->max) {
		size_t max = l->max > 0 ? 2 * l->max : 64;
		const struct object **obj = reallocarray(l->obj, max, sizeof(struct object *));
		if (obj == NULL)
			return -ENOMEM;
		l->obj = obj;
		l->max = max;
	}
	item->index = l->n;
	l->obj[l->n++] = item->obj;
	return 0;
}

static void list_del(struct cache *c, struct cache_item *item)
{
	struct cache_list *l = &c->list[item->kind];
	const struct object *moved = l->obj[--l->n];
	char key[CACHE_KEY_MAX];

	if (moved == item->obj)
		return;
	meta_key(&moved->meta, key, sizeof(key));
	struct cache_item *other = cache_item_find(c, item->kind, key);
	if (other != NULL)
		other->index = item->index;
	l->obj[item->index] = moved;
}

static void address_add(struct cache *c, struct cache_item *item)
{
	const struct ipinstance *i = (const void *)item->obj;

	if (item->kind == KIND_IPINSTANCE)
		HASH_ADD_KEYPTR(hh_ip, c->by_ip, &i->address.ip.ip, sizeof(i->address.ip.ip), item);
}

static void address_del(struct cache *c, struct cache_item *item)
{
	if (item->kind == KIND_IPINSTANCE)
		HASH_DELETE(hh_ip, c->by_ip, item);
}

// Puts obj (taken) into force in place of what was.
static void enforce(struct cache *c, struct cache_item *item, struct object *obj)
{
	struct object *old = item->obj;

	if (old != NULL) {
		address_del(c, item);
		c->list[item->kind].obj[item->index] = obj;
		item->obj = obj;
	} else {
		item->obj = obj;
		if (list_add(c, item) < 0) {
			item->obj = NULL;
			object_free(obj);
			report(c, item, "out of memory");
			return;
		}
	}
	address_add(c, item);
	cache_bury(c, old, NULL);
	free(item->json);
	item->json = item->next;
	item->tree = NULL;
	item->next = NULL;
	c->n_unsettled[item->kind]--;
	free(item->reported);
	item->reported = NULL;
	tell(c, item->kind, CACHE_PUT, obj, old);
}

static void item_free(struct cache *c, struct cache_item *item)
{
	set_next(c, item, NULL);
	set_removed(c, item, false);
	HASH_DEL(c->items[item->kind], item);
	cache_bury(c, item->obj, NULL);
	free(item->json);
	free(item->reported);
	free(item);
}

// ── Judging ────────────────────────────────────────────────────────────────────────────────────

// Whether that brought the item into force.
static bool settle(struct cache *c, struct cache_item *item)
{
	char message[CACHE_MESSAGE_MAX] = "";
	struct object *obj;

	if (item->next == NULL)
		return false;
	cJSON *next = cJSON_Parse(item->next);
	if (next == NULL)
		return false; // no memory: the next event tries again
	enum verdict verdict = cache_judge(c, item, next, &obj, message);
	cJSON_Delete(next);
	if (verdict != VERDICT_GOOD) {
		report(c, item, message);
		return false;
	}
	enforce(c, item, obj);
	return true;
}

// Older first, and what was written by hand (it has no time) before all.
static int by_age(const void *pa, const void *pb)
{
	const struct cache_item *const *a = pa, *const *b = pb;
	int cmp = strcmp((*a)->created, (*b)->created);
	return cmp != 0 ? cmp : strcmp((*a)->key, (*b)->key);
}

static void settle_kind(struct cache *c, enum kind kind)
{
	struct cache_item **items, *item;
	size_t n = 0;

	if (c->n_unsettled[kind] == 0)
		return;
	items = calloc(c->n_unsettled[kind], sizeof(struct cache_item *));
	if (items == NULL)
		return; // the next event tries again
	for (item = c->items[kind]; item != NULL; item = item->hh.next) {
		if (item->next != NULL)
			items[n++] = item;
	}
	qsort(items, n, sizeof(struct cache_item *), by_age);
	for (size_t i = 0; i < n; i++)
		(void)settle(c, items[i]);
	free(items);
}

static void really_delete(struct cache *c, struct cache_item *item)
{
	address_del(c, item);
	list_del(c, item);
	const struct object *obj = item->obj;
	enum kind kind = item->kind;
	item_free(c, item); // obj is in its grave until the next event
	tell(c, kind, CACHE_DELETED, obj, NULL);
}

// Deletes what was removed and has lost its last user.
static void sweep_removed(struct cache *c, enum kind kind)
{
	struct cache_item *item, *next;
	char message[CACHE_MESSAGE_MAX];

	if (c->n_removed == 0)
		return;
	HASH_ITER (hh, c->items[kind], item, next) {
		if (!item->removed)
			continue;
		if (cache_in_use(c, item, message))
			report(c, item, message);
		else
			really_delete(c, item);
	}
}

// After a change of an object of kind: who waited for it?
static void settle_dependents(struct cache *c, enum kind kind)
{
	if (!c->synced)
		return;
	switch (kind) {
	case KIND_IPINSTANCE:
		sweep_removed(c, KIND_SUBNET);
		settle_kind(c, KIND_IPINSTANCE);
		// fallthrough
	case KIND_SUBNET:
		sweep_removed(c, KIND_NETWORK);
		settle_kind(c, KIND_SUBNET);
		settle_kind(c, KIND_IPINSTANCE);
		break;
	case KIND_NETWORK:
	case KIND_NODEINFO:
	case KIND_NODE: // the nodes of an underlay Network must not be another's
		settle_kind(c, KIND_NETWORK);
		settle_kind(c, KIND_SUBNET);
		settle_kind(c, KIND_IPINSTANCE);
		break;
	case KIND_POD:
	case KIND_NAMESPACE:
	case KIND_COUNT:
		break;
	}
}

// ── The store's events ─────────────────────────────────────────────────────────────────────────

static int key_of(const cJSON *obj, char *key, size_t len)
{
	const cJSON *meta = cJSON_GetObjectItemCaseSensitive(obj, "metadata");
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, "name"));
	const char *namespace =
		cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, "namespace"));
	enum kind kind;

	if (name == NULL || kind_of_object(obj, &kind) < 0)
		return -EINVAL;
	if (kind_namespaced(kind) && namespace != NULL && namespace[0] != '\0')
		(void)snprintf(key, len, "%s/%s", namespace, name);
	else
		(void)snprintf(key, len, "%s", name);
	return 0;
}

static void take_meta(struct cache_item *item, const cJSON *json)
{
	const cJSON *meta = cJSON_GetObjectItemCaseSensitive(json, "metadata");

	(void)snprintf(
		item->version, sizeof(item->version), "%s", field_string(meta, "resourceVersion"));
	(void)snprintf(item->created, sizeof(item->created), "%s",
		field_string(meta, "creationTimestamp"));
}

static void on_put(struct cache *c, enum kind kind, const char *key, const cJSON *json)
{
	struct cache_item *item = item_get(c, kind, key);
	char *text = item != NULL ? cJSON_PrintUnformatted(json) : NULL;

	if (text == NULL) {
		tell_bad(c, kind, key, "out of memory");
		return;
	}
	// A new IPInstance helps nobody, and they come by the hundred.
	bool helps = kind != KIND_IPINSTANCE || item->obj != NULL;

	set_removed(c, item, false);
	set_next(c, item, text);
	take_meta(item, json);
	if (c->synced && settle(c, item) && helps)
		settle_dependents(c, kind);
}

static void on_deleted(struct cache *c, enum kind kind, const char *key)
{
	struct cache_item *item = cache_item_find(c, kind, key);
	char message[CACHE_MESSAGE_MAX];

	if (item == NULL)
		return;
	set_next(c, item, NULL);
	if (item->obj == NULL) {
		item_free(c, item);
	} else if (cache_in_use(c, item, message)) {
		set_removed(c, item, true);
		report(c, item, message);
	} else {
		really_delete(c, item);
		settle_dependents(c, kind);
	}
}

static void on_broken(struct cache *c, enum kind kind, const char *message)
{
	char file[256];

	(void)snprintf(file, sizeof(file), "%.*s", (int)strcspn(message, ":"), message);
	tell_bad(c, kind, file, message);
}

static void on_synced(struct cache *c, enum kind kind)
{
	// Nodes before the Networks that select them, parents before children.
	static const enum kind order[] = {KIND_NAMESPACE, KIND_NODE, KIND_NODEINFO, KIND_NETWORK,
		KIND_SUBNET, KIND_IPINSTANCE, KIND_POD};

	static_assert(sizeof(order) / sizeof(order[0]) == KIND_COUNT);
	c->kind_synced[kind] = true;
	for (enum kind k = 0; k < KIND_COUNT; k++) {
		if (!c->kind_synced[k])
			return;
	}
	if (c->synced)
		return;
	for (size_t i = 0; i < KIND_COUNT; i++)
		settle_kind(c, order[i]);
	c->synced = true;
	for (size_t i = 0; i < KIND_COUNT; i++)
		tell(c, order[i], CACHE_SYNCED, NULL, NULL);
}

static void on_event(
	void *arg, enum kind kind, enum store_event event, const cJSON *obj, const char *message)
{
	struct cache *c = arg;
	char key[CACHE_KEY_MAX];

	empty_graves(c);
	if (event == STORE_SYNCED)
		on_synced(c, kind);
	else if (event == STORE_BROKEN)
		on_broken(c, kind, message);
	else if (key_of(obj, key, sizeof(key)) < 0)
		tell_bad(c, kind, "", "an object without a name");
	else if (event == STORE_PUT)
		on_put(c, kind, key, obj);
	else
		on_deleted(c, kind, key);
}

// ── For others ─────────────────────────────────────────────────────────────────────────────────

struct cache *cache_new(struct store *store)
{
	struct cache *c = calloc(1, sizeof(*c));

	if (c != NULL)
		c->store = store;
	return c;
}

void cache_set_kinds(struct cache *c, uint32_t kinds)
{
	for (enum kind k = 0; k < KIND_COUNT; k++)
		c->kind_synced[k] = (kinds & 1U << k) == 0;
}

void cache_free(struct cache *c)
{
	struct cache_item *item, *next;

	if (c == NULL)
		return;
	HASH_CLEAR(hh_ip, c->by_ip);
	for (enum kind k = 0; k < KIND_COUNT; k++) {
		HASH_ITER (hh, c->items[k], item, next) {
			item_free(c, item);
		}
		free(c->list[k].obj);
	}
	empty_graves(c);
	free(c);
}

void cache_subscribe(struct cache *c, struct cache_subscriber *s)
{
	LL_APPEND(c->subscribers, s);
}

void cache_unsubscribe(struct cache *c, struct cache_subscriber *s)
{
	LL_DELETE(c->subscribers, s);
}

int cache_start(struct cache *c)
{
	return c->store->ops->watch(c->store, &(struct store_watcher){.event = on_event, .arg = c});
}
