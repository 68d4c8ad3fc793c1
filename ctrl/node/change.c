// apply and delete (dir store): through admission, then to the store. What is already in the
// cache judges what is new, as a webhook would.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/node/daemon.h"

struct change {
	struct conn *conn;
	const char *action; // what an apply did; NULL: a delete
};

static void on_changed(void *arg, int err, const cJSON *obj, const char *message)
{
	struct change c = *(struct change *)arg;

	free(arg);
	if (err < 0) {
		conn_fail(c.conn, -err, message != NULL ? message : strerror(-err), NULL);
		return;
	}
	cJSON *answer = cJSON_CreateObject();
	if (c.action != NULL) {
		cJSON_AddItemToObject(answer, "object", cJSON_Duplicate(obj, true));
		cJSON_AddStringToObject(answer, "action", c.action);
	}
	conn_reply(c.conn, answer);
}

static struct change *change_new(struct conn *conn, const char *action)
{
	struct change *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		conn_fail(conn, ENOMEM, "out of memory", NULL);
		return NULL;
	}
	c->conn = conn;
	c->action = action;
	return c;
}

// ── Admission ──────────────────────────────────────────────────────────────────────────────────

// old is NULL for a new object.
static bool admit_put(const struct admission_view *view, const struct object *old,
	const struct object *obj, char message[ADMISSION_MESSAGE_MAX])
{
	const struct network *n = (const void *)obj, *old_n = (const void *)old;
	const struct subnet_obj *s = (const void *)obj, *old_s = (const void *)old;

	switch (obj->kind) {
	case KIND_NETWORK:
		return old == NULL ? admit_network_create(view, n, message)
				   : admit_network_update(view, old_n, n, message);
	case KIND_SUBNET:
		return old == NULL ? admit_subnet_create(view, s, message)
				   : admit_subnet_update(view, old_s, s, message);
	case KIND_IPINSTANCE:
		return admit_ipinstance(view, (const void *)obj, message);
	case KIND_NODEINFO:
	case KIND_POD:
	case KIND_NODE:
	case KIND_NAMESPACE:
	case KIND_COUNT:
		break;
	}
	return true;
}

static bool admit_delete(const struct admission_view *view, const struct object *obj,
	char message[ADMISSION_MESSAGE_MAX])
{
	if (obj->kind == KIND_NETWORK)
		return admit_network_delete(view, (const void *)obj, message);
	if (obj->kind == KIND_SUBNET)
		return admit_subnet_delete(view, (const void *)obj, message);
	return true;
}

// ── apply ──────────────────────────────────────────────────────────────────────────────────────

static const cJSON *get(const cJSON *json, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(json, key);
}

static void replace(cJSON *json, const char *key, const cJSON *value)
{
	cJSON_DeleteItemFromObjectCaseSensitive(json, key);
	if (value != NULL && !cJSON_IsNull(value))
		cJSON_AddItemToObject(json, key, cJSON_Duplicate(value, true));
}

// Lays the pairs of from over those of to's key; null takes a pair away.
static void merge_texts(cJSON *to, const char *key, const cJSON *from)
{
	cJSON *map = cJSON_GetObjectItemCaseSensitive(to, key);
	const cJSON *item;

	if (!cJSON_IsObject(from))
		return;
	if (!cJSON_IsObject(map)) {
		cJSON_DeleteItemFromObjectCaseSensitive(to, key);
		map = cJSON_AddObjectToObject(to, key);
	}
	cJSON_ArrayForEach (item, from) {
		replace(map, item->string, item);
	}
}

// What the object is to be: the stored one with the given spec, labels and annotations. Status and
// what the store keeps about an object are not the client's.
static cJSON *merged(const cJSON *stored, const cJSON *given)
{
	cJSON *result = cJSON_Duplicate(stored != NULL ? stored : given, true);
	cJSON *meta = cJSON_GetObjectItemCaseSensitive(result, "metadata");
	const cJSON *given_meta = get(given, "metadata");

	if (stored == NULL) {
		cJSON_DeleteItemFromObjectCaseSensitive(result, "status");
		return result;
	}
	replace(result, "apiVersion", get(given, "apiVersion"));
	if (get(given, "spec") != NULL)
		replace(result, "spec", get(given, "spec"));
	merge_texts(meta, "labels", get(given_meta, "labels"));
	merge_texts(meta, "annotations", get(given_meta, "annotations"));
	if (get(given_meta, "resourceVersion") != NULL)
		replace(meta, "resourceVersion", get(given_meta, "resourceVersion"));
	return result;
}

