// Statuses of Networks and Subnets: who is in them, how much is used, and what is wrong with them.
// All are computed anew each time and written only if they differ.
#include <stdlib.h>
#include <string.h>

#include "ctrl/log.h"
#include "ctrl/manager/state.h"

static void set_item(cJSON *obj, const char *name, cJSON *item)
{
	cJSON_DeleteItemFromObjectCaseSensitive(obj, name);
	(void)cJSON_AddItemToObject(obj, name, item);
}

static void set_text(cJSON *obj, const char *name, const char *value)
{
	if (value[0] != '\0')
		set_item(obj, name, cJSON_CreateString(value));
	else
		cJSON_DeleteItemFromObjectCaseSensitive(obj, name);
}

// The counts of the CRDs are of format int32: an IPv6 /64 shows as "as many as can be said".
static cJSON *count_number(int64_t n)
{
	return cJSON_CreateNumber(n < INT32_MAX ? (double)n : (double)INT32_MAX);
}

static void set_count(cJSON *obj, const struct ip_count *count)
{
	set_item(obj, "total", count_number(count->total));
	set_item(obj, "used", count_number(count->used));
	set_item(obj, "available", count_number(count->available));
}

static cJSON *count_object(const struct ip_count *count)
{
	cJSON *obj = cJSON_CreateObject();

	set_count(obj, count);
	return obj;
}

// ── Conditions ─────────────────────────────────────────────────────────────────────────────────

static struct bad_object *bad_find(const struct manager *m, enum kind kind, const char *key)
{
	char k[POD_KEY_MAX + 2];
	struct bad_object *b;

	(void)snprintf(k, sizeof(k), "%u/%s", (unsigned int)kind, key);
	HASH_FIND_STR(m->bads, k, b);
	return b;
}

// What the cache said last of the object, in its status.
static void set_accepted(const struct manager *m, const struct object *obj, cJSON *status)
{
	struct bad_object *b = bad_find(m, obj->kind, obj->meta.name);

	if (object_is_kept(obj)) {
		(void)condition_set(status, CONDITION_ACCEPTED, false, "Removed",
			"its file was removed while it was in use: it goes with its last user");
	} else if (b != NULL) {
		(void)condition_set(status, CONDITION_ACCEPTED, false, "Refused", b->message);
		b->written = true;
	} else if (condition_get(status, CONDITION_ACCEPTED) == 0) {
		(void)condition_set(status, CONDITION_ACCEPTED, true, "Accepted", "");
	}
}

// Writes status (taken) as the object's if it is not already.
static void write_if_new(
	struct manager *m, const struct object *obj, const cJSON *json, cJSON *status)
{
	const cJSON *old = cJSON_GetObjectItemCaseSensitive(json, "status");
	// Until it is written again there is nothing to have a status.
	bool removed = cache_is_removed(m->cache, obj->kind, NULL, obj->meta.name);

	if (!removed && !cJSON_Compare(status, old, true) &&
		!(old == NULL && status->child == NULL))
		request_update_status(m, NULL,
			&(struct store_name){.kind = obj->kind, .name = obj->meta.name}, status);
	else
		cJSON_Delete(status);
}

cJSON *status_copy(const struct manager *m, const struct store_name *name)
{
	const cJSON *json = cache_get_json(m->cache, name->kind, name->namespace, name->name);
	const cJSON *old = cJSON_GetObjectItemCaseSensitive(json, "status");
	return cJSON_IsObject(old) ? cJSON_Duplicate(old, true) : cJSON_CreateObject();
}

// Objects that never were in force are not walked with the others.
static void write_bad(struct manager *m)
{
	struct bad_object *b, *next;
	char namespace[64], name[NAME_MAX_LEN];

	HASH_ITER (hh, m->bads, b, next) {
		const char *key = strchr(b->key, '/') + 1;
		if (b->written)
			continue;
		b->written = true;
		split_key(key, namespace, name);
		report_bad(m, b->kind, namespace, name, b->message);
		if (cache_get(m->cache, b->kind, namespace, name) != NULL &&
			b->kind != KIND_IPINSTANCE)
			continue; // with its other status
		const struct store_name bad = {
			.kind = b->kind, .namespace = namespace, .name = name};
		cJSON *status = status_copy(m, &bad);
		(void)condition_set(status, CONDITION_ACCEPTED, false, "Refused", b->message);
		request_update_status(m, NULL, &bad, status);
	}
}

// ── Networks and Subnets ───────────────────────────────────────────────────────────────────────

struct names { // of a Network's members
	const struct manager *m;
	const struct network *network;
	cJSON *list;
};

static bool add_subnet(const struct object *obj, void *arg)
{
	struct names *names = arg;
	const struct subnet_obj *s = (const void *)obj;

	if (strcmp(s->network, names->network->obj.meta.name) == 0 && !obj->meta.deleting)
		(void)cJSON_AddItemToArray(names->list, cJSON_CreateString(obj->meta.name));
	return true;
}

static bool add_node(const struct object *obj, void *arg)
{
	struct names *names = arg;

	if (network_has_node(names->m, names->network, obj) && !obj->meta.deleting)
		(void)cJSON_AddItemToArray(names->list, cJSON_CreateString(obj->meta.name));
	return true;
}

static bool write_network(const struct object *obj, void *arg)
{
	struct manager *m = arg;
	const cJSON *json = cache_get_json(m->cache, obj->kind, NULL, obj->meta.name);
	struct names names = {.m = m, .network = (const void *)obj};
	struct ip_count v4, v6, dual;
	char last4[NAME_MAX_LEN], last6[NAME_MAX_LEN];
	cJSON *status =
		status_copy(m, &(struct store_name){.kind = obj->kind, .name = obj->meta.name});

	if (ipam_network_usage(m->ipam, obj->meta.name, &v4, &v6, &dual, last4, last6) == 0) {
		set_text(status, "lastAllocatedSubnet", last4);
		set_text(status, "lastAllocatedIPv6Subnet", last6);
		set_item(status, "statistics", count_object(&v4));
		set_item(status, "ipv6Statistics", count_object(&v6));
		set_item(status, "dualStackStatistics", count_object(&dual));
	}
	names.list = cJSON_CreateArray();
	cache_each(m->cache, KIND_SUBNET, add_subnet, &names);
	set_item(status, "subnetList", names.list);
	names.list = cJSON_CreateArray();
	cache_each(m->cache, m->node_kind, add_node, &names);
	set_item(status, "nodeList", names.list);
	set_accepted(m, obj, status);
	write_if_new(m, obj, json, status);
	return true;
}

static bool write_subnet(const struct object *obj, void *arg)
{
	struct manager *m = arg;
	const cJSON *json = cache_get_json(m->cache, obj->kind, NULL, obj->meta.name);
	struct ipam_usage usage;
	cJSON *status =
		status_copy(m, &(struct store_name){.kind = obj->kind, .name = obj->meta.name});

	if (ipam_subnet_usage(m->ipam, obj->meta.name, &usage) == 0) {
		set_count(status, &usage.count);
		set_text(status, "lastAllocatedIP", usage.last_allocated);
	}
	set_accepted(m, obj, status);
	write_if_new(m, obj, json, status);
	return true;
}

void status_write_all(struct manager *m)
{
	write_bad(m);
	cache_each(m->cache, KIND_SUBNET, write_subnet, m);
	cache_each(m->cache, KIND_NETWORK, write_network, m);
}
