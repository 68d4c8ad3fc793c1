// The cache: takes the store's events, keeps what is in force and tells subscribers.
//
// The first lists are held until all are complete, then judged parents first and the older of two
// rivals first, so that their order in the store does not matter. After that every change may free
// what waits for it: an unsettled item is judged again when something it depends on changes.
#include "ctrl/store/cache.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "ctrl/store/cache_item.h"

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
	struct cache_rest *rest = cache_item_rest(item);

	if (rest != NULL && rest->reported != NULL && strcmp(rest->reported, message) == 0)
		return;
	if (rest != NULL) {
		free(rest->reported);
		rest->reported = strdup(message);
	}
	tell_bad(c, (enum kind)item->kind, item->key, message);
}

// ── Judging ────────────────────────────────────────────────────────────────────────────────────

// Whether that brought the item into force.
static bool settle(struct cache *c, struct cache_item *item)
{
	char message[CACHE_MESSAGE_MAX] = "";
	const struct object *old;

	if (!cache_item_waits(item))
		return false;
	if (item->next == NULL) {
		report(c, item, item->rest->wrong);
		return false;
	}
	if (cache_judge(c, item, message) != VERDICT_GOOD) {
		report(c, item, message);
		return false;
	}
	if (cache_item_enforce(c, item, &old) < 0) {
		report(c, item, "out of memory"); // the next event tries again
		return false;
	}
	tell(c, (enum kind)item->kind, CACHE_PUT, item->obj, old);
	return true;
}

static const char *created(const struct cache_item *item)
{
	return item->next != NULL ? item->next->meta.creation_time : "";
}

// Older first, and what was written by hand (it has no time) before all.
static int by_age(const void *pa, const void *pb)
{
	const struct cache_item *const *a = pa, *const *b = pb;
	int cmp = strcmp(created(*a), created(*b));
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
	TABLE_FOREACH(cache_items_waiting(c, kind), i, item)
	{
		if (cache_item_waits(item))
			items[n++] = item;
	}
	qsort(items, n, sizeof(struct cache_item *), by_age);
	for (size_t i = 0; i < n; i++)
		(void)settle(c, items[i]);
	free(items);
}

static void really_delete(struct cache *c, struct cache_item *item)
{
	const struct object *obj = item->obj;
	enum kind kind = (enum kind)item->kind;

	cache_item_withdraw(c, item); // obj is in its grave until the next event
	cache_item_free(c, item);
	tell(c, kind, CACHE_DELETED, obj, NULL);
}

// Deletes what was removed and has lost its last user.
static void sweep_removed(struct cache *c, enum kind kind)
{
	char message[CACHE_MESSAGE_MAX];
	struct cache_item **items, *item;
	size_t n = 0;

	if (c->n_removed == 0)
		return;
	items = calloc(c->n_removed, sizeof(struct cache_item *));
	if (items == NULL)
		return; // the next event tries again
	TABLE_FOREACH(&c->items[kind], i, item)
	{
		if (item->removed)
			items[n++] = item;
	}
	for (size_t i = 0; i < n; i++) {
		if (cache_in_use(c, items[i], message))
			report(c, items[i], message);
		else
			really_delete(c, items[i]);
	}
	free(items);
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

static void on_put(struct cache *c, enum kind kind, const char *key, const cJSON *json)
{
	struct cache_item *item = cache_item_get(c, kind, key);

	if (item == NULL || cache_item_put(c, item, json) < 0) {
		tell_bad(c, kind, key, "out of memory");
		return;
	}
	// A new IPInstance helps nobody, and they come by the hundred.
	bool helps = kind != KIND_IPINSTANCE || item->obj != NULL;

	cache_item_set_removed(c, item, false);
	if (c->synced && settle(c, item) && helps)
		settle_dependents(c, kind);
}

static void on_deleted(struct cache *c, enum kind kind, const char *key)
{
	struct cache_item *item = cache_item_find(c, kind, key);
	char message[CACHE_MESSAGE_MAX];

	if (item == NULL)
		return;
	cache_item_forget(c, item);
	if (item->obj == NULL) {
		cache_item_free(c, item);
	} else if (cache_in_use(c, item, message)) {
		cache_item_set_removed(c, item, true);
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
	for (size_t i = 0; i < KIND_COUNT; i++)
		(void)cache_items_sort_out(c, order[i]); // what is missed is judged when it changes
	c->synced = true;
	for (size_t i = 0; i < KIND_COUNT; i++)
		tell(c, order[i], CACHE_SYNCED, NULL, NULL);
	(void)malloc_trim(0); // what the lists were taken in with is not needed again
}

static void on_event(
	void *arg, enum kind kind, enum store_event event, const cJSON *obj, const char *message)
{
	struct cache *c = arg;
	char key[CACHE_KEY_MAX];

	cache_empty_graves(c);
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

void cache_set_lean(struct cache *c, cache_is_lean *is_lean, void *arg)
{
	c->is_lean = is_lean;
	c->is_lean_arg = arg;
}

void cache_free(struct cache *c)
{
	if (c == NULL)
		return;
	table_fini(&c->by_ip);
	for (enum kind k = 0; k < KIND_COUNT; k++) {
		cache_items_free(c, k);
		table_fini(&c->waiting[k]);
		free(c->list[k].obj);
	}
	cache_empty_graves(c);
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
