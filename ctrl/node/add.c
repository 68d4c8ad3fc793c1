// CNI ADD, beginning and ending. Its steps are add_pod.c's (or, in Kubernetes, add_kube.c's),
// add_wait.c's and add_port.c's.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "ctrl/log.h"
#include "ctrl/node/cni_inner.h"

// ── Beginning and ending ───────────────────────────────────────────────────────────────────────

// Another slot that has, or is about to have, a port of the same pod; NULL if there is none.
static struct slot *sibling_of(const struct cni *cni, const struct slot *s)
{
	for (struct slot *o = cni->slots; o != NULL; o = o->hh.next) {
		if (o != s && (o->attached || o->ops != NULL) && strcmp(o->a.pod, s->a.pod) == 0 &&
			strcmp(o->a.namespace, s->a.namespace) == 0)
			return o;
	}
	return NULL;
}

static int sibling_failure(const struct slot *s, const struct slot *sibling, struct cni_failure *f)
{
	if (sibling->ops != NULL && sibling->ops->add == NULL)
		return cni_failure_set(f, CNI_TRY_AGAIN_LATER,
			"the runtime's next ADD comes after it",
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
		(void)cni_failure_memory(&add->failure);
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

void add_lap(struct add *add, enum add_lap lap)
{
	uint64_t now = uv_hrtime();

	add->lap[lap] += now - add->lap_began;
	add->lap_began = now;
}

void add_object(struct add *add)
{
	if (add->op->cni->conf.config->store_kube)
		add_kube(add);
	else
		add_pod(add);
}

// Of a sandbox whose network namespace is gone nothing is left that could use its port: the DEL may
// come late, or, after the node's restart, never.
static bool is_left_behind(const struct slot *sibling)
{
	return sibling->attached && sibling->ops == NULL && netns_is_gone(sibling->a.netns);
}

static void begin(struct add *add)
{
	struct op *op = add->op;

	add->deadline = uv_now(op->cni->conf.loop) + op->cni->conf.config->attach_timeout_ms;
	add_object(add);
}

static void on_sibling_deleted(void *arg)
{
	struct add *add = arg;

	if (!add_ended(add))
		begin(add);
}

static void add_beside(struct add *add, struct slot *sibling)
{
	struct op *op = add->op;
	struct cni_failure failure;

	if (is_left_behind(sibling)) {
		log_notice("port '%s' of pod '%s/%s' goes for its next one: its network namespace "
			   "is gone",
			sibling->key, sibling->a.namespace, sibling->a.pod);
		if (op_delete(op->cni, sibling, on_sibling_deleted, add) == 0)
			return;
	}
	(void)sibling_failure(op->slot, sibling, &failure);
	op_fail(op, &failure);
}

void add_begin(struct op *op)
{
	struct cni *cni = op->cni;
	struct slot *s = op->slot;
	struct add *add = calloc(1, sizeof(*add));
	struct cni_failure failure;

	if (add == NULL) {
		(void)cni_failure_memory(&failure);
		op_fail(op, &failure);
		return;
	}
	add->op = op;
	add->lap_began = uv_hrtime();
	op->add = add;
	if (s->attached) {
		add_again(add);
		return;
	}
	fill_attachment(&s->a, &op->request);
	struct slot *sibling = sibling_of(cni, s);
	if (sibling != NULL)
		add_beside(add, sibling);
	else
		begin(add);
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
	if (add->failure.code != CNI_TRY_AGAIN_LATER) // that is no fault of the pod's
		tell_conditions(op->cni, op->slot, &add->failure);
	slot_release(op->cni, op->slot, add->pod_created, on_undone, add);
}

bool add_ended(struct add *add)
{
	if (!add->cancelled)
		return false;
	add->moot = true;
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
