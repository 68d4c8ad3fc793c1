// Networks and Subnets whose files were removed while they were in use. They are written again, as
// the program's own and with a note, so that they survive a restart and can bear a condition; they
// give no new addresses and are deleted when their last user is gone.
#include "ctrl/manager/state.h"

bool object_is_kept(const struct object *obj)
{
	return key_values_get(&obj->meta.annotations, ANNOTATION_KEPT) != NULL;
}

static void write_again(struct manager *m, const struct object *obj)
{
	cJSON *copy = object_copy(m, obj->kind, obj->meta.namespace, obj->meta.name);
	cJSON *meta = cJSON_GetObjectItemCaseSensitive(copy, "metadata");
	cJSON *annotations = cJSON_GetObjectItemCaseSensitive(meta, "annotations");

	if (meta == NULL) {
		cJSON_Delete(copy);
		return;
	}
	if (annotations == NULL)
		annotations = cJSON_AddObjectToObject(meta, "annotations");
	if (!object_is_kept(obj))
		(void)cJSON_AddStringToObject(annotations, ANNOTATION_KEPT, "true");
	request_create(m, NULL, copy, NULL);
}

static bool tend(const struct object *obj, void *arg)
{
	struct manager *m = arg;

	if (cache_is_removed(m->cache, obj->kind, NULL, obj->meta.name))
		write_again(m, obj);
	else if (object_is_kept(obj) && !cache_is_used(m->cache, obj->kind, NULL, obj->meta.name))
		request_delete(m, NULL, obj);
	return true;
}

void kept_tend(struct manager *m)
{
	cache_each(m->cache, KIND_SUBNET, tend, m);
	cache_each(m->cache, KIND_NETWORK, tend, m);
}
