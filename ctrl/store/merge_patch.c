#include "ctrl/store/merge_patch.h"

#include <errno.h>
#include <stdbool.h>

// Its depth is that of patch, which cJSON's parser has bounded.
int merge_patch_apply(cJSON *target, const cJSON *patch)
{
	const cJSON *change;

	cJSON_ArrayForEach (change, patch) {
		cJSON *old = cJSON_GetObjectItemCaseSensitive(target, change->string);

		if (cJSON_IsNull(change)) {
			cJSON_DeleteItemFromObjectCaseSensitive(target, change->string);
			continue;
		}
		if (cJSON_IsObject(change)) {
			// An object over something else begins empty, so that its nulls are left out.
			if (!cJSON_IsObject(old)) {
				cJSON_DeleteItemFromObjectCaseSensitive(target, change->string);
				old = cJSON_AddObjectToObject(target, change->string);
			}
			int ret = old != NULL ? merge_patch_apply(old, change) : -ENOMEM;
			if (ret < 0)
				return ret;
			continue;
		}
		cJSON *copy = cJSON_Duplicate(change, true);
		cJSON_DeleteItemFromObjectCaseSensitive(target, change->string);
		if (copy == NULL || !cJSON_AddItemToObject(target, change->string, copy)) {
			cJSON_Delete(copy);
			return -ENOMEM;
		}
	}
	return 0;
}
