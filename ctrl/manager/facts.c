// Objects that are known, and how the API server's answers become such.
#include "ctrl/manager/facts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void facts_fini(struct facts *f)
{
	for (size_t k = 0; k < KIND_COUNT; k++) {
		for (size_t i = 0; i < f->n[k]; i++)
			object_free(f->objects[k][i]);
		free(f->objects[k]);
	}
	*f = (struct facts){0};
}

static struct object **place_of(
	const struct facts *f, enum kind kind, const char *namespace, const char *name)
{
	for (size_t i = 0; i < f->n[kind]; i++) {
		const struct meta *meta = &f->objects[kind][i]->meta;
		if (strcmp(meta->name, name) == 0 &&
			strcmp(meta->namespace, namespace != NULL ? namespace : "") == 0)
			return &f->objects[kind][i];
	}
	return NULL;
}

const struct object *facts_find(
	const struct facts *f, enum kind kind, const char *namespace, const char *name)
{
	struct object **place = place_of(f, kind, namespace, name);

	return place != NULL ? *place : NULL;
}

void facts_remove(struct facts *f, enum kind kind, const char *namespace, const char *name)
{
	struct object **place = place_of(f, kind, namespace, name);

	if (place == NULL)
		return;
	object_free(*place);
	*place = f->objects[kind][--f->n[kind]];
}

static int make_room(struct facts *f, enum kind kind)
{
	size_t size = f->size[kind] > 0 ? 2 * f->size[kind] : 16;

	if (f->n[kind] < f->size[kind])
		return 0;
	if (size > FACTS_MAX)
		return -ENOSPC;
	struct object **objects = realloc(f->objects[kind], size * sizeof(*objects));
	if (objects == NULL)
		return -ENOMEM;
	f->objects[kind] = objects;
	f->size[kind] = size;
	return 0;
}

// The items of a list of the core's kinds do not say what they are.
static cJSON *named_copy(enum kind kind, const cJSON *json)
{
	cJSON *copy = cJSON_Duplicate(json, true);

	if (copy == NULL)
		return NULL;
	if (cJSON_GetObjectItemCaseSensitive(copy, "kind") == NULL)
		(void)cJSON_AddStringToObject(copy, "kind", kind_name(kind));
	if (cJSON_GetObjectItemCaseSensitive(copy, "apiVersion") == NULL)
		(void)cJSON_AddStringToObject(copy, "apiVersion", kind_api_version(kind));
	return copy;
}

int facts_add(struct facts *f, enum kind kind, const cJSON *json)
{
	char error[MODEL_ERROR_MAX];
	struct object *obj = NULL;
	int ret = make_room(f, kind);
	cJSON *copy = ret == 0 ? named_copy(kind, json) : NULL;

	if (copy == NULL)
		return ret < 0 ? ret : -ENOMEM;
	ret = object_decode(copy, &obj, error);
	cJSON_Delete(copy);
	if (ret == -ENOMEM)
		return ret;
	if (ret < 0 || obj->kind != kind) {
		object_free(obj);
		return 0;
	}
	f->objects[kind][f->n[kind]++] = obj;
	return 0;
}

struct admission_view facts_view(const struct facts *f)
{
	// Each array holds objects of one kind, whose structs begin with struct object.
	return (struct admission_view){
		.networks = (const struct network *const *)f->objects[KIND_NETWORK],
		.n_networks = f->n[KIND_NETWORK],
		.subnets = (const struct subnet_obj *const *)f->objects[KIND_SUBNET],
		.n_subnets = f->n[KIND_SUBNET],
		.ipinstances = (const struct ipinstance *const *)f->objects[KIND_IPINSTANCE],
		.n_ipinstances = f->n[KIND_IPINSTANCE],
		.nodes = (const struct object *const *)f->objects[KIND_NODE],
		.n_nodes = f->n[KIND_NODE],
	};
}

int facts_take(struct facts *f, const struct facts_request *request, int status,
	const cJSON *answer, const char **ret_continue)
{
	const cJSON *item;

	*ret_continue = NULL;
	// What is not there is known not to be; a value that no label can have (400) is nobody's.
	if ((request->single && status == 404) ||
		(status == 400 && strstr(request->path, "labelSelector=") != NULL)) {
		f->known[request->kind] = true;
		return 0;
	}
	if (status < 200 || status > 299 || answer == NULL)
		return -EIO;
	if (request->single) {
		int ret = facts_add(f, request->kind, answer);
		f->known[request->kind] = ret == 0;
		return ret;
	}
	const cJSON *items = cJSON_GetObjectItemCaseSensitive(answer, "items");
	if (items != NULL && !cJSON_IsArray(items) && !cJSON_IsNull(items))
		return -EIO;
	cJSON_ArrayForEach (item, items) {
		int ret = facts_add(f, request->kind, item);
		if (ret < 0)
			return ret;
	}
	const char *more = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(
		cJSON_GetObjectItemCaseSensitive(answer, "metadata"), "continue"));
	if (more != NULL && more[0] != '\0' && !request->first_page)
		*ret_continue = more;
	else
		f->known[request->kind] = true;
	return 0;
}
