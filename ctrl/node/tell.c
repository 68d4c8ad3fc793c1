// What the cluster is told about a pod's port: the status of its IPInstances, Events on the Pod.
// Nobody waits for any of it, and the port works without.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "ctrl/log.h"
#include "ctrl/model/condition.h"
#include "ctrl/model/timestamp.h"
#include "ctrl/node/cni_inner.h"

#define FAILURE_TEXT_MAX (sizeof(struct cni_failure) + sizeof(" ()"))

// A slot's statuses on their way to the store.
struct status_job {
	struct cni *cni;
	char key[ATTACHMENT_KEY_MAX]; // the slot may be gone when the answers come
	size_t n_pending;
	int err; // the first one
	struct attachment *ended; // owned; the port is gone again: to be taken back
	struct status_job *prev, *next; // cni->status_jobs
};

// ── The patch ──────────────────────────────────────────────────────────────────────────────────

static const cJSON *status_now(const struct cni *cni, const char *namespace, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(
		cache_get_json(cni->conf.cache, KIND_IPINSTANCE, namespace, name), "status");
}

// why: NULL when the port is up; that is said only where the contrary was.
static void add_condition(cJSON *patch, const cJSON *now, const char *why)
{
	if (why != NULL)
		(void)condition_patch(patch, now, CONDITION_PORT_UP, false, "AttachFailed", why);
	else if (condition_find(now, CONDITION_PORT_UP) != NULL)
		(void)condition_patch(patch, now, CONDITION_PORT_UP, true, "Attached", "");
}

static cJSON *attached_patch(const struct cni *cni, const struct attachment *a, const char *name)
{
	cJSON *patch = cJSON_CreateObject();
	cJSON *status = cJSON_AddObjectToObject(patch, "status");
	char text[TIMESTAMP_MAX];

	cJSON_AddStringToObject(status, "sandboxID", a->container_id);
	cJSON_AddStringToObject(status, "nodeName", cni->conf.config->node_name);
	cJSON_AddStringToObject(status, "podName", a->pod);
	cJSON_AddStringToObject(status, "podNamespace", a->namespace);
	cJSON_AddStringToObject(status, "updateTimestamp", timestamp(time(NULL), text));
	add_condition(status, status_now(cni, a->namespace, name), NULL);
	return patch;
}

// ── Statuses ───────────────────────────────────────────────────────────────────────────────────

static void on_retry(uv_timer_t *timer)
{
	struct cni *cni = timer->data;

	for (struct slot *s = cni->slots; s != NULL; s = s->hh.next) {
		if (s->attached && s->status_due)
			status_write(cni, s);
	}
}

// Later each time, and not all nodes at once.
static void retry_later(struct cni *cni)
{
	uint32_t after = kube_backoff_next(&cni->status_backoff, kube_random());

	if (!cni->stopping && !uv_is_active((uv_handle_t *)&cni->status_timer))
		(void)uv_timer_start(&cni->status_timer, on_retry, after, 0);
}

static void job_free(struct status_job *job)
{
	DL_DELETE(job->cni->status_jobs, job);
	free(job->ended);
	free(job);
}

static void on_status_written(void *arg, int err, const cJSON *, const char *message)
{
	struct status_job *job = arg;
	struct cni *cni = job->cni;

	if (err < 0 && err != -ENOENT && job->err == 0) {
		job->err = err;
		if (cni->status_backoff.n_failures == 0)
			(void)log_warn(err, "cannot write an IPInstance's status, trying again: %s",
				message != NULL ? message : "no reason given");
	}
	if (--job->n_pending > 0)
		return;
	struct slot *s = slot_find(cni, job->key);
	if (s != NULL && s->status_job == job) {
		s->status_job = NULL;
		s->status_due = job->err != 0;
	}
	if (job->err == 0)
		kube_backoff_reset(&cni->status_backoff);
	else
		retry_later(cni);
	if (job->ended != NULL)
		status_take_back(cni, job->ended);
	job_free(job);
}

static void patch_status(const struct cni *cni, const struct attachment *a, size_t i,
	const cJSON *patch, struct status_job *job)
{
	struct store *store = cni->conf.store;
	char name[64];

	ipinstance_name(&a->addr[i].link.ip, name);
	store->ops->patch(store,
		&(struct store_name){
			.kind = KIND_IPINSTANCE, .namespace = a->namespace, .name = name},
		patch, true, job != NULL ? on_status_written : NULL, job);
}

