#include "ctrl/model/condition.h"

#include <string.h>

#include "ctrl/model/timestamp.h"

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

const cJSON *condition_find(const cJSON *status, const char *type)
{
	return find(status, type);
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
		char now[TIMESTAMP_MAX];
		(void)set_text(c, "lastTransitionTime", timestamp(time(NULL), now));
	}
	return turned || changed;
}

bool condition_patch(cJSON *patch, const cJSON *now, const char *type, bool ok, const char *reason,
	const char *message)
{
	const cJSON *old = cJSON_GetObjectItemCaseSensitive(now, "conditions");

	if (cJSON_IsArray(old))
		(void)cJSON_AddItemToObject(patch, "conditions", cJSON_Duplicate(old, true));
	return condition_set(patch, type, ok, reason, message);
}
