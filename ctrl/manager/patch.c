// The depth is that of the objects, which cJSON's parser has bounded.
#include "ctrl/manager/patch.h"

static void add_field(cJSON *patch, const cJSON *field, const cJSON *old)
{
	if (cJSON_IsObject(field) && cJSON_IsObject(old)) {
		cJSON *inner = patch_between(old, field);
		if (inner != NULL)
			(void)cJSON_AddItemToObject(patch, field->string, inner);
		return;
	}
	if (old != NULL && cJSON_Compare(old, field, true))
		return;
	(void)cJSON_AddItemToObject(patch, field->string, cJSON_Duplicate(field, true));
}

cJSON *patch_between(const cJSON *was, const cJSON *now)
{
	cJSON *patch = cJSON_CreateObject();
	const cJSON *field;

	cJSON_ArrayForEach (field, now)
		add_field(patch, field, cJSON_GetObjectItemCaseSensitive(was, field->string));
	cJSON_ArrayForEach (field, was) {
		if (cJSON_GetObjectItemCaseSensitive(now, field->string) == NULL)
			(void)cJSON_AddNullToObject(patch, field->string);
	}
	if (patch != NULL && patch->child != NULL)
		return patch;
	cJSON_Delete(patch);
	return NULL;
}
