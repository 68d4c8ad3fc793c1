#include "ctrl/store/kube_strip.h"

#include <stdbool.h>
#include <string.h>

// All of these lists end with NULL.
static const char *const metadata_fields[] = {"name", "namespace", "uid", "resourceVersion",
	"generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
	"labels", "annotations", "ownerReferences", "finalizers", NULL};

// Of the core kinds; ours are kept whole.
static const struct {
	const char *kind;
	const char *spec[8], *status[12];
} core[] = {
	{
		.kind = "Pod",
		.spec = {"nodeName", "hostNetwork", "containers"},
		.status = {"phase", "reason", "podIP", "podIPs", "containerStatuses",
			"initContainerStatuses", "ephemeralContainerStatuses"},
	},
	{
		.kind = "Node",
		.spec = {"unschedulable"},
		.status = {"addresses"},
	},
	{.kind = "Namespace", .status = {"phase"}},
};
static const char *const container_fields[] = {"name", "state", NULL};

static bool is_listed(const char *const *names, const char *name)
{
	for (; *names != NULL; names++) {
		if (**names == *name && strcmp(*names, name) == 0)
			return true;
	}
	return false;
}

static void keep(cJSON *obj, const char *const *names)
{
	cJSON *item = cJSON_IsObject(obj) ? obj->child : NULL;

	while (item != NULL) {
		cJSON *next = item->next;

		if (!is_listed(names, item->string))
			cJSON_Delete(cJSON_DetachItemViaPointer(obj, item));
		item = next;
	}
}

static void keep_each(cJSON *array, const char *const *names)
{
	cJSON *item;

	cJSON_ArrayForEach (item, array)
		keep(item, names);
}

static void strip_core(const char *kind, cJSON *obj)
{
	cJSON *spec = cJSON_GetObjectItemCaseSensitive(obj, "spec");
	cJSON *status = cJSON_GetObjectItemCaseSensitive(obj, "status");

	for (size_t i = 0; i < sizeof(core) / sizeof(core[0]); i++) {
		if (strcmp(kind, core[i].kind) != 0)
			continue;
		keep(spec, core[i].spec);
		keep(status, core[i].status);
	}
	// Of containers, how many there are and what each is doing.
	keep_each(cJSON_GetObjectItemCaseSensitive(spec, "containers"), container_fields);
	keep_each(cJSON_GetObjectItemCaseSensitive(status, "containerStatuses"), container_fields);
	keep_each(cJSON_GetObjectItemCaseSensitive(status, "initContainerStatuses"),
		container_fields);
	keep_each(cJSON_GetObjectItemCaseSensitive(status, "ephemeralContainerStatuses"),
		container_fields);
}

static void set_first(cJSON *obj, const char *name, const char *value)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(obj, name));

	if (text != NULL && strcmp(text, value) == 0)
		return;
	cJSON_DeleteItemFromObjectCaseSensitive(obj, name);
	(void)cJSON_AddStringToObject(obj, name, value);
}

void kube_strip(enum kind kind, cJSON *obj)
{
	cJSON *meta = cJSON_GetObjectItemCaseSensitive(obj, "metadata");

	if (!cJSON_IsObject(obj))
		return;
	keep(meta, metadata_fields);
	cJSON_DeleteItemFromObjectCaseSensitive(
		cJSON_GetObjectItemCaseSensitive(meta, "annotations"), KUBE_LAST_APPLIED);
	set_first(obj, "apiVersion", kind_api_version(kind));
	set_first(obj, "kind", kind_name(kind));
	if (strcmp(kind_api_version(kind), API_VERSION) != 0)
		strip_core(kind_name(kind), obj);
}
