// CNI CHECK, GC and STATUS.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/log.h"
#include "ctrl/node/cni_inner.h"

// ── CHECK ──────────────────────────────────────────────────────────────────────────────────────

struct check {
	struct op *op;
	int err;
	char why[LINK_WHY_MAX];
};

bool attachment_bound(const struct cni *cni, const struct attachment *a)
{
	for (size_t i = 0; i < a->n_addr; i++) {
		char name[64];

		ipinstance_name(&a->addr[i].link.ip, name);
		const struct ipinstance *ipi = (const void *)cache_get(
			cni->conf.cache, KIND_IPINSTANCE, a->namespace, name);
		if (ipi == NULL || strcmp(ipi->binding.pod_uid, a->uid) != 0 ||
			strcmp(ipi->binding.node_name, cni->conf.config->node_name) != 0)
			return false;
	}
	return true;
}

static void check_link(void *arg)
{
	struct check *c = arg;
	struct link_pod link;

	link_pod_of(&c->op->slot->a, &link);
	if (!c->op->slot->a.vhost)
		c->err = link_pod_check(&link, c->why);
}

static void on_link_checked(void *arg)
{
	struct check check = *(struct check *)arg;
	struct slot *s = check.op->slot;
	struct cni_failure f = {0};

	free(arg);
	if (check.err < 0)
		(void)cni_failure_set(&f, CNI_NO_PORT, check.why,
			"the port of '%.128s' is not as it was", s->key);
	else if (s->port == VPORT_NONE || !attachment_bound(check.op->cni, &s->a))
		(void)cni_failure_set(&f, CNI_NO_ADDRESS, NULL,
			"the address of '%.128s' is no longer this pod's", s->key);
	if (f.code != 0)
		op_fail(check.op, &f);
	else
		op_reply(check.op, cJSON_CreateObject());
}

void check_begin(struct op *op)
{
	struct cni_failure f;
	struct slot *s = op->slot;

	if (!s->attached) {
		(void)cni_failure_set(
			&f, CNI_UNKNOWN_CONTAINER, NULL, "'%.128s' is not attached", s->key);
		op_fail(op, &f);
		return;
	}
	struct check *c = calloc(1, sizeof(*c));
	if (c != NULL) {
		c->op = op;
		if (pool_run(op->cni->conf.loop, check_link, on_link_checked, c) == 0)
			return;
		free(c);
	}
	(void)cni_failure_memory(&f);
	op_fail(op, &f);
}

// ── GC ─────────────────────────────────────────────────────────────────────────────────────────

struct gc {
	struct conn *conn;
	size_t n_pending;
};

static void gc_step(void *arg)
{
	struct gc *gc = arg;

	if (--gc->n_pending > 0)
		return;
	conn_reply(gc->conn, cJSON_CreateObject());
	free(gc);
}

static bool is_valid(const cJSON *valid, const struct attachment *a)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, valid) {
		const char *id =
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "containerID"));
		const char *ifname =
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "ifname"));

		if (id != NULL && ifname != NULL && strcmp(id, a->container_id) == 0 &&
			strcmp(ifname, a->ifname) == 0)
			return true;
	}
	return false;
}

// Those of the same network only; another runtime may have the others. What is under way is left
// to whoever asked for it.
void cni_gc(struct cni *cni, struct conn *conn, const struct cni_request *r)
{
	struct gc *gc = calloc(1, sizeof(*gc));
	struct slot *s, *next;

	if (gc == NULL) {
		conn_fail(conn, CNI_IO_FAILURE, "out of memory", CNI_MEMORY_REMEDY);
		return;
	}
	gc->conn = conn;
	gc->n_pending = 1; // our own, so that the answer comes last
	HASH_ITER (hh, cni->slots, s, next) {
		if (!s->attached || s->ops != NULL ||
			strcmp(s->a.network_name, r->network_name) != 0 ||
			is_valid(r->valid_attachments, &s->a))
			continue;
		log_notice("garbage collection removes '%s' of pod '%s/%s'", s->key, s->a.namespace,
			s->a.pod);
		gc->n_pending++;
		if (op_delete(cni, s, gc_step, gc) < 0)
			gc->n_pending--;
	}
	gc_step(gc);
}

// ── STATUS ─────────────────────────────────────────────────────────────────────────────────────

static bool first(const struct object *, void *arg)
{
	*(bool *)arg = true;
	return false;
}

const char *unread_remedy(const struct cni *cni)
{
	return cni->conf.config->store_kube ? "is the API server reachable? the log has its answers"
					    : "this takes a moment after the start";
}

void cni_status(struct cni *cni, struct conn *conn)
{
	bool found = false;

	if (!cni->serving) {
		conn_fail(conn, CNI_NOT_AVAILABLE, "the cluster's objects are not read yet",
			unread_remedy(cni));
		return;
	}
	cache_each(cni->conf.cache, KIND_NETWORK, first, &found);
	if (!found)
		conn_fail(conn, CNI_NOT_AVAILABLE, "there is no Network",
			"apply one, or let the manager make network-0 (manager.createDefaults)");
	else
		conn_reply(conn, cJSON_CreateObject());
}
