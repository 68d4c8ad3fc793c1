#include "ctrl/store/kube_known.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Small: there are as many as the cluster has objects.
struct kube_known_item {
	uint64_t version; // a hash of its resourceVersion
	uint32_t round; // the last list that had it
	char key[]; // "namespace/name"
};

static const char *meta_string(const cJSON *obj, const char *name)
{
	const cJSON *meta = cJSON_GetObjectItemCaseSensitive(obj, "metadata");

	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, name));
}

static const void *key_of(const void *item)
{
	return ((const struct kube_known_item *)item)->key;
}

static const struct table_type by_key = {
	.key = key_of, .hash = table_hash_text, .equal = table_equal_text};

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
	item->version = table_hash_text(version != NULL ? version : "");
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
	old = table_find(&k->items, &by_key, item->key);
	if (old == NULL) {
		err = table_add(&k->items, &by_key, item);
		if (err < 0)
			free(item);
		*ret_news = true;
		return err;
	}
	*ret_news = old->version != item->version;
	old->version = item->version;
	old->round = item->round;
	free(item);
	return 0;
}

void kube_known_del(struct kube_known *k, const cJSON *obj)
{
	struct kube_known_item *old, *item;
	int err;

	item = item_new(obj, &err);
	if (item == NULL)
		return;
	old = table_find(&k->items, &by_key, item->key);
	free(item);
	if (old == NULL)
		return;
	table_del(&k->items, &by_key, old);
	free(old);
}

// All that the last list did not have, taken out of the table; NULL without memory or if there is none.
static struct kube_known_item **take_gone(struct kube_known *k, size_t *ret_n)
{
	struct kube_known_item **gone, *item;
	size_t n = 0;

	TABLE_FOREACH(&k->items, i, item)
	n += item->round != k->round;
	gone = n > 0 ? calloc(n, sizeof(struct kube_known_item *)) : NULL;
	*ret_n = 0;
	if (gone == NULL)
		return NULL;
	TABLE_FOREACH(&k->items, i, item)
	{
		if (item->round != k->round)
			gone[(*ret_n)++] = item;
	}
	for (size_t i = 0; i < n; i++)
		table_del(&k->items, &by_key, gone[i]);
	return gone;
}

void kube_known_sweep(struct kube_known *k,
	bool (*f)(void *arg, const char *namespace, const char *name), void *arg)
{
	size_t n;
	struct kube_known_item **gone = take_gone(k, &n);
	bool more = true;

	for (size_t i = 0; i < n; i++) {
		char *slash = strchr(gone[i]->key, '/');

		*slash = '\0';
		if (more)
			more = f(arg, gone[i]->key, slash + 1);
		free(gone[i]);
	}
	free(gone);
}

void kube_known_each(const struct kube_known *k, void (*f)(void *arg, const char *name), void *arg)
{
	const struct kube_known_item *item;

	TABLE_FOREACH(&k->items, i, item)
	f(arg, strchr(item->key, '/') + 1);
}

size_t kube_known_count(const struct kube_known *k)
{
	return k->items.n;
}

void kube_known_clear(struct kube_known *k)
{
	struct kube_known_item *item;

	TABLE_FOREACH(&k->items, i, item)
	free(item);
	table_fini(&k->items);
}
