// IPInstances of this node that are not in force, because they came past a webhook that was down, or
// contradict others: an Event and a condition say so where people look. Those of Networks and Subnets
// are the manager's to write; a node may not.
#include <string.h>

#include "ctrl/model/condition.h"
#include "ctrl/model/field.h"
#include "ctrl/model/ipinstance.h"
#include "ctrl/node/daemon.h"

static struct store_name name_of(const cJSON *obj)
{
	const cJSON *meta = field_get(obj, "metadata");

	return (struct store_name){.kind = KIND_IPINSTANCE,
		.namespace = field_string(meta, "namespace"),
		.name = field_string(meta, "name")};
}

// message: NULL for a good object.
static void patch(const struct daemon *d, const cJSON *obj, const char *message)
{
	const struct store_name name = name_of(obj);
	cJSON *patch = cJSON_CreateObject();

	(void)condition_patch(cJSON_AddObjectToObject(patch, "status"), field_get(obj, "status"),
		CONDITION_ACCEPTED, message == NULL, message != NULL ? "Refused" : "Accepted",
		message != NULL ? message : "");
	d->store->ops->patch(d->store, &name, patch, true, NULL, NULL);
	cJSON_Delete(patch);
}

static void tell_of(const struct daemon *d, const cJSON *obj, const char *message)
{
	const cJSON *was = condition_find(field_get(obj, "status"), CONDITION_ACCEPTED);
	d->store->ops->event(
		d->store, &(struct store_event_record){.about = name_of(obj),
				  .uid = field_string(field_get(obj, "metadata"), "uid"),
				  .warning = true,
				  .reason = "Refused",
				  .message = message});
	// Otherwise our own write came back.
	if (strcmp(field_string(was, "status"), "False") != 0 ||
		strcmp(field_string(was, "message"), message) != 0)
		patch(d, obj, message);
}

void tell_refusal(struct daemon *d, const char *key, const char *message)
{
	// With the directory store the manager does it, in this very process or another.
	cJSON *obj =
		d->config.store_kube ? cache_copy_refused(d->cache, KIND_IPINSTANCE, key) : NULL;
	const char *node = field_string(field_get(field_get(obj, "spec"), "binding"), "nodeName");

	if (strcmp(node, d->config.node_name) == 0)
		tell_of(d, obj, message);
	cJSON_Delete(obj);
}

void tell_acceptance(struct daemon *d, const struct object *obj)
{
	const struct ipinstance *i = (const void *)obj;

	if (!d->config.store_kube || strcmp(i->binding.node_name, d->config.node_name) != 0)
		return;
	const cJSON *json =
		cache_get_json(d->cache, KIND_IPINSTANCE, obj->meta.namespace, obj->meta.name);
	if (condition_get(field_get(json, "status"), CONDITION_ACCEPTED) == 0)
		patch(d, json, NULL);
}
