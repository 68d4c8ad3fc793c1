// CNI ADD, the Pod object with the dir store. Nobody else makes one, so the ADD does; unless someone
// wrote it by hand.
#include <errno.h>
#include <string.h>

#include "ctrl/node/cni_inner.h"

static cJSON *pod_json(const struct add *add)
{
	const struct op *op = add->op;
	const struct attachment *a = &op->slot->a;
	cJSON *pod = cJSON_CreateObject();

	cJSON_AddStringToObject(pod, "apiVersion", kind_api_version(KIND_POD));
	cJSON_AddStringToObject(pod, "kind", kind_name(KIND_POD));
	cJSON *meta = cJSON_AddObjectToObject(pod, "metadata");
	cJSON_AddStringToObject(meta, "name", a->pod);
	cJSON_AddStringToObject(meta, "namespace", a->namespace);
	if (op->request.uid[0] != '\0')
		cJSON_AddStringToObject(meta, "uid", op->request.uid);
	if (op->request.labels != NULL)
		cJSON_AddItemToObject(meta, "labels", cJSON_Duplicate(op->request.labels, true));
	cJSON *annotations = op->request.annotations != NULL
				     ? cJSON_Duplicate(op->request.annotations, true)
				     : cJSON_CreateObject();
	cJSON_DeleteItemFromObjectCaseSensitive(annotations, ANNOTATION_CONTAINER);
	cJSON_AddStringToObject(annotations, ANNOTATION_CONTAINER, a->container_id);
	cJSON_AddItemToObject(meta, "annotations", annotations);
	cJSON *spec = cJSON_AddObjectToObject(pod, "spec");
	cJSON_AddStringToObject(spec, "nodeName", op->cni->conf.config->node_name);
	return pod;
}

static void on_pod_created(void *arg, int err, const cJSON *obj, const char *message)
{
	struct add *add = arg;
	struct attachment *a = &add->op->slot->a;
	const cJSON *meta = cJSON_GetObjectItemCaseSensitive(obj, "metadata");
	const char *uid = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, "uid"));

	add->pod_created = err == 0;
	if (err == 0 && uid != NULL && strlen(uid) < sizeof(a->uid))
		strcpy(a->uid, uid);
	if (add_ended(add))
		return;
	if (err == 0) {
		add_address(add);
	} else if (err == -EEXIST) {
		add_wait_for(add, WAIT_POD); // the cache will hear of it
	} else {
		(void)cni_failure_set(&add->failure, CNI_IO_FAILURE, message,
			"cannot create Pod '%s/%.200s'", a->namespace, a->pod);
		add_fail(add);
	}
}

static void on_pod_deleted(void *arg, int err, const cJSON *, const char *message)
{
	struct add *add = arg;
	const struct attachment *a = &add->op->slot->a;

	if (add_ended(add))
		return;
	if (err < 0 && err != -ENOENT) {
		(void)cni_failure_set(&add->failure, CNI_IO_FAILURE, message,
			"cannot replace Pod '%s/%.200s'", a->namespace, a->pod);
		add_fail(add);
		return;
	}
	add_pod(add);
}

static void on_pod_bound(void *arg, int err, const cJSON *, const char *message)
{
	struct add *add = arg;
	const struct attachment *a = &add->op->slot->a;

	if (add_ended(add))
		return;
	if (err == -ESTALE) {
		add_wait_for(add, WAIT_POD);
	} else if (err < 0) {
		(void)cni_failure_set(&add->failure, CNI_IO_FAILURE, message,
			"cannot bind Pod '%s/%.200s' to this node", a->namespace, a->pod);
		add_fail(add);
	} else {
		add_address(add);
	}
}

// A Pod that was written by hand and is on no node yet: this ADD is its scheduler.
static void bind_pod(struct add *add)
{
	const struct cni_conf *conf = &add->op->cni->conf;
	const struct attachment *a = &add->op->slot->a;
	cJSON *pod =
		cJSON_Duplicate(cache_get_json(conf->cache, KIND_POD, a->namespace, a->pod), true);
	cJSON *spec = cJSON_GetObjectItemCaseSensitive(pod, "spec");

	if (spec == NULL)
		spec = cJSON_AddObjectToObject(pod, "spec");
	cJSON_DeleteItemFromObjectCaseSensitive(spec, "nodeName");
	cJSON_AddStringToObject(spec, "nodeName", conf->config->node_name);
	conf->store->ops->update(conf->store, pod, on_pod_bound, add);
	cJSON_Delete(pod);
}

static void use_pod(struct add *add, const struct pod *pod)
{
	strcpy(add->op->slot->a.uid, pod->obj.meta.uid);
	if (pod->node_name[0] == '\0')
		bind_pod(add);
	else
		add_address(add);
}

void add_pod(struct add *add)
{
	const struct op *op = add->op;
	const struct cni_conf *conf = &op->cni->conf;
	const struct attachment *a = &op->slot->a;
	const struct pod *pod =
		(const void *)cache_get(conf->cache, KIND_POD, a->namespace, a->pod);

	if (pod == NULL) {
		cJSON *json = pod_json(add);

		conf->store->ops->create(conf->store, json, on_pod_created, add);
		cJSON_Delete(json);
	} else if (pod->obj.meta.deleting) {
		add_wait_for(add, WAIT_POD);
	} else if (pod->node_name[0] != '\0' &&
		   strcmp(pod->node_name, conf->config->node_name) != 0) {
		(void)cni_failure_set(&add->failure, CNI_TRY_AGAIN_LATER,
			"delete that pod first, or give this one another name",
			"Pod '%s/%.100s' is on node '%.100s'", a->namespace, a->pod,
			pod->node_name);
		add_fail(add);
	} else if (op->request.uid[0] == '\0' || strcmp(op->request.uid, pod->obj.meta.uid) == 0) {
		use_pod(add, pod);
	} else if (!add->pod_replaced) {
		// An earlier pod of that name, which has no port any more.
		add->pod_replaced = true;
		conf->store->ops->delete (
			conf->store, KIND_POD, a->namespace, a->pod, on_pod_deleted, add);
	} else {
		add_wait_for(add, WAIT_POD);
	}
}
