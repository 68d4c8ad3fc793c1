// The CNI server: requests become operations on slots.
#include "ctrl/node/cni.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "ctrl/node/cni_inner.h"

// ── Thread pool ────────────────────────────────────────────────────────────────────────────────

struct job {
	uv_work_t req;
	void (*f)(void *arg);
	void (*done)(void *arg);
	void *arg;
};

static void on_work(uv_work_t *req)
{
	struct job *job = (struct job *)req;

	job->f(job->arg);
}

static void on_work_done(uv_work_t *req, int)
{
	struct job job = *(struct job *)req;

	free(req);
	job.done(job.arg);
}

int pool_run(uv_loop_t *loop, void (*f)(void *arg), void (*done)(void *arg), void *arg)
{
	struct job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		return -ENOMEM;
	job->f = f;
	job->done = done;
	job->arg = arg;
	int ret = uv_queue_work(loop, &job->req, on_work, on_work_done);
	if (ret < 0)
		free(job);
	return ret;
}

// ── Slots ──────────────────────────────────────────────────────────────────────────────────────

struct slot *slot_find(const struct cni *cni, const char *key)
{
	struct slot *s;

	HASH_FIND_STR(cni->slots, key, s);
	return s;
}

struct slot *slot_get(struct cni *cni, const char *container_id, const char *ifname)
{
	char key[ATTACHMENT_KEY_MAX];

	attachment_key(container_id, ifname, key);
	struct slot *s = slot_find(cni, key);
	if (s != NULL)
		return s;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	strcpy(s->key, key);
	s->port = VPORT_NONE;
	HASH_ADD_STR(cni->slots, key, s);
	return s;
}

void slot_forget(struct cni *cni, struct slot *s)
{
	if (s->ops != NULL || s->attached || s->made || s->on_disk || s->dev != NULL ||
		s->port != VPORT_NONE)
		return;
	HASH_DEL(cni->slots, s);
	free(s);
}

// ── Operations ─────────────────────────────────────────────────────────────────────────────────

static void op_free(struct op *op)
{
	cni_request_fini(&op->request);
	free(op->add);
	free(op);
}

static void op_begin(struct op *op)
{
	switch (op->request.command) {
	case CNI_ADD:
		add_begin(op);
		break;
	case CNI_CHECK:
		check_begin(op);
		break;
	case CNI_DEL:
	default:
		del_begin(op);
		break;
	}
}

// Takes the finished operation off its slot and begins the next.
static void op_end(struct op *op)
{
	struct cni *cni = op->cni;
	struct slot *s = op->slot;

	DL_DELETE(s->ops, op);
	op_free(op);
	if (s->ops != NULL)
		op_begin(s->ops);
	else
		slot_forget(cni, s);
}

static void tell_outcome(const struct op *op, int code)
{
	const struct cni_conf *conf = &op->cni->conf;
	const struct cni_outcome outcome = {
		.command = cni_command_name(op->request.command),
		.code = code,
		.ns = uv_hrtime() - op->began,
		.wait_ns = op->add != NULL ? op->add->lap[LAP_WAIT] : 0,
	};

	if (op->conn != NULL && conf->ended != NULL)
		conf->ended(conf->ended_arg, &outcome);
}

void op_reply(struct op *op, cJSON *answer)
{
	tell_outcome(op, 0);
	if (op->conn != NULL)
		conn_reply(op->conn, answer);
	else
		cJSON_Delete(answer);
	if (op->done != NULL)
		op->done(op->done_arg);
	op_end(op);
}

void op_fail(struct op *op, const struct cni_failure *f)
{
	tell_outcome(op, f->code);
	if (op->request.command == CNI_ADD && (op->add == NULL || !op->add->moot))
		tell_refused_add(op->cni, op->slot, &op->request, f);
	if (op->conn != NULL)
		conn_fail(op->conn, f->code, f->msg, f->details);
	if (op->done != NULL)
		op->done(op->done_arg);
	op_end(op);
}

static void op_queue(struct op *op)
{
	struct slot *s = op->slot;

	DL_APPEND(s->ops, op);
	if (s->ops == op)
		op_begin(op);
	else if (op->request.command == CNI_DEL && s->ops->add != NULL)
		add_cancel(s->ops->add);
}

static struct op *op_new(struct cni *cni, struct slot *s)
{
	struct op *op = calloc(1, sizeof(*op));

	if (op != NULL) {
		op->cni = cni;
		op->slot = s;
		op->began = uv_hrtime();
	}
	return op;
}

