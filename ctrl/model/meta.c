// The metadata of an object.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/model/decode.h"

#define DEFAULT_NAMESPACE "default"

const char *key_values_get(const struct key_values *kvs, const char *key)
{
	for (size_t i = 0; i < kvs->n; i++) {
		if (strcmp(kvs->kv[i].key, key) == 0)
			return kvs->kv[i].value;
	}
	return NULL;
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

// A DNS subdomain (RFC 1123): lower-case letters, digits, '-' and '.', with a letter or digit at both ends.
static bool name_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || !isalnum((unsigned char)name[0]) || !isalnum((unsigned char)name[len - 1]))
		return false;
	for (const char *c = name; *c != '\0'; c++) {
		if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '-' &&
			*c != '.')
			return false;
	}
	return true;
}

static char *owned_text(struct reader *r, const cJSON *obj, const char *path)
{
	char buf[NAME_MAX_LEN] = "";

	field_text(r, obj, path, buf, sizeof(buf));
	return strdup(buf);
}

static void owners_decode(struct reader *r, const cJSON *meta_json, struct meta *meta)
{
	const cJSON *list = field_list(r, meta_json, "metadata.ownerReferences");
	const cJSON *ref;
	int n = cJSON_GetArraySize(list);

	if (n == 0)
		return;
	meta->owners = calloc((size_t)n, sizeof(*meta->owners));
	cJSON_ArrayForEach (ref, list) {
		if (meta->owners == NULL)
			return;
		struct owner_ref *owner = &meta->owners[meta->n_owners++];
		bool has;

		owner->api_version = owned_text(r, ref, "metadata.ownerReferences.apiVersion");
		owner->kind = owned_text(r, ref, "metadata.ownerReferences.kind");
		owner->name = owned_text(r, ref, "metadata.ownerReferences.name");
		owner->uid = owned_text(r, ref, "metadata.ownerReferences.uid");
		field_bool(r, ref, "metadata.ownerReferences.controller", &has, &owner->controller);
	}
}

void meta_decode(struct reader *r, const cJSON *json, bool namespaced, struct meta *meta)
{
	const cJSON *obj = field_object(r, json, "metadata");

	field_text(r, obj, "metadata.name", meta->name, sizeof(meta->name));
	if (!r->failed && !name_valid(meta->name))
		reader_fail(r, "metadata.name", "a DNS subdomain", field_get(obj, "name"));
	if (namespaced) {
		strcpy(meta->namespace, DEFAULT_NAMESPACE);
		field_text(r, obj, "metadata.namespace", meta->namespace, sizeof(meta->namespace));
		if (!r->failed && !name_valid(meta->namespace))
			reader_fail(r, "metadata.namespace", "a DNS label",
				field_get(obj, "namespace"));
	}
	field_text(r, obj, "metadata.uid", meta->uid, sizeof(meta->uid));
	field_text(r, obj, "metadata.resourceVersion", meta->resource_version,
		sizeof(meta->resource_version));
	field_key_values(r, obj, "metadata.labels", &meta->labels);
	field_key_values(r, obj, "metadata.annotations", &meta->annotations);
	owners_decode(r, obj, meta);
	field_texts(r, obj, "metadata.finalizers", &meta->finalizers, &meta->n_finalizers);
	field_int(r, obj, "metadata.generation", &meta->has_generation, &meta->generation);
	meta->deleting = field_get(obj, "deletionTimestamp") != NULL;
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
