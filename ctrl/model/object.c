// Decoding an object of any kind.
#include "ctrl/model/object.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/model/decode.h"

static const size_t sizes[KIND_COUNT] = {
	[KIND_NETWORK] = sizeof(struct network),
	[KIND_SUBNET] = sizeof(struct subnet_obj),
	[KIND_IPINSTANCE] = sizeof(struct ipinstance),
	[KIND_NODEINFO] = sizeof(struct nodeinfo),
	[KIND_POD] = sizeof(struct pod),
	[KIND_NODE] = sizeof(struct object),
	[KIND_NAMESPACE] = sizeof(struct object),
};

static void body_decode(struct reader *r, const cJSON *json, struct object *obj)
{
	switch (obj->kind) {
	case KIND_NETWORK:
		network_decode(r, json, OBJECT_AS(network, obj));
		break;
	case KIND_SUBNET:
		subnet_decode(r, json, OBJECT_AS(subnet_obj, obj));
		break;
	case KIND_IPINSTANCE:
		ipinstance_decode(r, json, OBJECT_AS(ipinstance, obj));
		break;
	case KIND_NODEINFO:
		nodeinfo_decode(r, json, OBJECT_AS(nodeinfo, obj));
		break;
	case KIND_POD:
		pod_decode(r, json, OBJECT_AS(pod, obj));
		break;
	case KIND_NODE:
	case KIND_NAMESPACE:
	case KIND_COUNT:
		break;
	}
}

int object_decode(const cJSON *json, struct object **ret_obj, char error[MODEL_ERROR_MAX])
{
	struct reader r = {.error = error};
	enum kind kind;

	if (kind_of_object(json, &kind) < 0) {
		(void)snprintf(error, MODEL_ERROR_MAX,
			"apiVersion and kind name no object of Strata (such as %s, Network)",
			API_VERSION);
		return -EINVAL;
	}
	struct object *obj = calloc(1, sizes[kind]);
	if (obj == NULL) {
		(void)snprintf(error, MODEL_ERROR_MAX, "out of memory");
		return -ENOMEM;
	}
	obj->kind = kind;
	meta_decode(&r, json, kind_namespaced(kind), &obj->meta);
	body_decode(&r, json, obj);
	if (r.failed) {
		object_free(obj);
		return r.no_memory ? -ENOMEM : -EINVAL;
	}
	*ret_obj = obj;
	return 0;
}

void object_free(struct object *obj)
{
	if (obj == NULL)
		return;
	meta_fini(&obj->meta);
	if (obj->kind == KIND_NETWORK)
		network_fini(OBJECT_AS(network, obj));
	else if (obj->kind == KIND_SUBNET)
		subnet_fini(OBJECT_AS(subnet_obj, obj));
	else if (obj->kind == KIND_NODEINFO)
		nodeinfo_fini(OBJECT_AS(nodeinfo, obj));
	free(obj);
}
