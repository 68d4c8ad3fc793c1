// The cache's items: by key, by address and in the list of their kind; the version in force and the one
// that waits.
#include "ctrl/store/cache_item.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "ctrl/model/field.h"

struct grave {
	struct object *obj; // owned
	cJSON *json; // owned
	struct grave *next;
};

// ── Graves ─────────────────────────────────────────────────────────────────────────────────────

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

void cache_empty_graves(struct cache *c)
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

// ── By key and by address ──────────────────────────────────────────────────────────────────────

static const void *key_of(const void *item)
{
	return ((const struct cache_item *)item)->key;
}

static const struct table_type by_key = {
	.key = key_of, .hash = table_hash_text, .equal = table_equal_text};

static const void *address_of(const void *item)
{
	const struct ipinstance *i = (const void *)((const struct cache_item *)item)->obj;
	return &i->address.ip.ip;
}

static uint64_t hash_address(const void *ip)
{
	return table_hash_bytes(ip, sizeof(struct in6_addr));
}

static bool equal_address(const void *a, const void *b)
{
	return ip_cmp(a, b) == 0;
}

static const struct table_type by_address = {
	.key = address_of, .hash = hash_address, .equal = equal_address};

const struct cache_item *cache_item_at(const struct cache *c, const struct in6_addr *ip)
{
	return table_find(&c->by_ip, &by_address, ip);
}

// Notes that a version of it waits now: 0 or -ENOMEM.
static int begin_to_wait(struct cache *c, struct cache_item *item)
{
	c->n_unsettled[item->kind]++;
	return c->synced ? table_add(&c->waiting[item->kind], &by_key, item) : 0;
}

static void end_to_wait(struct cache *c, struct cache_item *item)
{
	c->n_unsettled[item->kind]--;
	table_del(&c->waiting[item->kind], &by_key, item);
}

static void forget_order(struct cache *c, enum kind kind)
{
	free(c->order[kind]);
	c->order[kind] = NULL;
}

struct cache_item *cache_item_find(const struct cache *c, enum kind kind, const char *key)
{
	return table_find(&c->items[kind], &by_key, key);
}

struct cache_item *cache_item_get(struct cache *c, enum kind kind, const char *key)
{
	struct cache_item *item = cache_item_find(c, kind, key);

	if (item != NULL)
		return item;
	item = calloc(1, sizeof(*item) + strlen(key) + 1);
	if (item == NULL)
		return NULL;
	item->kind = (uint8_t)kind;
	strcpy(item->key, key);
	if (table_add(&c->items[kind], &by_key, item) < 0) {
		free(item);
		return NULL;
	}
	forget_order(c, kind);
	return item;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp((*(const struct cache_item *const *)a)->key,
		(*(const struct cache_item *const *)b)->key);
}

struct cache_item **cache_items_sorted(struct cache *c, enum kind kind)
{
	const struct table *t = &c->items[kind];
	struct cache_item *item;
	size_t n = 0;

	if (c->order[kind] != NULL || t->n == 0)
		return c->order[kind];
	struct cache_item **order = calloc(t->n, sizeof(struct cache_item *));
	if (order == NULL)
		return NULL;
	TABLE_FOREACH(t, i, item)
	order[n++] = item;
	qsort(order, n, sizeof(struct cache_item *), compare_keys);
	c->order[kind] = order;
	return order;
}

// ── Those in force ─────────────────────────────────────────────────────────────────────────────

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
	item->index = (uint32_t)l->n;
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

static int put_in_force(struct cache *c, struct cache_item *item, struct object *obj)
{
	struct object *old = item->obj;
	bool addressed = item->kind == KIND_IPINSTANCE;
	int ret = 0;

	if (addressed && old != NULL)
		table_del(&c->by_ip, &by_address, item);
	item->obj = obj;
	if (addressed)
		ret = table_add(&c->by_ip, &by_address, item);
	if (ret == 0 && old == NULL) {
		ret = list_add(c, item);
		if (ret < 0 && addressed)
			table_del(&c->by_ip, &by_address, item);
	} else if (ret == 0) {
		c->list[item->kind].obj[item->index] = obj;
	}
	if (ret == 0)
		return 0;
	item->obj = old;
	if (addressed && old != NULL) // there is room: it had a place before
		(void)table_add(&c->by_ip, &by_address, item);
	return ret;
}

int cache_item_enforce(struct cache *c, struct cache_item *item, const struct object **ret_old)
{
	struct object *old = item->obj;
	struct cache_rest *rest = item->rest;
	int ret = put_in_force(c, item, item->next);

	if (ret < 0)
		return ret;
	item->next = NULL;
	end_to_wait(c, item);
	cache_bury(c, old, NULL);
	if (rest != NULL) {
		free(rest->json);
		rest->json = rest->next;
		rest->next = NULL;
		rest->tree = NULL;
		free(rest->reported);
		rest->reported = NULL;
		cache_item_trim(item);
	}
	*ret_old = old;
	return 0;
}

