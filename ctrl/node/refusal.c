// IPInstances of this node that are not in force, because they came past a webhook that was down, or
// contradict others: an Event and a condition say so where people look. Those of Networks and Subnets
// are the manager's to write; a node may not.
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctrl/model/ipinstance.h"
#include "ctrl/node/daemon.h"

#define CONDITION_ACCEPTED "Accepted" // the manager's, too

struct bad_one {
	const struct daemon *d;
	const char *key, *message;
};

static const cJSON *get(const cJSON *json, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(json, name);
}

static const char *text(const cJSON *json, const char *name)
{
	const char *t = cJSON_GetStringValue(get(json, name));

	return t != NULL ? t : "";
}

// The conditions as they are, but for the one that is ours to set. message: NULL for a good object.
static cJSON *condition_patch(const cJSON *obj, const char *message)
{
	cJSON *patch = cJSON_CreateObject();
	cJSON *list =
		cJSON_AddArrayToObject(cJSON_AddObjectToObject(patch, "status"), "conditions");
	const cJSON *item;
	time_t now = time(NULL);
	struct tm tm;
	char stamp[32];

	cJSON_ArrayForEach (item, get(get(obj, "status"), "conditions")) {
		if (strcmp(text(item, "type"), CONDITION_ACCEPTED) != 0)
			cJSON_AddItemToArray(list, cJSON_Duplicate(item, true));
	}
	(void)gmtime_r(&now, &tm);
	(void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	cJSON *ours = cJSON_CreateObject();
	cJSON_AddStringToObject(ours, "type", CONDITION_ACCEPTED);
	cJSON_AddStringToObject(ours, "status", message != NULL ? "False" : "True");
	cJSON_AddStringToObject(ours, "reason", message != NULL ? "Refused" : "Accepted");
	cJSON_AddStringToObject(ours, "message", message != NULL ? message : "");
	cJSON_AddStringToObject(ours, "lastTransitionTime", stamp);
	cJSON_AddItemToArray(list, ours);
	return patch;
}

// The condition as it is; NULL if there is none.
static const cJSON *accepted(const cJSON *obj)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, get(get(obj, "status"), "conditions")) {
		if (strcmp(text(item, "type"), CONDITION_ACCEPTED) == 0)
			return item;
	}
	return NULL;
}

static bool is_refused(const cJSON *condition)
{
	return strcmp(text(condition, "status"), "False") == 0;
}

static void patch(const struct daemon *d, const cJSON *obj, const char *message)
{
	const cJSON *meta = get(obj, "metadata");
	const struct store_name name = {.kind = KIND_IPINSTANCE,
		.namespace = text(meta, "namespace"),
		.name = text(meta, "name")};
	cJSON *conditions = condition_patch(obj, message);

	d->store->ops->patch(d->store, &name, conditions, true, NULL, NULL);
	cJSON_Delete(conditions);
}

static void tell(const struct daemon *d, const cJSON *obj, const char *message)
{
	const cJSON *meta = get(obj, "metadata");
	const struct store_name name = {.kind = KIND_IPINSTANCE,
		.namespace = text(meta, "namespace"),
		.name = text(meta, "name")};

	d->store->ops->event(d->store, &(struct store_event_record){.about = name,
					       .uid = text(meta, "uid"),
					       .warning = true,
					       .reason = "Refused",
					       .message = message});
	// Otherwise our own write came back.
	if (!is_refused(accepted(obj)) || strcmp(text(accepted(obj), "message"), message) != 0)
		patch(d, obj, message);
}

static bool tell_if_it(const cJSON *obj, const char *, void *arg)
{
	const struct bad_one *r = arg;
	const cJSON *meta = get(obj, "metadata");
	char key[NAME_MAX_LEN + 64 + 1];

	(void)snprintf(key, sizeof(key), "%s/%s", text(meta, "namespace"), text(meta, "name"));
	if (strcmp(key, r->key) != 0)
		return true;
	const char *node = text(get(get(obj, "spec"), "binding"), "nodeName");
	if (strcmp(node, r->d->config.node_name) == 0)
		tell(r->d, obj, r->message);
	return false;
}

void tell_refusal(struct daemon *d, const char *key, const char *message)
{
	struct bad_one r = {.d = d, .key = key, .message = message};

	// With the directory store the manager does it, in this very process or another.
	if (d->config.store_kube)
		cache_each_refused(d->cache, KIND_IPINSTANCE, tell_if_it, &r);
}

void tell_acceptance(struct daemon *d, const struct object *obj)
{
	const struct ipinstance *i = (const void *)obj;

	if (!d->config.store_kube || strcmp(i->binding.node_name, d->config.node_name) != 0)
		return;
	const cJSON *json =
		cache_get_json(d->cache, KIND_IPINSTANCE, obj->meta.namespace, obj->meta.name);
	if (is_refused(accepted(json)))
		patch(d, json, NULL);
}
