// IPInstance objects as hybridnet's manager writes them.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctrl/manager/pools.h"
#include "ctrl/manager/state.h"

#define IPINSTANCE_VERSION "v1.2" // of the model, for its label

static cJSON *meta_of(const cJSON *obj)
{
	return cJSON_GetObjectItemCaseSensitive(obj, "metadata");
}

cJSON *object_copy(const struct manager *m, enum kind kind, const char *namespace, const char *name)
{
	const cJSON *json = cache_get_json(m->cache, kind, namespace, name);
	return json != NULL ? cJSON_Duplicate(json, true) : NULL;
}

bool object_has_finalizer(const struct object *obj, const char *finalizer)
{
	for (size_t i = 0; i < obj->meta.n_finalizers; i++) {
		if (strcmp(obj->meta.finalizers[i], finalizer) == 0)
			return true;
	}
	return false;
}

// Only ours: those of others are theirs to take away.
void object_set_finalizer(cJSON *obj, const char *finalizer, bool present)
{
	cJSON *meta = meta_of(obj), *list = cJSON_GetObjectItemCaseSensitive(meta, "finalizers");

	for (int i = cJSON_GetArraySize(list) - 1; i >= 0; i--) {
		const char *f = cJSON_GetStringValue(cJSON_GetArrayItem(list, i));
		if (f != NULL && strcmp(f, finalizer) == 0)
			cJSON_DeleteItemFromArray(list, i);
	}
	if (present) {
		if (list == NULL)
			list = cJSON_AddArrayToObject(meta, "finalizers");
		(void)cJSON_AddItemToArray(list, cJSON_CreateString(finalizer));
	} else if (cJSON_GetArraySize(list) == 0) {
		cJSON_DeleteItemFromObjectCaseSensitive(meta, "finalizers");
	}
}

struct pod_owner pod_owner_of(const struct manager *m, const struct pod *pod)
{
	const struct owner_ref *o = pod_controller(pod);

	if (selection_is_stateful(&m->selection, pod))
		return (struct pod_owner){.api_version = o->api_version,
			.kind = o->kind,
			.name = o->name,
			.uid = o->uid,
			.stateful = true};
	return (struct pod_owner){.api_version = "v1",
		.kind = "Pod",
		.name = pod->obj.meta.name,
		.uid = pod->obj.meta.uid};
}

static void set_text(cJSON *obj, const char *name, const char *value)
{
	cJSON_DeleteItemFromObjectCaseSensitive(obj, name);
	if (value != NULL)
		(void)cJSON_AddStringToObject(obj, name, value);
}

// A label's value has 63 characters at most: a longer name goes without.
static void set_label(cJSON *labels, const char *name, const char *value)
{
	char key[64];

	(void)snprintf(key, sizeof(key), ANNOTATION_PREFIX "%s", name);
	set_text(labels, key, value != NULL && strlen(value) <= 63 ? value : NULL);
}

static cJSON *get_object(cJSON *parent, const char *name)
{
	cJSON *obj = cJSON_GetObjectItemCaseSensitive(parent, name);
	return obj != NULL ? obj : cJSON_AddObjectToObject(parent, name);
}

static bool is_owner_ref(const cJSON *ref, const struct pod_owner *o)
{
	const char *kind = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(ref, "kind"));
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(ref, "name"));

	return kind != NULL && strcmp(kind, o->kind) == 0 && name != NULL && o->name != NULL &&
	       strcmp(name, o->name) == 0;
}

// Its owner in the place of one of that kind and name, from another life; those of others stay.
static void set_owner(cJSON *meta, const struct pod_owner *o)
{
	cJSON *list = cJSON_GetObjectItemCaseSensitive(meta, "ownerReferences");
	cJSON *ref = cJSON_CreateObject();

	for (int i = cJSON_GetArraySize(list) - 1; i >= 0; i--) {
		if (is_owner_ref(cJSON_GetArrayItem(list, i), o))
			cJSON_DeleteItemFromArray(list, i);
	}
	if (list == NULL)
		list = cJSON_AddArrayToObject(meta, "ownerReferences");
	(void)cJSON_AddItemToArray(list, ref);
	(void)cJSON_AddStringToObject(
		ref, "apiVersion", o->api_version != NULL ? o->api_version : "");
	(void)cJSON_AddStringToObject(ref, "kind", o->kind);
	(void)cJSON_AddStringToObject(ref, "name", o->name != NULL ? o->name : "");
	(void)cJSON_AddStringToObject(ref, "uid", o->uid != NULL ? o->uid : "");
	(void)cJSON_AddBoolToObject(ref, "controller", true);
	(void)cJSON_AddBoolToObject(ref, "blockOwnerDeletion", false);
}

