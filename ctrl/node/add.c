// CNI ADD, first part: the Pod object. With the dir store nobody else makes one, so the ADD does;
// in Kubernetes, and if someone wrote one by hand, it is there already.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "ctrl/log.h"
#include "ctrl/node/cni_inner.h"

// ── Beginning and ending ───────────────────────────────────────────────────────────────────────

// Another slot that has, or is about to have, a port of the same pod; NULL if there is none.
static const struct slot *sibling_of(const struct cni *cni, const struct slot *s)
{
	for (const struct slot *o = cni->slots; o != NULL; o = o->hh.next) {
		if (o != s && (o->attached || o->ops != NULL) && strcmp(o->a.pod, s->a.pod) == 0 &&
			strcmp(o->a.namespace, s->a.namespace) == 0)
			return o;
	}
	return NULL;
}

static int sibling_failure(const struct slot *s, const struct slot *sibling, struct cni_failure *f)
{
	if (sibling->ops != NULL && sibling->ops->add == NULL)
		return cni_failure_set(f, CNI_TRY_AGAIN_LATER, NULL,
			"port '%.128s' of pod '%s/%.100s' is being removed", sibling->key,
			s->a.namespace, s->a.pod);
	return cni_failure_set(f, CNI_PORT_EXISTS, "a pod has one port; DEL the other one first",
		"pod '%s/%.100s' already has port '%.128s'", s->a.namespace, s->a.pod,
		sibling->key);
}

// The link of an ADD that was answered before is looked at in the thread pool.
static void check_link(void *arg)
{
	struct add *add = arg;
	struct link_pod link;

	link_pod_of(&add->op->slot->a, &link);
	add->err = add->op->slot->a.vhost ? 0 : link_pod_check(&link, add->why);
}

static void on_link_checked(void *arg)
{
	struct add *add = arg;
	struct op *op = add->op;

	if (add->err == 0) {
		op_reply(op, cni_result(&op->slot->a));
		return;
	}
	(void)cni_failure_set(&add->failure, CNI_NO_PORT, "DEL it, then ADD it again",
		"the port of '%.128s' is no longer right: %.150s", op->slot->key, add->why);
	op_fail(op, &add->failure);
}

// The same ADD again: the same answer, if all is as it was.
static void add_again(struct add *add)
{
	struct op *op = add->op;
	const struct slot *s = op->slot;

	if (strcmp(s->a.netns, op->request.netns) != 0 || s->port == VPORT_NONE) {
		(void)cni_failure_set(&add->failure, CNI_PORT_EXISTS, "DEL it, then ADD it again",
			s->port == VPORT_NONE ? "'%.128s' is attached, but its address is gone"
					      : "'%.128s' is attached in another network namespace",
			s->key);
		op_fail(op, &add->failure);
		return;
	}
	if (pool_run(op->cni->conf.loop, check_link, on_link_checked, add) < 0) {
		(void)cni_failure_set(&add->failure, CNI_IO_FAILURE, NULL, "out of memory");
		op_fail(op, &add->failure);
	}
}

static void fill_attachment(struct attachment *a, const struct cni_request *r)
{
	*a = (struct attachment){0};
	strcpy(a->container_id, r->container_id);
	strcpy(a->ifname, r->ifname);
	strcpy(a->netns, r->netns);
	strcpy(a->network_name, r->network_name);
	strcpy(a->namespace, r->namespace);
	strcpy(a->pod, r->pod);
	strcpy(a->uid, r->uid);
	attachment_host_ifname(r->container_id, r->ifname, a->host_ifname);
}

void add_begin(struct op *op)
{
	struct cni *cni = op->cni;
	struct slot *s = op->slot;
	struct add *add = calloc(1, sizeof(*add));
	struct cni_failure failure;

	if (add == NULL) {
		(void)cni_failure_set(&failure, CNI_IO_FAILURE, NULL, "out of memory");
		op_fail(op, &failure);
		return;
	}
	add->op = op;
	op->add = add;
	if (s->attached) {
		add_again(add);
		return;
	}
	fill_attachment(&s->a, &op->request);
	const struct slot *sibling = sibling_of(cni, s);
	if (sibling != NULL) {
		(void)sibling_failure(s, sibling, &failure);
		op_fail(op, &failure);
		return;
	}
	add->deadline = uv_now(cni->conf.loop) + cni->conf.config->attach_timeout_ms;
	add_pod(add);
}

static void on_undone(void *arg)
{
	struct add *add = arg;

	op_fail(add->op, &add->failure);
}

void add_fail(struct add *add)
{
	struct op *op = add->op;

	add->failing = true;
	add_stop_waiting(add);
	log_debug("ADD of '%s' fails: %s", op->slot->key, add->failure.msg);
	slot_release(op->cni, op->slot, add->pod_created, on_undone, add);
}

bool add_ended(struct add *add)
{
	if (!add->cancelled)
		return false;
	(void)cni_failure_set(&add->failure, CNI_TRY_AGAIN_LATER, NULL, "%s",
		add->op->cni->stopping ? "the daemon is stopping" : "a DEL came in between");
	add_fail(add);
	return true;
}

void add_cancel(struct add *add)
{
	add->cancelled = true;
	if (add->wait != WAIT_NOTHING && !add->failing)
		(void)add_ended(add);
}

// ── The Pod object ─────────────────────────────────────────────────────────────────────────────

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

void add_pod_event(struct cni *cni, const struct object *pod)
{
	struct add *add, *next;

	DL_FOREACH_SAFE (cni->waiting, add, next) {
		const struct attachment *a = &add->op->slot->a;

		if (strcmp(a->pod, pod->meta.name) != 0 ||
			strcmp(a->namespace, pod->meta.namespace) != 0)
			continue;
		bool for_pod = add->wait == WAIT_POD;

		add_stop_waiting(add);
		if (for_pod)
			add_pod(add);
		else
			add_address(add);
	}
}
