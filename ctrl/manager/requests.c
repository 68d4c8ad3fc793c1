// Changes of objects on their way: what to do when they come back.
//
// A create whose outcome nobody knows (no answer, a server in trouble) may have been done: its address
// is nobody else's until that is known. So it is sent again, the same, until there is a definite
// answer; "exists already" is one if what exists is it.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "ctrl/log.h"
#include "ctrl/manager/patch.h"
#include "ctrl/manager/state.h"
#include "ctrl/model/field.h"

enum verb {
	VERB_CREATE,
	VERB_UPDATE,
	VERB_STATUS,
	VERB_DELETE,
	VERB_LABEL,
	VERB_LOOK,
};

static const char *const verbs[] = {
	[VERB_CREATE] = "create",
	[VERB_UPDATE] = "update",
	[VERB_STATUS] = "write the status of",
	[VERB_DELETE] = "delete",
	[VERB_LABEL] = "label",
	[VERB_LOOK] = "get",
};

struct request {
	struct manager *m; // NULL: it is gone
	enum verb verb;
	enum kind kind;
	char namespace[64], name[NAME_MAX_LEN];
	char version[64]; // what the cache had when it was sent; "" for nothing
	char pod[POD_KEY_MAX]; // "" for none
	struct request_address address;
	cJSON *obj; // owned; of a create
	bool again; // its outcome is not known
	struct request *prev, *next;
};

static void request_free(struct request *r)
{
	cJSON_Delete(r->obj);
	free(r);
}

static struct request *request_new(struct manager *m, const char *pod, enum verb verb,
	enum kind kind, const char *namespace, const char *name)
{
	struct request *r = calloc(1, sizeof(*r));

	if (r == NULL)
		abort(); // nobody could be told
	r->m = m;
	r->verb = verb;
	r->kind = kind;
	(void)snprintf(r->pod, sizeof(r->pod), "%s", pod != NULL ? pod : "");
	(void)snprintf(
		r->namespace, sizeof(r->namespace), "%s", namespace != NULL ? namespace : "");
	(void)snprintf(r->name, sizeof(r->name), "%s", name);
	const char *version = cache_version(m->cache, kind, namespace, name);
	(void)snprintf(r->version, sizeof(r->version), "%s", version != NULL ? version : "");
	DL_APPEND(m->requests, r);
	if (pod != NULL && verb != VERB_LOOK)
		pod_state_get(m, pod)->n_requests++;
	return r;
}

static struct request *request_of(
	struct manager *m, const char *pod, enum verb verb, const cJSON *obj)
{
	const cJSON *meta = field_get(obj, "metadata");
	enum kind kind = KIND_NETWORK;

	(void)kind_of_object(obj, &kind);
	return request_new(m, pod, verb, kind,
		kind_namespaced(kind) ? field_string(meta, "namespace") : NULL,
		field_string(meta, "name"));
}

static struct store_name name_of(const struct request *r)
{
	return (struct store_name){.kind = r->kind, .namespace = r->namespace, .name = r->name};
}

// ── The end of a request ───────────────────────────────────────────────────────────────────────

static void take_back(struct manager *m, const struct request *r, int err)
{
	if (!r->address.used)
		return;
	if (err == -EEXIST) { // it stays marked, and the next try takes another one
		blocked_add(m, r->namespace, r->name, &r->address);
		return;
	}
	ipam_release(m->ipam, r->address.subnet, &r->address.ip);
	m->capacity_changed = true;
}

static void tell_pod(struct manager *m, const struct request *r, int err, const cJSON *obj)
{
	struct pod_state *s = pod_state_get(m, r->pod);

	s->n_requests -= s->n_requests > 0;
	if (err == -ESTALE) {
		pod_wait_for(m, s, r->kind, r->name, r->version); // then it is tried anew
	} else if (err < 0) {
		s->retry = err != -EEXIST;
		if (s->retry)
			status_schedule(m);
	} else if (strcmp(field_string(field_get(obj, "metadata"), "resourceVersion"),
			   r->version) != 0) {
		pod_wait_for(m, s, r->kind, r->name, r->version);
	}
	if (s->n_requests == 0 && !s->retry)
		pod_reconcile(m, r->pod);
}

