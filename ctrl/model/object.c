// Decoding an object of any kind.
#include "ctrl/model/object.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/model/decode.h"

static const size_t sizes[KIND_COUNT] = {
	[KIND_NETWORK] = sizeof(struct network),
	[KIND_SUBNET] = sizeof(struct subnet_obj),
	[KIND_IPINSTANCE] = sizeof(struct ipinstance),
	[KIND_NODEINFO] = sizeof(struct nodeinfo),
	[KIND_POD] = sizeof(struct pod),
	[KIND_NODE] = sizeof(struct object),
	[KIND_NAMESPACE] = sizeof(struct object),
};

static void body_decode(struct reader *r, const cJSON *json, struct object *obj)
{
	switch (obj->kind) {
	case KIND_NETWORK:
		network_decode(r, json, OBJECT_AS(network, obj));
		break;
	case KIND_SUBNET:
		subnet_decode(r, json, OBJECT_AS(subnet_obj, obj));
		break;
	case KIND_IPINSTANCE:
		ipinstance_decode(r, json, OBJECT_AS(ipinstance, obj));
		break;
	case KIND_NODEINFO:
		nodeinfo_decode(r, json, OBJECT_AS(nodeinfo, obj));
		break;
	case KIND_POD:
		pod_decode(r, json, OBJECT_AS(pod, obj));
		break;
	case KIND_NODE:
	case KIND_NAMESPACE:
	case KIND_COUNT:
		break;
	}
}

// ── Texts ──────────────────────────────────────────────────────────────────────────────────────

static const size_t object_texts[] = {
	offsetof(struct object, meta.name),
	offsetof(struct object, meta.namespace),
	offsetof(struct object, meta.uid),
	offsetof(struct object, meta.resource_version),
	offsetof(struct object, meta.creation_time),
	// The rest: an IPInstance's.
	offsetof(struct ipinstance, network),
	offsetof(struct ipinstance, subnet),
	offsetof(struct ipinstance, binding.referred_kind),
	offsetof(struct ipinstance, binding.referred_name),
	offsetof(struct ipinstance, binding.referred_uid),
	offsetof(struct ipinstance, binding.node_name),
	offsetof(struct ipinstance, binding.pod_name),
	offsetof(struct ipinstance, binding.pod_uid),
	offsetof(struct ipinstance, status.node_name),
	offsetof(struct ipinstance, status.pod_name),
	offsetof(struct ipinstance, status.pod_namespace),
	offsetof(struct ipinstance, status.sandbox_id),
	offsetof(struct ipinstance, status.update_timestamp),
};
#define N_TEXTS (sizeof(object_texts) / sizeof(object_texts[0]))
#define N_META_TEXTS 5

static size_t n_texts(enum kind kind)
{
	return kind == KIND_IPINSTANCE ? N_TEXTS : N_META_TEXTS;
}

static const char **text_at(struct object *obj, size_t i)
{
	return (const char **)(void *)((char *)obj + object_texts[i]);
}

// An object with no field set; NULL without memory.
static struct object *object_new(enum kind kind)
{
	struct object *obj = calloc(1, sizes[kind]);

	if (obj == NULL)
		return NULL;
	obj->kind = kind;
	for (size_t i = 0; i < n_texts(kind); i++)
		*text_at(obj, i) = "";
	return obj;
}

// The earliest field that has the same text as field i: of an IPInstance many have, and it is kept once.
static size_t first_with(struct object *obj, const size_t *len, size_t i)
{
	size_t j = 0;

	while (len[j] != len[i] || memcmp(*text_at(obj, j), *text_at(obj, i), len[i]) != 0)
		j++;
	return j;
}

// A copy in a block with its texts, which may be others' in obj; what obj owns is the copy's then.
// NULL without memory.
static struct object *object_with_texts(struct object *obj)
{
	size_t n = n_texts(obj->kind), size = sizes[obj->kind];
	size_t len[N_TEXTS], first[N_TEXTS];

	for (size_t i = 0; i < n; i++) {
		len[i] = strlen(*text_at(obj, i));
		first[i] = first_with(obj, len, i);
		size += len[i] > 0 && first[i] == i ? len[i] + 1 : 0;
	}
	struct object *own = malloc(size);
	if (own == NULL)
		return NULL;
	memcpy(own, obj, sizes[obj->kind]);
	char *to = (char *)own + sizes[own->kind];
	for (size_t i = 0; i < n; i++) {
		if (len[i] == 0) {
			*text_at(own, i) = "";
		} else if (first[i] < i) {
			*text_at(own, i) = *text_at(own, first[i]);
		} else {
			memcpy(to, *text_at(obj, i), len[i] + 1);
			*text_at(own, i) = to;
			to += len[i] + 1;
		}
	}
	return own;
}

// ── Decoding ───────────────────────────────────────────────────────────────────────────────────

int object_decode(const cJSON *json, struct object **ret_obj, char error[MODEL_ERROR_MAX])
{
	struct reader r = {.error = error};
	enum kind kind;

	if (kind_of_object(json, &kind) < 0) {
		(void)snprintf(error, MODEL_ERROR_MAX,
			"apiVersion and kind name no object of Strata (such as %s, Network)",
			API_VERSION);
		return -EINVAL;
	}
	struct object *obj = object_new(kind);
	if (obj == NULL) {
		(void)snprintf(error, MODEL_ERROR_MAX, "out of memory");
		return -ENOMEM;
	}
	meta_decode(&r, json, kind_namespaced(kind), &obj->meta);
	body_decode(&r, json, obj);
	struct object *own = r.failed ? NULL : object_with_texts(obj);
	if (own == NULL) {
		reader_fail_memory(&r);
		object_free(obj);
		return r.no_memory ? -ENOMEM : -EINVAL;
	}
	free(obj);
	*ret_obj = own;
	return 0;
}

struct object *object_named(enum kind kind, const char *name)
{
	struct object *obj = object_new(kind);

	if (obj == NULL)
		return NULL;
	obj->meta.name = name;
	struct object *own = object_with_texts(obj);
	free(obj);
	return own;
}

struct object *object_shed(struct object *obj)
{
	meta_fini(&obj->meta);
	obj->meta.labels = obj->meta.annotations = (struct key_values){0};
	obj->meta.owners = NULL;
	obj->meta.finalizers = NULL;
	obj->meta.n_owners = obj->meta.n_finalizers = 0;
	obj->meta.uid = "";
	if (obj->kind == KIND_IPINSTANCE)
		ipinstance_shed(OBJECT_AS(ipinstance, obj));
	struct object *own = object_with_texts(obj);
	if (own == NULL)
		return obj; // as large as before
	free(obj);
	return own;
}

void object_free(struct object *obj)
{
	if (obj == NULL)
		return;
	meta_fini(&obj->meta);
	if (obj->kind == KIND_NETWORK)
		network_fini(OBJECT_AS(network, obj));
	else if (obj->kind == KIND_SUBNET)
		subnet_fini(OBJECT_AS(subnet_obj, obj));
	else if (obj->kind == KIND_NODEINFO)
		nodeinfo_fini(OBJECT_AS(nodeinfo, obj));
	free(obj);
}
