// IPInstances of this node that are not in force, because they came past a webhook that was down, or
// contradict others: an Event and a condition say so where people look. Those of Networks and Subnets
// are the manager's to write; a node may not.
#include <string.h>

#include "ctrl/model/condition.h"
#include "ctrl/model/ipinstance.h"
#include "ctrl/node/daemon.h"

static const cJSON *get(const cJSON *json, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(json, name);
}

static const char *text(const cJSON *json, const char *name)
{
	const char *t = cJSON_GetStringValue(get(json, name));

	return t != NULL ? t : "";
}

static struct store_name name_of(const cJSON *obj)
{
	const cJSON *meta = get(obj, "metadata");

	return (struct store_name){.kind = KIND_IPINSTANCE,
		.namespace = text(meta, "namespace"),
		.name = text(meta, "name")};
}

// message: NULL for a good object.
static void patch(const struct daemon *d, const cJSON *obj, const char *message)
{
	const struct store_name name = name_of(obj);
	cJSON *patch = cJSON_CreateObject();

	(void)condition_patch(cJSON_AddObjectToObject(patch, "status"), get(obj, "status"),
		CONDITION_ACCEPTED, message == NULL, message != NULL ? "Refused" : "Accepted",
		message != NULL ? message : "");
	d->store->ops->patch(d->store, &name, patch, true, NULL, NULL);
	cJSON_Delete(patch);
}

void tell_refusal(struct daemon *d, const char *key, const char *message)
{
	// With the directory store the manager does it, in this very process or another.
	const cJSON *obj =
		d->config.store_kube ? cache_get_refused(d->cache, KIND_IPINSTANCE, key) : NULL;
	const char *node = text(get(get(obj, "spec"), "binding"), "nodeName");

	if (strcmp(node, d->config.node_name) != 0)
		return;
	const cJSON *was = condition_find(get(obj, "status"), CONDITION_ACCEPTED);
	d->store->ops->event(d->store, &(struct store_event_record){.about = name_of(obj),
					       .uid = text(get(obj, "metadata"), "uid"),
					       .warning = true,
					       .reason = "Refused",
					       .message = message});
	// Otherwise our own write came back.
	if (strcmp(text(was, "status"), "False") != 0 || strcmp(text(was, "message"), message) != 0)
		patch(d, obj, message);
}

void tell_acceptance(struct daemon *d, const struct object *obj)
{
	const struct ipinstance *i = (const void *)obj;

	if (!d->config.store_kube || strcmp(i->binding.node_name, d->config.node_name) != 0)
		return;
	const cJSON *json =
		cache_get_json(d->cache, KIND_IPINSTANCE, obj->meta.namespace, obj->meta.name);
	if (condition_get(get(json, "status"), CONDITION_ACCEPTED) == 0)
		patch(d, json, NULL);
}