void status_write(struct cni *cni, struct slot *s)
{
	struct status_job *job = calloc(1, sizeof(*job));

	s->status_due = true;
	if (job == NULL) {
		retry_later(cni);
		return;
	}
	job->cni = cni;
	strcpy(job->key, s->key);
	job->n_pending = s->a.n_addr;
	DL_APPEND(cni->status_jobs, job);
	s->status_job = job;
	for (size_t i = 0; i < s->a.n_addr; i++) {
		char name[64];

		ipinstance_name(&s->a.addr[i].link.ip, name);
		cJSON *patch = attached_patch(cni, &s->a, name);
		patch_status(cni, &s->a, i, patch, job);
		cJSON_Delete(patch);
	}
}

bool status_is_due(const struct cni *cni, const struct slot *s)
{
	for (size_t i = 0; i < s->a.n_addr; i++) {
		char name[64];

		ipinstance_name(&s->a.addr[i].link.ip, name);
		const struct ipinstance *ip = (const void *)cache_get(
			cni->conf.cache, KIND_IPINSTANCE, s->a.namespace, name);
		if (ip != NULL && strcmp(ip->status.sandbox_id, s->a.container_id) != 0)
			return true;
	}
	return false;
}

void status_jobs_free(struct cni *cni)
{
	struct status_job *job, *next;

	DL_FOREACH_SAFE (cni->status_jobs, job, next)
		job_free(job);
}

void slot_take_back(struct cni *cni, struct slot *s)
{
	struct status_job *job = s->status_job;

	if (job == NULL) {
		status_take_back(cni, &s->a);
		return;
	}
	s->status_job = NULL;
	job->ended = malloc(sizeof(*job->ended));
	if (job->ended != NULL)
		*job->ended = s->a;
}

// ── Events ─────────────────────────────────────────────────────────────────────────────────────

// uid: "" if it is not known.
static void tell(const struct cni *cni, const struct store_name *pod, const char *uid, bool warning,
	const char *reason, const char *message)
{
	struct store *store = cni->conf.store;

	store->ops->event(store, &(struct store_event_record){
					 .about = *pod,
					 .uid = uid[0] != '\0' ? uid : NULL,
					 .warning = warning,
					 .reason = reason,
					 .message = message,
				 });
}

void tell_pod(const struct cni *cni, const struct slot *s, bool warning, const char *reason,
	const char *message)
{
	const struct attachment *a = &s->a;
	const struct store_name pod = {.kind = KIND_POD, .namespace = a->namespace, .name = a->pod};

	tell(cni, &pod, a->uid, warning, reason, message);
}

static void failure_text(const struct cni_failure *f, char text[FAILURE_TEXT_MAX])
{
	(void)snprintf(text, FAILURE_TEXT_MAX, "%s%s%s%s", f->msg,
		f->details[0] != '\0' ? " (" : "", f->details, f->details[0] != '\0' ? ")" : "");
}

void tell_refused_add(const struct cni *cni, const struct slot *s, const struct cni_request *r,
	const struct cni_failure *f)
{
	const struct store_name pod = {.kind = KIND_POD, .namespace = r->namespace, .name = r->pod};
	// A static pod's runtime knows it by another uid than the API does, which the slot has.
	bool known = s != NULL && strcmp(s->a.pod, r->pod) == 0 &&
		     strcmp(s->a.namespace, r->namespace) == 0;
	char text[FAILURE_TEXT_MAX];

	failure_text(f, text);
	tell(cni, &pod, known ? s->a.uid : r->uid, true, "AttachFailed", text);
}

void tell_conditions(struct cni *cni, const struct slot *s, const struct cni_failure *f)
{
	char text[FAILURE_TEXT_MAX];

	failure_text(f, text);
	for (size_t i = 0; i < s->a.n_addr; i++) {
		cJSON *patch = cJSON_CreateObject();
		char name[64];

		ipinstance_name(&s->a.addr[i].link.ip, name);
		add_condition(cJSON_AddObjectToObject(patch, "status"),
			status_now(cni, s->a.namespace, name), text);
		patch_status(cni, &s->a, i, patch, NULL);
		cJSON_Delete(patch);
	}
}
