// Changes of objects on their way: what to do when they come back.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "ctrl/log.h"
#include "ctrl/manager/state.h"

struct request {
	struct manager *m; // NULL: it is gone
	const char *verb;
	char pod[POD_KEY_MAX]; // "" for none
	char what[POD_KEY_MAX + 16]; // "ipinstance a/b", for the log
	struct request_address address;
	struct request *prev, *next;
};

static void take_back(struct manager *m, const struct request *r, int err)
{
	if (!r->address.used)
		return;
	if (err == -EEXIST) {
		// The name is taken by an object that is not in the cache: the address is not free
		// for anybody, so it stays marked and the next try takes another one.
		return;
	}
	ipam_release(m->ipam, r->address.subnet, &r->address.ip);
	m->capacity_changed = true;
}

static void on_done(void *arg, int err, const cJSON *, const char *message)
{
	struct request *r = arg;
	struct manager *m = r->m;

	if (m == NULL) {
		free(r);
		return;
	}
	DL_DELETE(m->requests, r);
	if (r->address.used)
		macs_del(m, r->address.mac); // its IPInstance has it now
	// What is gone already needs no deletion, no status, no finalizer less.
	bool failed = err < 0 && !(err == -ENOENT && r->verb[0] != 'c');
	if (failed) {
		if (err != -ESTALE && err != -EEXIST)
			(void)log_warn(err, "cannot %s %s: %s", r->verb, r->what,
				message != NULL ? message : "");
		if (m->active)
			take_back(m, r, err);
	}
	if (m->active && r->pod[0] != '\0') {
		struct pod_state *s = pod_state_get(m, r->pod);
		s->n_requests -= s->n_requests > 0;
		if (failed) {
			s->n_expected = 0;
			s->retry = err != -EEXIST;
			if (s->retry)
				status_schedule(m);
		}
		if (s->n_requests == 0 && !s->retry)
			pod_reconcile(m, r->pod);
	}
	free(r);
}

static struct request *request_new(struct manager *m, const char *pod, const char *verb,
	enum kind kind, const char *namespace, const char *name)
{
	struct request *r = calloc(1, sizeof(*r));

	if (r == NULL)
		abort(); // nobody could be told
	r->m = m;
	r->verb = verb;
	(void)snprintf(r->pod, sizeof(r->pod), "%s", pod != NULL ? pod : "");
	(void)snprintf(r->what, sizeof(r->what), "%s '%s%s%s'", kind_name(kind),
		namespace != NULL ? namespace : "", namespace != NULL ? "/" : "", name);
	DL_APPEND(m->requests, r);
	if (pod != NULL)
		pod_state_get(m, pod)->n_requests++;
	return r;
}

static struct request *request_of(
	struct manager *m, const char *pod, const char *verb, const cJSON *obj)
{
	const cJSON *meta = cJSON_GetObjectItemCaseSensitive(obj, "metadata");
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, "name"));
	enum kind kind = KIND_NETWORK;

	(void)kind_of_object(obj, &kind);
	return request_new(m, pod, verb, kind,
		cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, "namespace")),
		name != NULL ? name : "");
}

void request_create(struct manager *m, const char *pod, cJSON *obj, const struct request_address *a)
{
	struct request *r = request_of(m, pod, "create", obj);

	if (a != NULL) {
		r->address = *a;
		macs_add(m, a->mac);
	}
	m->store->ops->create(m->store, obj, on_done, r);
	cJSON_Delete(obj);
}

void request_update(struct manager *m, const char *pod, cJSON *obj)
{
	m->store->ops->update(m->store, obj, on_done, request_of(m, pod, "update", obj));
	cJSON_Delete(obj);
}

void request_update_status(struct manager *m, const char *pod, cJSON *obj)
{
	m->store->ops->update_status(
		m->store, obj, on_done, request_of(m, pod, "write the status of", obj));
	cJSON_Delete(obj);
}

void request_delete(
	struct manager *m, const char *pod, enum kind kind, const char *namespace, const char *name)
{
	m->store->ops->delete (m->store, kind, namespace, name, on_done,
		request_new(m, pod, "delete", kind, namespace, name));
}

void requests_forget(struct manager *m)
{
	struct request *r, *next;

	DL_FOREACH_SAFE (m->requests, r, next) {
		DL_DELETE(m->requests, r);
		r->m = NULL;
	}
}