static void set_referred(cJSON *binding, const struct pod_owner *o)
{
	cJSON *ref = get_object(binding, "referredObject");

	set_text(ref, "kind", o->kind);
	set_text(ref, "name", o->name != NULL ? o->name : "");
	set_text(ref, "uid", o->uid != NULL ? o->uid : "");
}

void ipinstance_bind(cJSON *obj, const struct pod *pod, const struct pod_owner *owner)
{
	cJSON *binding = get_object(cJSON_GetObjectItemCaseSensitive(obj, "spec"), "binding");
	cJSON *labels = get_object(meta_of(obj), "labels");
	char label[64];

	set_text(binding, "nodeName", pod->node_name);
	set_text(binding, "podUID", pod->obj.meta.uid);
	set_text(binding, "podName", pod->obj.meta.name);
	set_referred(binding, owner);
	set_owner(meta_of(obj), owner);
	ipinstance_pod_label(pod->obj.meta.name, label);
	set_label(labels, "pod", label);
	set_label(labels, "node", pod->node_name);
	set_label(labels, "pod-uid", pod->obj.meta.uid);
	set_label(labels, "vm", owner->vm ? owner->name : NULL);
}

void ipinstance_reserve(cJSON *obj, bool keep_pod)
{
	cJSON *binding = get_object(cJSON_GetObjectItemCaseSensitive(obj, "spec"), "binding");
	cJSON *labels = get_object(meta_of(obj), "labels");

	set_text(binding, "nodeName", NULL);
	set_text(binding, "podUID", NULL);
	set_label(labels, "node", NULL);
	set_label(labels, "pod-uid", NULL);
	if (keep_pod)
		return;
	set_text(binding, "podName", NULL);
	set_label(labels, "pod", NULL);
}

static void add_address(cJSON *spec, const struct ipam_address *a, const uint8_t mac[6])
{
	cJSON *address = cJSON_AddObjectToObject(spec, "address");
	char text[CIDR_TEXT_MAX];

	(void)cJSON_AddStringToObject(address, "version", ip_is_v4(&a->ip.ip) ? "4" : "6");
	(void)cJSON_AddStringToObject(address, "ip", cidr_text(&a->ip, text));
	if (a->has_gateway)
		(void)cJSON_AddStringToObject(address, "gateway", ip_text(&a->gateway, text));
	if (a->has_net_id)
		(void)cJSON_AddNumberToObject(address, "netID", (double)a->net_id);
	(void)cJSON_AddStringToObject(address, "mac", mac_text(mac, text));
}

cJSON *ipinstance_make(const struct pod *pod, const struct pod_owner *owner, const char *network,
	const struct ipam_address *a, const uint8_t mac[6], bool both)
{
	cJSON *obj = cJSON_CreateObject();
	char name[64];

	ipinstance_name(&a->ip.ip, name);
	(void)cJSON_AddStringToObject(obj, "apiVersion", kind_api_version(KIND_IPINSTANCE));
	(void)cJSON_AddStringToObject(obj, "kind", kind_name(KIND_IPINSTANCE));
	cJSON *meta = cJSON_AddObjectToObject(obj, "metadata");
	(void)cJSON_AddStringToObject(meta, "name", name);
	(void)cJSON_AddStringToObject(meta, "namespace", pod->obj.meta.namespace);
	cJSON *labels = cJSON_AddObjectToObject(meta, "labels");
	set_label(labels, "version", IPINSTANCE_VERSION);
	set_label(labels, "subnet", a->subnet);
	set_label(labels, "network", network);
	if (both)
		(void)cJSON_AddStringToObject(cJSON_AddObjectToObject(meta, "annotations"),
			ANNOTATION_FAMILY, selection_family_text(IP_FAMILY_DUAL_STACK));
	cJSON *spec = cJSON_AddObjectToObject(obj, "spec");
	(void)cJSON_AddStringToObject(spec, "network", network);
	(void)cJSON_AddStringToObject(spec, "subnet", a->subnet);
	add_address(spec, a, mac);
	cJSON *binding = cJSON_AddObjectToObject(spec, "binding");
	set_referred(binding, owner);
	if (owner->stateful && !owner->vm) {
		cJSON *stateful = cJSON_AddObjectToObject(binding, "stateful");
		(void)cJSON_AddNumberToObject(stateful, "index", pool_ordinal(pod->obj.meta.name));
	}
	ipinstance_bind(obj, pod, owner);
	object_set_finalizer(obj, FINALIZER_IP_ALLOCATED, true);
	return obj;
}

bool ipinstance_pod_key(const struct ipinstance *i, char key[POD_KEY_MAX])
{
	if (i->binding.pod_name[0] == '\0')
		return false;
	(void)snprintf(key, POD_KEY_MAX, "%s/%s", i->obj.meta.namespace, i->binding.pod_name);
	return true;
}

bool ipinstance_is_ours(const struct ipinstance *i)
{
	return object_has_finalizer(&i->obj, FINALIZER_IP_ALLOCATED);
}