int op_delete(struct cni *cni, struct slot *s, void (*done)(void *arg), void *arg)
{
	struct op *op = op_new(cni, s);

	if (op == NULL)
		return -ENOMEM;
	op->request.command = CNI_DEL;
	strcpy(op->request.container_id, s->a.container_id);
	strcpy(op->request.ifname, s->a.ifname);
	op->done = done;
	op->done_arg = arg;
	op_queue(op);
	return 0;
}

// ── Requests ───────────────────────────────────────────────────────────────────────────────────

// Answers a request that does not become an operation.
static void refuse(struct cni *cni, struct conn *conn, struct cni_request *request,
	const struct cni_failure *f)
{
	if (request->command == CNI_ADD && request->pod[0] != '\0' && !cni->stopping)
		tell_refused_add(cni, NULL, request, f);
	cni_request_fini(request);
	conn_fail(conn, f->code, f->msg, f->details);
}

static void handle_slot(struct cni *cni, struct conn *conn, struct cni_request *request)
{
	struct slot *s = slot_get(cni, request->container_id, request->ifname);
	struct op *op = s != NULL ? op_new(cni, s) : NULL;
	struct cni_failure failure;

	if (op == NULL) {
		(void)cni_failure_memory(&failure);
		refuse(cni, conn, request, &failure);
		return;
	}
	op->conn = conn;
	op->request = *request;
	op_queue(op);
}

void cni_handle(struct cni *cni, struct conn *conn, const cJSON *json)
{
	struct cni_request request;
	struct cni_failure failure;

	int code = cni_request_parse(json, &request, &failure);
	if (code == 0 && cni->stopping)
		code = cni_failure_set(
			&failure, CNI_TRY_AGAIN_LATER, NULL, "the daemon is stopping");
	else if (code == 0 && !cni->serving && request.command != CNI_STATUS)
		code = cni_failure_set(&failure, CNI_TRY_AGAIN_LATER, unread_remedy(cni),
			"the cluster's objects are not read yet");
	if (code != 0) {
		refuse(cni, conn, &request, &failure);
		return;
	}
	switch (request.command) {
	case CNI_GC:
		cni_gc(cni, conn, &request);
		cni_request_fini(&request);
		break;
	case CNI_STATUS:
		cni_status(cni, conn);
		cni_request_fini(&request);
		break;
	default:
		handle_slot(cni, conn, &request); // takes what the request owns
	}
}

// ── Life ───────────────────────────────────────────────────────────────────────────────────────

static void on_cache_event(void *arg, enum kind kind, enum cache_event event,
	const struct object *obj, const struct object *)
{
	struct cni *cni = arg;

	if (event == CACHE_SYNCED)
		return;
	if (kind == KIND_POD)
		add_pod_event(cni, obj);
	if (kind != KIND_IPINSTANCE)
		return;
	const struct ipinstance *i = (const void *)obj;
	if (event == CACHE_DELETED) {
		bindings_del(cni->bindings, i);
	} else {
		bindings_put(cni->bindings, i);
		add_address_event(cni, i);
		restore_address_event(cni, i);
	}
}

int cni_new(const struct cni_conf *conf, struct cni **ret_cni)
{
	struct cni *cni = calloc(1, sizeof(*cni));

	if (cni == NULL)
		return -ENOMEM;
	cni->conf = *conf;
	cni->bindings = bindings_new(conf->config->node_name);
	if (cni->bindings == NULL) {
		free(cni);
		return -ENOMEM;
	}
	(void)uv_timer_init(conf->loop, &cni->timer);
	cni->timer.data = cni;
	(void)uv_timer_init(conf->loop, &cni->status_timer);
	cni->status_timer.data = cni;
	cni->subscriber = (struct cache_subscriber){.event = on_cache_event, .arg = cni};
	cache_subscribe(conf->cache, &cni->subscriber);
	*ret_cni = cni;
	return 0;
}

void cni_stop(struct cni *cni)
{
	struct slot *s, *next;

	cni->stopping = true;
	HASH_ITER (hh, cni->slots, s, next) {
		if (s->ops != NULL && s->ops->add != NULL)
			add_cancel(s->ops->add);
	}
	uv_close((uv_handle_t *)&cni->timer, NULL);
	uv_close((uv_handle_t *)&cni->status_timer, NULL);
}

void cni_free(struct cni *cni)
{
	struct slot *s, *next;

	if (cni == NULL)
		return;
	HASH_ITER (hh, cni->slots, s, next) {
		HASH_DEL(cni->slots, s);
		free(s);
	}
	status_jobs_free(cni);
	take_backs_free(cni);
	bindings_free(cni->bindings);
	free(cni);
}

bool cni_idle(const struct cni *cni)
{
	for (const struct slot *s = cni->slots; s != NULL; s = s->hh.next) {
		if (s->ops != NULL)
			return false;
	}
	return true;
}