void cache_item_withdraw(struct cache *c, struct cache_item *item)
{
	if (item->kind == KIND_IPINSTANCE)
		table_del(&c->by_ip, &by_address, item);
	list_del(c, item);
	cache_bury(c, item->obj, NULL);
	item->obj = NULL;
}

// ── What waits ─────────────────────────────────────────────────────────────────────────────────

bool cache_item_waits(const struct cache_item *item)
{
	return item->next != NULL || (item->rest != NULL && item->rest->wrong != NULL);
}

const struct table *cache_items_waiting(const struct cache *c, enum kind kind)
{
	return c->synced ? &c->waiting[kind] : &c->items[kind];
}

int cache_items_sort_out(struct cache *c, enum kind kind)
{
	struct cache_item *item;
	int ret = 0;

	if (c->n_unsettled[kind] == 0)
		return 0;
	TABLE_FOREACH(&c->items[kind], i, item)
	{
		if (cache_item_waits(item) && table_add(&c->waiting[kind], &by_key, item) < 0)
			ret = -ENOMEM;
	}
	return ret;
}

struct cache_rest *cache_item_rest(struct cache_item *item)
{
	if (item->rest == NULL)
		item->rest = calloc(1, sizeof(*item->rest));
	return item->rest;
}

static void rest_free(struct cache_rest *rest)
{
	free(rest->json);
	free(rest->next);
	free(rest->wrong);
	free(rest->wrong_version);
	free(rest->reported);
	free(rest);
}

void cache_item_trim(struct cache_item *item)
{
	struct cache_rest *rest = item->rest;

	if (rest == NULL || rest->json != NULL || rest->next != NULL || rest->wrong != NULL ||
		rest->reported != NULL)
		return;
	rest_free(rest);
	item->rest = NULL;
}

void cache_item_forget(struct cache *c, struct cache_item *item)
{
	struct cache_rest *rest = item->rest;

	if (cache_item_waits(item))
		end_to_wait(c, item);
	object_free(item->next);
	item->next = NULL;
	if (rest == NULL)
		return;
	free(rest->next);
	free(rest->wrong);
	free(rest->wrong_version);
	rest->next = rest->wrong = rest->wrong_version = NULL;
	cache_item_trim(item);
}

// A version that cannot be decoded is kept, for those who are told what is wrong with it.
static int put_wrong(struct cache_item *item, const cJSON *json, const char *message)
{
	struct cache_rest *rest = cache_item_rest(item);

	if (rest == NULL)
		return -ENOMEM;
	rest->next = cJSON_PrintUnformatted(json);
	rest->wrong_version = strdup(field_string(field_get(json, "metadata"), "resourceVersion"));
	if (rest->next != NULL && rest->wrong_version != NULL)
		rest->wrong = strdup(message);
	return rest->wrong != NULL ? 0 : -ENOMEM;
}

static int put_next(struct cache *c, struct cache_item *item, const cJSON *json, struct object *obj)
{
	if (c->is_lean != NULL && c->is_lean(obj, c->is_lean_arg)) {
		item->next = object_shed(obj);
		return 0;
	}
	item->next = obj;
	struct cache_rest *rest = cache_item_rest(item);
	if (rest == NULL)
		return -ENOMEM;
	rest->next = cJSON_PrintUnformatted(json);
	return rest->next != NULL ? 0 : -ENOMEM;
}

int cache_item_put(struct cache *c, struct cache_item *item, const cJSON *json)
{
	char message[CACHE_MESSAGE_MAX];
	struct object *obj;

	cache_item_forget(c, item);
	int ret = cache_decode(json, &obj, message);
	if (ret == 0)
		ret = put_next(c, item, json, obj);
	else if (ret != -ENOMEM)
		ret = put_wrong(item, json, message);
	int err = cache_item_waits(item) ? begin_to_wait(c, item) : 0;
	if (ret == 0)
		ret = err;
	if (ret < 0)
		cache_item_forget(c, item);
	return ret;
}

// ── The end ────────────────────────────────────────────────────────────────────────────────────

void cache_item_set_removed(struct cache *c, struct cache_item *item, bool removed)
{
	c->n_removed += removed - item->removed;
	item->removed = removed;
}

static void item_fini(struct cache_item *item)
{
	if (item->rest != NULL)
		rest_free(item->rest);
	free(item);
}

void cache_item_free(struct cache *c, struct cache_item *item)
{
	cache_item_forget(c, item);
	cache_item_set_removed(c, item, false);
	table_del(&c->items[item->kind], &by_key, item);
	forget_order(c, (enum kind)item->kind);
	item_fini(item);
}

void cache_items_free(struct cache *c, enum kind kind)
{
	struct cache_item *item;

	TABLE_FOREACH(&c->items[kind], i, item)
	{
		object_free(item->obj);
		object_free(item->next);
		item_fini(item);
	}
	table_fini(&c->items[kind]);
	forget_order(c, kind);
}
