// The metadata of an object.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/model/decode.h"

#define DEFAULT_NAMESPACE "default"
#define TEXT_MAX 64 // of what only the store reads
#define TIME_TEXT_MAX 40

const char *key_values_get(const struct key_values *kvs, const char *key)
{
	for (size_t i = 0; i < kvs->n; i++) {
		if (strcmp(kvs->kv[i].key, key) == 0)
			return kvs->kv[i].value;
	}
	return NULL;
}

int key_values_set(struct key_values *kvs, const char *key, const char *value)
{
	char *copy = strdup(value);

	if (copy == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < kvs->n; i++) {
		if (strcmp(kvs->kv[i].key, key) == 0) {
			free(kvs->kv[i].value);
			kvs->kv[i].value = copy;
			return 0;
		}
	}
	struct key_value *kv = reallocarray(kvs->kv, kvs->n + 1, sizeof(*kv));
	if (kv == NULL)
		goto free_copy;
	kvs->kv = kv;
	kv[kvs->n].key = strdup(key);
	if (kv[kvs->n].key == NULL)
		goto free_copy;
	kv[kvs->n++].value = copy;
	return 0;
free_copy:
	free(copy);
	return -ENOMEM;
}

void key_values_del(struct key_values *kvs, const char *key)
{
	for (size_t i = 0; i < kvs->n; i++) {
		if (strcmp(kvs->kv[i].key, key) != 0)
			continue;
		free(kvs->kv[i].key);
		free(kvs->kv[i].value);
		kvs->n--;
		memmove(&kvs->kv[i], &kvs->kv[i + 1], (kvs->n - i) * sizeof(*kvs->kv));
		return;
	}
}

bool key_values_select(const struct key_values *selector, const struct key_values *labels)
{
	for (size_t i = 0; i < selector->n; i++) {
		const char *value = key_values_get(labels, selector->kv[i].key);

		if (value == NULL || strcmp(value, selector->kv[i].value) != 0)
			return false;
	}
	return true;
}

void key_values_fini(struct key_values *kvs)
{
	for (size_t i = 0; i < kvs->n; i++) {
		free(kvs->kv[i].key);
		free(kvs->kv[i].value);
	}
	free(kvs->kv);
}

void texts_fini(char **texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(texts[i]);
	free(texts);
}

void meta_key(const struct meta *meta, char *buf, size_t len)
{
	(void)snprintf(buf, len, "%s%s%s", meta->namespace, meta->namespace[0] != '\0' ? "/" : "",
		meta->name);
}

static char *owned_text(struct reader *r, const cJSON *obj, const char *path)
{
	char buf[NAME_MAX_LEN] = "";

	field_text(r, obj, path, buf, sizeof(buf));
	char *text = strdup(buf);
	if (text == NULL)
		reader_fail_memory(r);
	return text;
}

static void owners_decode(struct reader *r, const cJSON *meta_json, struct meta *meta)
{
	const cJSON *list = field_list(r, meta_json, "metadata.ownerReferences");
	const cJSON *ref;
	int n = cJSON_GetArraySize(list);

	if (n == 0)
		return;
	meta->owners = calloc((size_t)n, sizeof(*meta->owners));
	if (meta->owners == NULL) {
		reader_fail_memory(r);
		return;
	}
	cJSON_ArrayForEach (ref, list) {
		if (r->failed)
			return;
		if (!cJSON_IsObject(ref)) {
			reader_fail(r, "metadata.ownerReferences", "a list of mappings", ref);
			return;
		}
		struct owner_ref *owner = &meta->owners[meta->n_owners++];
		bool has;

		owner->api_version = owned_text(r, ref, "metadata.ownerReferences.apiVersion");
		owner->kind = owned_text(r, ref, "metadata.ownerReferences.kind");
		owner->name = owned_text(r, ref, "metadata.ownerReferences.name");
		owner->uid = owned_text(r, ref, "metadata.ownerReferences.uid");
		field_bool(r, ref, "metadata.ownerReferences.controller", &has, &owner->controller);
		field_bool(r, ref, "metadata.ownerReferences.blockOwnerDeletion", &has,
			&owner->block_owner_deletion);
	}
}

// Labels are copied into labels of other objects and compared with selectors: they obey the
// rules of Kubernetes. Annotations may be as long as the store takes them.
static void labels_decode(struct reader *r, const cJSON *meta_json, struct meta *meta)
{
	field_key_values(r, meta_json, "metadata.labels", &meta->labels);
	for (size_t i = 0; !r->failed && i < meta->labels.n; i++) {
		const struct key_value *kv = &meta->labels.kv[i];

		if (kv->key[0] == '\0')
			reader_fail(r, "metadata.labels", "a mapping with keys", NULL);
		else if (strlen(kv->value) >= LABEL_MAX_LEN)
			reader_fail(r, "metadata.labels",
				"a mapping of strings of at most 63 characters",
				field_get(field_get(meta_json, "labels"), kv->key));
	}
}

void meta_decode(struct reader *r, const cJSON *json, bool namespaced, struct meta *meta)
{
	const cJSON *obj = field_object(r, json, "metadata");

	field_name(r, obj, "metadata.name", NAME_MAX_LEN, &meta->name);
	if (namespaced) {
		meta->namespace = DEFAULT_NAMESPACE;
		field_name(r, obj, "metadata.namespace", LABEL_MAX_LEN, &meta->namespace);
		if (strchr(meta->namespace, '.') != NULL)
			reader_fail(r, "metadata.namespace", "a DNS label",
				field_get(obj, "namespace"));
	}
	meta->deleting = field_get(obj, "deletionTimestamp") != NULL;
	field_borrow(r, obj, "metadata.uid", TEXT_MAX, &meta->uid);
	field_borrow(r, obj, "metadata.resourceVersion", TEXT_MAX, &meta->resource_version);
	labels_decode(r, obj, meta);
	field_key_values(r, obj, "metadata.annotations", &meta->annotations);
	owners_decode(r, obj, meta);
	field_texts(r, obj, "metadata.finalizers", &meta->finalizers, &meta->n_finalizers);
	field_int(r, obj, "metadata.generation", &meta->has_generation, &meta->generation);
	field_borrow(r, obj, "metadata.creationTimestamp", TIME_TEXT_MAX, &meta->creation_time);
}

void meta_fini(struct meta *meta)
{
	key_values_fini(&meta->labels);
	key_values_fini(&meta->annotations);
	for (size_t i = 0; i < meta->n_owners; i++) {
		free(meta->owners[i].api_version);
		free(meta->owners[i].kind);
		free(meta->owners[i].name);
		free(meta->owners[i].uid);
	}
	free(meta->owners);
	texts_fini(meta->finalizers, meta->n_finalizers);
}