static void finish(struct request *r, int err, const cJSON *obj, const char *message)
{
	struct manager *m = r->m;

	DL_DELETE(m->requests, r);
	if (r->address.used)
		macs_del(m, r->address.mac); // its IPInstance has it now
	// What is gone already needs no deletion, no status, no finalizer less.
	bool moot = err == -ENOENT && r->verb != VERB_CREATE;
	if (err < 0 && !moot && err != -ESTALE && err != -EEXIST) {
		(void)log_warn(err, "cannot %s %s '%s%s%s': %s", verbs[r->verb], kind_name(r->kind),
			r->namespace, r->namespace[0] != '\0' ? "/" : "", r->name,
			message != NULL ? message : "");
		report_failure(m, verbs[r->verb], r->kind);
	}
	if (m->active && err < 0 && !moot)
		take_back(m, r, err);
	if (r->verb == VERB_LABEL)
		m->n_label_requests--;
	if (r->verb == VERB_STATUS && r->pod[0] == '\0')
		m->n_status_requests--;
	if (m->status_again && m->n_status_requests + m->n_label_requests == 0)
		status_schedule(m);
	if (m->active && r->pod[0] != '\0')
		tell_pod(m, r, moot ? 0 : err, moot ? NULL : obj);
	request_free(r);
}

static void on_done(void *arg, int err, const cJSON *obj, const char *message)
{
	struct request *r = arg;

	if (r->m == NULL)
		request_free(r);
	else
		finish(r, err, obj, message);
}

// ── Creating ───────────────────────────────────────────────────────────────────────────────────

static void on_created(void *arg, int err, const cJSON *obj, const char *message);

static bool is_definite(int err)
{
	return err == 0 || err == -EINVAL || err == -EACCES || err == -EPERM || err == -ENOENT;
}

static bool is_same(const cJSON *a, const cJSON *b, const char *part, const char *name)
{
	return strcmp(field_string(field_get(a, part), name),
		       field_string(field_get(b, part), name)) == 0;
}

// What exists is what was to be created, by an earlier try that got no answer.
static bool is_it(const struct request *r, const cJSON *obj)
{
	const cJSON *mine = field_get(r->obj, "spec");
	const cJSON *there = field_get(obj, "spec");

	return is_same(mine, there, "binding", "podUID") &&
	       is_same(mine, there, "address", "mac") &&
	       field_get(field_get(obj, "metadata"), "deletionTimestamp") == NULL;
}

static void on_reread(void *arg, int err, const cJSON *obj, const char *message)
{
	struct request *r = arg;

	if (r->m == NULL)
		request_free(r);
	else if (err == 0 && is_it(r, obj))
		finish(r, 0, obj, NULL);
	else if (err == 0)
		finish(r, -EEXIST, NULL, message);
	else
		r->again = true; // gone by now, or no answer: the next try tells
}

static void on_created(void *arg, int err, const cJSON *obj, const char *message)
{
	struct request *r = arg;
	const struct store_name name = name_of(r);

	if (r->m == NULL)
		request_free(r);
	else if (err == -EEXIST && r->address.used)
		r->m->store->ops->get(r->m->store, &name, on_reread, r);
	else if (r->m->remote && r->address.used && !is_definite(err) && err != -EEXIST)
		r->again = true;
	else
		finish(r, err, obj, message);
}

void request_create(struct manager *m, const char *pod, cJSON *obj, const struct request_address *a)
{
	struct request *r = request_of(m, pod, VERB_CREATE, obj);

	if (a != NULL) {
		r->address = *a;
		macs_add(m, a->mac);
	}
	r->obj = obj;
	m->store->ops->create(m->store, obj, on_created, r);
}

bool request_is_pending(const struct manager *m, enum kind kind, const char *name)
{
	const struct request *r;

	DL_FOREACH (m->requests, r) {
		if (r->verb == VERB_CREATE && r->kind == kind && strcmp(r->name, name) == 0)
			return true;
	}
	return false;
}

void requests_retry(struct manager *m)
{
	struct request *r, *next;

	DL_FOREACH_SAFE (m->requests, r, next) {
		if (!r->again)
			continue;
		r->again = false;
		m->store->ops->create(m->store, r->obj, on_created, r);
	}
}

// ── Changing ───────────────────────────────────────────────────────────────────────────────────

static void copy_field(cJSON *to, const cJSON *from, const char *name)
{
	const cJSON *field = cJSON_GetObjectItemCaseSensitive(from, name);

	if (field != NULL)
		(void)cJSON_AddItemToObject(to, name, cJSON_Duplicate(field, true));
}

