#include "ctrl/store/kube_known.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Small: there are as many as the cluster has objects.
struct kube_known_item {
	UT_hash_handle hh;
	uint64_t version; // a hash of its resourceVersion
	uint32_t round; // the last list that had it
	char key[]; // "namespace/name"
};

static const char *meta_string(const cJSON *obj, const char *name)
{
	const cJSON *meta = cJSON_GetObjectItemCaseSensitive(obj, "metadata");

	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, name));
}

static uint64_t hash(const char *text) // FNV-1a
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *text != '\0'; text++)
		h = (h ^ (unsigned char)*text) * 0x100000001b3;
	return h;
}

// A new item for obj, not in the table yet; NULL with *ret_err.
static struct kube_known_item *item_new(const cJSON *obj, int *ret_err)
{
	const char *namespace = meta_string(obj, "namespace"), *name = meta_string(obj, "name");
	const char *version = meta_string(obj, "resourceVersion");

	*ret_err = -EINVAL;
	if (name == NULL || name[0] == '\0')
		return NULL;
	size_t space_len = namespace != NULL ? strlen(namespace) : 0, name_len = strlen(name);
	struct kube_known_item *item = calloc(1, sizeof(*item) + space_len + 1 + name_len + 1);
	*ret_err = -ENOMEM;
	if (item == NULL)
		return NULL;
	if (space_len > 0)
		memcpy(item->key, namespace, space_len);
	item->key[space_len] = '/';
	memcpy(item->key + space_len + 1, name, name_len);
	item->version = hash(version != NULL ? version : "");
	*ret_err = 0;
	return item;
}

void kube_known_begin(struct kube_known *k)
{
	k->round++;
}

int kube_known_put(struct kube_known *k, const cJSON *obj, bool *ret_news)
{
	struct kube_known_item *old, *item;
	int err;

	item = item_new(obj, &err);
	if (item == NULL)
		return err;
	item->round = k->round;
	HASH_FIND_STR(k->items, item->key, old);
	if (old == NULL) {
		HASH_ADD_STR(k->items, key, item);
		*ret_news = true;
		return 0;
	}
	*ret_news = old->version != item->version;
	old->version = item->version;
	old->round = item->round;
	free(item);
	return 0;
}

static void remove_item(struct kube_known *k, struct kube_known_item *item)
{
	HASH_DEL(k->items, item);
	free(item);
}

void kube_known_del(struct kube_known *k, const cJSON *obj)
{
	struct kube_known_item *old, *item;
	int err;

	item = item_new(obj, &err);
	if (item == NULL)
		return;
	HASH_FIND_STR(k->items, item->key, old);
	free(item);
	if (old != NULL)
		remove_item(k, old);
}

void kube_known_sweep(struct kube_known *k,
	bool (*f)(void *arg, const char *namespace, const char *name), void *arg)
{
	struct kube_known_item *item, *next;
	bool more = true;

	for (item = k->items; item != NULL && more; item = next) {
		next = item->hh.next;
		if (item->round == k->round)
			continue;
		char *slash = strchr(item->key, '/');
		HASH_DEL(k->items, item);
		*slash = '\0';
		more = f(arg, item->key, slash + 1);
		free(item);
	}
}

size_t kube_known_count(const struct kube_known *k)
{
	return HASH_COUNT(k->items);
}

void kube_known_clear(struct kube_known *k)
{
	struct kube_known_item *item, *next;

	HASH_ITER (hh, k->items, item, next)
		remove_item(k, item);
}