static bool judge(const struct daemon *d, const struct object *old, const cJSON *json,
	char message[ADMISSION_MESSAGE_MAX])
{
	char error[MODEL_ERROR_MAX];
	struct admission_view view;
	struct object *obj;

	if (object_decode(json, &obj, error) < 0) {
		(void)snprintf(message, ADMISSION_MESSAGE_MAX, "%s", error);
		return false;
	}
	cache_view(d->cache, &view);
	bool good = admit_put(&view, old, obj, message);
	admission_view_free(&view);
	object_free(obj);
	return good;
}

// Takes json, which is well formed and has a name.
static void apply(struct daemon *d, struct conn *conn, enum kind kind, cJSON *given)
{
	const cJSON *meta = get(given, "metadata");
	const char *name = request_text(meta, "name"), *namespace = request_text(meta, "namespace");
	const struct object *old = cache_get(d->cache, kind, namespace, name);
	const cJSON *stored = cache_get_json(d->cache, kind, namespace, name);
	cJSON *json = merged(stored, given);
	char message[ADMISSION_MESSAGE_MAX] = "refused";
	bool same = stored != NULL && cJSON_Compare(stored, json, true);
	struct change *c = NULL;

	if (!judge(d, old, json, message))
		conn_fail(conn, EINVAL, message, NULL);
	else
		c = change_new(conn, old == NULL ? "created" : same ? "unchanged" : "configured");
	if (c != NULL && same)
		on_changed(c, 0, stored, NULL);
	else if (c != NULL && old == NULL)
		d->store->ops->create(d->store, json, on_changed, c);
	else if (c != NULL)
		d->store->ops->update(d->store, json, on_changed, c);
	cJSON_Delete(json);
	cJSON_Delete(given);
}

// The API server has admission of its own, and accounts for people.
static bool refused_in_kubernetes(const struct daemon *d, struct conn *conn)
{
	if (!d->config.store_kube)
		return false;
	conn_fail(conn, ENOTSUP, "the objects are the API server's", "use kubectl");
	return true;
}

void answer_apply(struct daemon *d, struct conn *conn, const cJSON *object)
{
	char field[MODEL_ERROR_MAX], message[MODEL_ERROR_MAX + 32];
	const cJSON *meta = get(object, "metadata");
	enum kind kind;

	if (refused_in_kubernetes(d, conn))
		return;
	if (!cJSON_IsObject(object) || kind_of_object(object, &kind) < 0 || !kind_in_dir(kind)) {
		conn_fail(conn, EINVAL, "unknown kind of object, or apiVersion",
			"known: Network, Subnet, IPInstance, NodeInfo of " API_VERSION
			"; Pod of v1");
		return;
	}
	if (object_unknown_field(object, true, field) != NULL) {
		(void)snprintf(message, sizeof(message), "unknown field '%s'", field);
		conn_fail(conn, EINVAL, message, NULL);
		return;
	}
	if (request_text(meta, "name") == NULL) {
		conn_fail(conn, EINVAL, "metadata.name is missing", NULL);
		return;
	}
	cJSON *given = cJSON_Duplicate(object, true);
	cJSON *given_meta = cJSON_GetObjectItemCaseSensitive(given, "metadata");
	if (kind_namespaced(kind) && request_text(meta, "namespace") == NULL)
		cJSON_AddStringToObject(given_meta, "namespace", "default");
	apply(d, conn, kind, given);
}

// ── delete ─────────────────────────────────────────────────────────────────────────────────────

void answer_delete(struct daemon *d, struct conn *conn, const cJSON *what)
{
	const char *name = request_text(what, "name"), *namespace = request_text(what, "namespace");
	const char *kind_text = request_text(what, "kind");
	char message[ADMISSION_MESSAGE_MAX] = "refused";
	struct admission_view view;
	enum kind kind;

	if (refused_in_kubernetes(d, conn))
		return;
	if (kind_text == NULL || kind_parse(kind_text, &kind) < 0 || name == NULL) {
		conn_fail(conn, EINVAL, "delete needs kind and name",
			"known kinds: network, subnet, ipinstance, nodeinfo, pod");
		return;
	}
	if (!kind_namespaced(kind))
	namespace = NULL;
	else if (namespace == NULL || namespace[0] == '\0') namespace = "default";
	const struct object *obj = cache_get(d->cache, kind, namespace, name);
	if (obj != NULL) {
		cache_view(d->cache, &view);
		bool good = admit_delete(&view, obj, message);
		admission_view_free(&view);
		if (!good) {
			conn_fail(conn, EINVAL, message, NULL);
			return;
		}
	}
	// What is not in the cache may still be a file: one that was never in force.
	struct change *c = change_new(conn, NULL);
	if (c != NULL)
		d->store->ops->delete (d->store, kind, namespace, name, on_changed, c);
}