// Everything of an object but its status.
static cJSON *but_status(const cJSON *obj)
{
	cJSON *copy = cJSON_CreateObject();

	copy_field(copy, obj, "metadata");
	copy_field(copy, obj, "spec");
	return copy;
}

void request_update(struct manager *m, const char *pod, cJSON *obj)
{
	struct request *r = request_of(m, pod, VERB_UPDATE, obj);
	const struct store_name name = name_of(r);
	cJSON *was = but_status(cache_get_json(m->cache, r->kind, r->namespace, r->name));
	cJSON *now = but_status(obj), *patch = patch_between(was, now);

	if (patch != NULL) {
		cJSON *meta = cJSON_GetObjectItemCaseSensitive(patch, "metadata");
		if (meta == NULL)
			meta = cJSON_AddObjectToObject(patch, "metadata");
		(void)cJSON_AddStringToObject(meta, "resourceVersion", r->version);
		m->store->ops->patch(m->store, &name, patch, false, on_done, r);
	} else {
		DL_DELETE(m->requests, r);
		if (pod != NULL)
			pod_state_get(m, pod)->n_requests--;
		request_free(r);
	}
	cJSON_Delete(was);
	cJSON_Delete(now);
	cJSON_Delete(patch);
	cJSON_Delete(obj);
}

void request_update_status(
	struct manager *m, const char *pod, const struct store_name *name, cJSON *status)
{
	struct request *r =
		request_new(m, pod, VERB_STATUS, name->kind, name->namespace, name->name);
	const cJSON *json = cache_get_json(m->cache, r->kind, r->namespace, r->name);
	cJSON *changed = patch_between(field_get(json, "status"), status);
	cJSON *patch = cJSON_CreateObject();

	(void)cJSON_AddItemToObject(
		patch, "status", changed != NULL ? changed : cJSON_CreateObject());
	m->n_status_requests += pod == NULL;
	m->store->ops->patch(m->store, name, patch, true, on_done, r);
	cJSON_Delete(patch);
	cJSON_Delete(status);
}

void request_delete(struct manager *m, const char *pod, const struct object *obj)
{
	struct request *r = request_new(m, pod, VERB_DELETE, obj->kind,
		kind_namespaced(obj->kind) ? obj->meta.namespace : NULL, obj->meta.name);
	const struct store_name name = name_of(r);
	bool known = obj->meta.resource_version[0] != '\0';

	m->store->ops->delete_version(m->store, &name,
		obj->meta.uid[0] != '\0' ? obj->meta.uid : NULL,
		known ? obj->meta.resource_version : NULL, on_done, r);
}

void request_label(struct manager *m, const char *node, cJSON *labels)
{
	struct request *r = request_new(m, NULL, VERB_LABEL, KIND_NODE, NULL, node);
	const struct store_name name = name_of(r);
	cJSON *patch = cJSON_CreateObject();

	(void)cJSON_AddItemToObject(cJSON_AddObjectToObject(patch, "metadata"), "labels", labels);
	m->n_label_requests++;
	m->store->ops->patch(m->store, &name, patch, false, on_done, r);
	cJSON_Delete(patch);
}

// ── Looking ────────────────────────────────────────────────────────────────────────────────────

static void on_looked(void *arg, int err, const cJSON *, const char *)
{
	struct request *r = arg;
	struct manager *m = r->m;

	if (m != NULL) {
		DL_DELETE(m->requests, r);
		struct pod_state *s = pod_state_find(m, r->pod);
		if (m->active && s != NULL)
			pod_looked(m, s, r->kind, r->name, err);
	}
	request_free(r);
}

void request_look(struct manager *m, const char *pod, enum kind kind, const char *name)
{
	char namespace[64], pod_name[NAME_MAX_LEN];

	split_key(pod, namespace, pod_name);
	struct request *r = request_new(m, pod, VERB_LOOK, kind, namespace, name);
	const struct store_name what = name_of(r);
	m->store->ops->get(m->store, &what, on_looked, r);
}

void requests_forget(struct manager *m)
{
	struct request *r, *next;

	DL_FOREACH_SAFE (m->requests, r, next) {
		DL_DELETE(m->requests, r);
		r->m = NULL;
		if (r->again)
			request_free(r); // nothing is on its way
	}
}
