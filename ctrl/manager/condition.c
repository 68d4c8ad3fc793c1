// Conditions in a status: what is wrong with an object, for people to read.
#include <string.h>
#include <time.h>

#include "ctrl/manager/state.h"

static cJSON *find(const cJSON *status, const char *type)
{
	cJSON *item;

	cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(status, "conditions")) {
		const char *t =
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "type"));
		if (t != NULL && strcmp(t, type) == 0)
			return item;
	}
	return NULL;
}

int condition_get(const cJSON *status, const char *type)
{
	const char *value = cJSON_GetStringValue(
		cJSON_GetObjectItemCaseSensitive(find(status, type), "status"));

	return value == NULL ? -1 : strcmp(value, "True") == 0;
}

static bool set_text(cJSON *obj, const char *name, const char *value)
{
	const char *old = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(obj, name));

	if (old != NULL && strcmp(old, value) == 0)
		return false;
	cJSON *text = cJSON_CreateString(value);
	if (!cJSON_ReplaceItemInObjectCaseSensitive(obj, name, text))
		(void)cJSON_AddItemToObject(obj, name, text);
	return true;
}

bool condition_set(
	cJSON *status, const char *type, bool ok, const char *reason, const char *message)
{
	cJSON *list = cJSON_GetObjectItemCaseSensitive(status, "conditions");
	cJSON *c = find(status, type);

	if (c == NULL) {
		if (!cJSON_IsArray(list)) {
			cJSON_DeleteItemFromObjectCaseSensitive(status, "conditions");
			list = cJSON_AddArrayToObject(status, "conditions");
		}
		c = cJSON_CreateObject();
		(void)cJSON_AddItemToArray(list, c);
		(void)cJSON_AddStringToObject(c, "type", type);
	}
	bool turned = set_text(c, "status", ok ? "True" : "False");
	bool changed = set_text(c, "reason", reason);
	changed = set_text(c, "message", message) || changed;
	if (turned) {
		char now[32];
		time_t t = time(NULL);
		struct tm tm;
		(void)gmtime_r(&t, &tm);
		(void)strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", &tm);
		(void)set_text(c, "lastTransitionTime", now);
	}
	return turned || changed;
}

cJSON *status_object(enum kind kind, const char *namespace, const char *name, const cJSON *status)
{
	cJSON *obj = cJSON_CreateObject();

	(void)cJSON_AddStringToObject(obj, "apiVersion", kind_api_version(kind));
	(void)cJSON_AddStringToObject(obj, "kind", kind_name(kind));
	cJSON *meta = cJSON_AddObjectToObject(obj, "metadata");
	(void)cJSON_AddStringToObject(meta, "name", name);
	if (kind_namespaced(kind))
		(void)cJSON_AddStringToObject(meta, "namespace", namespace);
	(void)cJSON_AddItemToObject(obj, "status",
		cJSON_IsObject(status) ? cJSON_Duplicate(status, true) : cJSON_CreateObject());
	return obj;
}
