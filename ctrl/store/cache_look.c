// What others may see of the cache: objects by key, all of a kind, views for admission.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/store/cache_item.h"

bool cache_synced(const struct cache *c)
{
	return c->synced;
}

static struct cache_item *item_of_name(
	const struct cache *c, enum kind kind, const char *namespace, const char *name)
{
	char key[CACHE_KEY_MAX];
	bool both = kind_namespaced(kind) && namespace != NULL && namespace[0] != '\0';

	(void)snprintf(key, sizeof(key), "%s%s%s", both ? namespace : "", both ? "/" : "", name);
	return cache_item_find(c, kind, key);
}

const struct object *cache_get(
	const struct cache *c, enum kind kind, const char *namespace, const char *name)
{
	const struct cache_item *item = item_of_name(c, kind, namespace, name);
	return item != NULL ? item->obj : NULL;
}

// The JSON of a version: as the store had it, or what is left of that. NULL without memory.
static cJSON *json_of(const char *text, const struct object *obj)
{
	if (text != NULL)
		return cJSON_Parse(text);
	return obj != NULL && obj->kind == KIND_IPINSTANCE ? ipinstance_encode((const void *)obj)
							   : NULL;
}

static cJSON *json_in_force(const struct cache_item *item)
{
	return json_of(item->rest != NULL ? item->rest->json : NULL, item->obj);
}

static cJSON *json_refused(const struct cache_item *item)
{
	return json_of(item->rest != NULL ? item->rest->next : NULL, item->next);
}

const cJSON *cache_get_json(
	const struct cache *c, enum kind kind, const char *namespace, const char *name)
{
	// What is asked for again in the same turn is parsed once, and nobody else can see that.
	struct cache *w = (struct cache *)(uintptr_t)c;
	struct cache_item *item = item_of_name(c, kind, namespace, name);

	if (item == NULL || item->obj == NULL)
		return NULL;
	if (item->rest != NULL && item->rest->tree != NULL && item->rest->tree_turn == c->turn)
		return item->rest->tree;
	cJSON *tree = json_in_force(item);
	cache_bury(w, NULL, tree);
	if (item->rest != NULL) {
		item->rest->tree = tree;
		item->rest->tree_turn = c->turn;
	}
	return tree;
}

cJSON *cache_copy_json(const struct cache *c, const struct object *obj)
{
	const struct cache_item *item =
		item_of_name(c, obj->kind, obj->meta.namespace, obj->meta.name);

	return item != NULL && item->obj != NULL ? json_in_force(item) : NULL;
}

const char *cache_version(
	const struct cache *c, enum kind kind, const char *namespace, const char *name)
{
	const struct cache_item *item = item_of_name(c, kind, namespace, name);

	if (item == NULL || item->removed)
		return NULL;
	if (item->next != NULL)
		return item->next->meta.resource_version;
	if (cache_item_waits(item))
		return item->rest->wrong_version;
	return item->obj != NULL ? item->obj->meta.resource_version : NULL;
}

size_t cache_count_refused(const struct cache *c, enum kind kind)
{
	return c->n_unsettled[kind];
}

void cache_each_refused(const struct cache *c, enum kind kind,
	bool (*f)(const cJSON *json, const char *why, void *arg), void *arg)
{
	const struct cache_item *item;

	if (c->n_unsettled[kind] == 0)
		return;
	TABLE_FOREACH(cache_items_waiting(c, kind), i, item)
	{
		cJSON *json = cache_item_waits(item) ? json_refused(item) : NULL;
		const char *why = item->rest != NULL ? item->rest->reported : NULL;
		bool more = json == NULL || f(json, why != NULL ? why : "", arg);

		cJSON_Delete(json);
		if (!more)
			return;
	}
}

cJSON *cache_copy_refused(const struct cache *c, enum kind kind, const char *key)
{
	const struct cache_item *item = cache_item_find(c, kind, key);

	return item != NULL && cache_item_waits(item) ? json_refused(item) : NULL;
}

bool cache_is_removed(
	const struct cache *c, enum kind kind, const char *namespace, const char *name)
{
	const struct cache_item *item = item_of_name(c, kind, namespace, name);
	return item != NULL && item->removed;
}

bool cache_is_used(const struct cache *c, enum kind kind, const char *namespace, const char *name)
{
	const struct cache_item *item = item_of_name(c, kind, namespace, name);
	char message[CACHE_MESSAGE_MAX];
	return item != NULL && cache_in_use(c, item, message);
}

const struct ipinstance *cache_ipinstance_at(const struct cache *c, const struct in6_addr *ip)
{
	const struct cache_item *item = cache_item_at(c, ip);

	return item != NULL ? (const void *)item->obj : NULL;
}

size_t cache_count(const struct cache *c, enum kind kind)
{
	return c->list[kind].n;
}

void cache_each(const struct cache *c, enum kind kind,
	bool (*f)(const struct object *obj, void *arg), void *arg)
{
	// Their order is made when it is asked for, and nobody else can see that.
	struct cache_item **order = cache_items_sorted((struct cache *)(uintptr_t)c, kind);

	for (size_t i = 0; order != NULL && i < c->items[kind].n; i++) {
		if (order[i]->obj != NULL && !f(order[i]->obj, arg))
			return;
	}
}

static const void *copy_list(const struct cache_list *l, size_t *ret_n)
{
	const struct object **copy = l->n > 0 ? malloc(l->n * sizeof(struct object *)) : NULL;

	*ret_n = copy != NULL ? l->n : 0;
	if (copy != NULL)
		memcpy(copy, l->obj, l->n * sizeof(struct object *));
	return copy;
}

void cache_view(const struct cache *c, struct admission_view *ret_view)
{
	ret_view->networks = copy_list(&c->list[KIND_NETWORK], &ret_view->n_networks);
	ret_view->subnets = copy_list(&c->list[KIND_SUBNET], &ret_view->n_subnets);
	ret_view->ipinstances = copy_list(&c->list[KIND_IPINSTANCE], &ret_view->n_ipinstances);
	ret_view->nodes = copy_list(&c->list[cache_node_kind(c)], &ret_view->n_nodes);
}

void admission_view_free(struct admission_view *view)
{
	free((void *)(uintptr_t)view->networks);
	free((void *)(uintptr_t)view->subnets);
	free((void *)(uintptr_t)view->ipinstances);
	free((void *)(uintptr_t)view->nodes);
	*view = (struct admission_view){0};
}
