// A node has some hundreds of addresses of the cluster's hundred thousand: a short table by name,
// and a walk through it to find a pod's.
#include "ctrl/node/bindings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

struct binding {
	char key[NAME_MAX_LEN + LABEL_MAX_LEN]; // "namespace/name"
	const struct ipinstance *i; // the cache's
	UT_hash_handle hh;
};

struct bindings {
	const char *node; // borrowed
	struct binding *items; // owned
};

struct bindings *bindings_new(const char *node)
{
	struct bindings *b = calloc(1, sizeof(*b));

	if (b != NULL)
		b->node = node;
	return b;
}

static void item_free(struct bindings *b, struct binding *item)
{
	HASH_DEL(b->items, item);
	free(item);
}

void bindings_free(struct bindings *b)
{
	struct binding *item, *next;

	if (b == NULL)
		return;
	HASH_ITER (hh, b->items, item, next) {
		item_free(b, item);
	}
	free(b);
}

static struct binding *find(const struct bindings *b, const struct ipinstance *i)
{
	char key[sizeof(((struct binding *)0)->key)];
	struct binding *item;

	meta_key(&i->obj.meta, key, sizeof(key));
	HASH_FIND_STR(b->items, key, item);
	return item;
}

void bindings_put(struct bindings *b, const struct ipinstance *i)
{
	struct binding *item = find(b, i);

	if (strcmp(i->binding.node_name, b->node) != 0) {
		if (item != NULL) // it moved to another node
			item_free(b, item);
		return;
	}
	if (item == NULL) {
		item = calloc(1, sizeof(*item));
		if (item == NULL)
			return; // the pod's ADD waits in vain, says so, and is tried again
		meta_key(&i->obj.meta, item->key, sizeof(item->key));
		HASH_ADD_STR(b->items, key, item);
	}
	item->i = i;
}

void bindings_del(struct bindings *b, const struct ipinstance *i)
{
	struct binding *item = find(b, i);

	if (item != NULL)
		item_free(b, item);
}

void bindings_each(const struct bindings *b, const char *pod_uid,
	bool (*f)(const struct ipinstance *i, void *arg), void *arg)
{
	for (const struct binding *item = b->items; item != NULL; item = item->hh.next) {
		const struct ipinstance *i = item->i;

		if (!i->obj.meta.deleting && pod_uid[0] != '\0' &&
			strcmp(i->binding.pod_uid, pod_uid) == 0 && !f(i, arg))
			return;
	}
}
