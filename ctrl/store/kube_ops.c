// Mutations of the kube back end. What a watcher was given lacks the fields that nobody here reads, so a
// whole object is never sent back: update and update_status fetch it first and put into it what
// is ours to say.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "ctrl/store/kube.h"
#include "ctrl/store/kube_strip.h"

#define UPDATE_TRIES_MAX 5 // against others who change the object at the same time

struct kube_op {
	struct kube_store *store;
	char path[KUBE_PATH_MAX];
	enum kind kind;
	bool status; // updates this
	bool hands_out; // the answer is the object
	cJSON *obj; // owned; of update: what is to be
	unsigned int n_tries;
	int err; // of its arguments
	store_done *done; // may be NULL
	void *arg;
	struct kube_op *prev, *next;
};

// ── One request ────────────────────────────────────────────────────────────────────────────────

static void op_free(struct kube_op *op)
{
	cJSON_Delete(op->obj);
	free(op);
}

static struct kube_op *op_new(struct store *s, enum kind kind, store_done *done, void *arg)
{
	struct kube_op *op = calloc(1, sizeof(*op));

	if (op == NULL)
		abort(); // there is no way left to say so, not even by a call-back
	op->store = (struct kube_store *)s;
	op->kind = kind;
	op->hands_out = true;
	op->done = done;
	op->arg = arg;
	DL_APPEND(op->store->ops, op);
	return op;
}

static void finish(struct kube_op *op, int err, const cJSON *obj, const char *message)
{
	DL_DELETE(op->store->ops, op);
	if (op->done != NULL)
		op->done(op->arg, err, obj, message);
	op_free(op);
}

static void on_failed(uv_timer_t *timer)
{
	struct kube_store *k = timer->data;
	struct kube_op *op = k->ops, *next;

	while (!k->closing && op != NULL) {
		next = op->next;
		if (op->err < 0) {
			finish(op, op->err, NULL,
				op->err == -EINVAL ? "not the name of an object"
						   : strerror(-op->err));
			next = k->ops; // done may have changed the list
		}
		op = next;
	}
}

// Something is wrong before anything is sent: done is called from the loop.
static void fail(struct kube_op *op, int err)
{
	op->err = err;
	(void)uv_timer_start(&op->store->ops_timer, on_failed, 0, 0);
}

static void on_answer(void *arg, int status, cJSON *answer, const char *message)
{
	struct kube_op *op = arg;
	int err = kube_error(status, answer);

	if (err == 0 && op->hands_out)
		kube_strip(op->kind, answer);
	finish(op, err, err == 0 && op->hands_out ? answer : NULL, message);
}

static void send_as(struct kube_op *op, const char *method, const char *content_type,
	const cJSON *body, kube_answered *answered)
{
	struct kube_call call = {
		.method = method,
		.path = op->path,
		.content_type = content_type,
		.body = body,
		.timeout_ms = KUBE_REQUEST_MS,
		.answered = answered,
		.arg = op,
	};

	if (kube_start(op->store->client, &call) == NULL)
		fail(op, -ENOMEM);
}

// ── Objects ────────────────────────────────────────────────────────────────────────────────────

static const char *meta_string(const cJSON *obj, const char *name)
{
	const cJSON *meta = cJSON_GetObjectItemCaseSensitive(obj, "metadata");

	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, name));
}

// Makes to[name] what from[name] is, also if that is nothing.
static void copy_field(cJSON *to, const cJSON *from, const char *name)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(from, name);

	cJSON_DeleteItemFromObjectCaseSensitive(to, name);
	if (value != NULL)
		(void)cJSON_AddItemToObject(to, name, cJSON_Duplicate(value, true));
}

// kubectl's annotation was not handed out; it stays.
static void copy_annotations(cJSON *to, const cJSON *from)
{
	cJSON *old = cJSON_DetachItemFromObjectCaseSensitive(to, "annotations");
	cJSON *kept = cJSON_DetachItemFromObjectCaseSensitive(old, KUBE_LAST_APPLIED);

	copy_field(to, from, "annotations");
	cJSON_Delete(old);
	cJSON *all = cJSON_GetObjectItemCaseSensitive(to, "annotations");
	if (kept != NULL && all == NULL)
		all = cJSON_AddObjectToObject(to, "annotations");
	if (kept != NULL && cJSON_GetObjectItemCaseSensitive(all, KUBE_LAST_APPLIED) == NULL)
		(void)cJSON_AddItemToObject(all, KUBE_LAST_APPLIED, kept);
	else
		cJSON_Delete(kept);
}

// Puts into the server's object what obj says: metadata that is the users', and spec or status.
static void merge(cJSON *live, const struct kube_op *op)
{
	static const char *const names[] = {"labels", "finalizers", "ownerReferences"};
	cJSON *meta = cJSON_GetObjectItemCaseSensitive(live, "metadata");
	const cJSON *from = cJSON_GetObjectItemCaseSensitive(op->obj, "metadata");

	if (op->status) {
		copy_field(live, op->obj, "status");
		return;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		copy_field(meta, from, names[i]);
	copy_annotations(meta, from);
	// Of others' kinds only a part of the spec was handed out.
	if (strcmp(kind_api_version(op->kind), API_VERSION) == 0)
		copy_field(live, op->obj, "spec");
}

static void on_live(void *arg, int status, cJSON *live, const char *message);

static void on_put(void *arg, int status, cJSON *answer, const char *message)
{
	struct kube_op *op = arg;
	bool conflict = kube_error(status, answer) == -ESTALE;

	if (conflict && meta_string(op->obj, "resourceVersion") == NULL &&
		++op->n_tries < UPDATE_TRIES_MAX) {
		send_as(op, "GET", NULL, NULL, on_live);
		return;
	}
	on_answer(arg, status, answer, message);
}

static void on_live(void *arg, int status, cJSON *live, const char *message)
{
	struct kube_op *op = arg;
	const char *version = meta_string(op->obj, "resourceVersion");
	const char *current = meta_string(live, "resourceVersion");
	char text[MODEL_ERROR_MAX];

	if (status != 200) {
		on_answer(arg, status, live, message);
		return;
	}
	if (version != NULL && (current == NULL || strcmp(version, current) != 0)) {
		(void)snprintf(text, sizeof(text), "'%.200s' has changed in between",
			meta_string(op->obj, "name"));
		finish(op, -ESTALE, NULL, text);
		return;
	}
	merge(live, op);
	if (op->status) {
		size_t len = strlen(op->path);
		(void)snprintf(op->path + len, sizeof(op->path) - len, "/status");
		send_as(op, "PUT", NULL, live, on_put);
		op->path[len] = '\0';
		return;
	}
	send_as(op, "PUT", NULL, live, on_put);
}

static void update(struct store *s, const cJSON *obj, bool status, store_done *done, void *arg)
{
	struct store_name name = {0};
	int ret = kube_name_of(obj, &name);
	struct kube_op *op = op_new(s, name.kind, done, arg);

	if (ret == 0)
		ret = kube_path_object(&name, NULL, op->path);
	if (ret == 0) {
		op->status = status;
		op->obj = cJSON_Duplicate(obj, true);
		ret = op->obj != NULL ? 0 : -ENOMEM;
	}
	if (ret < 0)
		fail(op, ret);
	else
		send_as(op, "GET", NULL, NULL, on_live);
}

void kube_update(struct store *s, const cJSON *obj, store_done *done, void *arg)
{
	update(s, obj, false, done, arg);
}

void kube_update_status(struct store *s, const cJSON *obj, store_done *done, void *arg)
{
	update(s, obj, true, done, arg);
}

void kube_create(struct store *s, const cJSON *obj, store_done *done, void *arg)
{
	// The server's to say.
	static const char *const names[] = {"resourceVersion", "uid", "creationTimestamp",
		"deletionTimestamp", "deletionGracePeriodSeconds", "generation"};
	struct store_name name = {0};
	int ret = kube_name_of(obj, &name);
	struct kube_op *op = op_new(s, name.kind, done, arg);

	if (ret == 0)
		ret = kube_path_collection(
			name.kind, name.namespace != NULL ? name.namespace : "", op->path);
	cJSON *copy = ret == 0 ? cJSON_Duplicate(obj, true) : NULL;
	if (ret == 0 && copy == NULL)
		ret = -ENOMEM;
	if (ret < 0) {
		fail(op, ret);
		return;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		cJSON_DeleteItemFromObjectCaseSensitive(
			cJSON_GetObjectItemCaseSensitive(copy, "metadata"), names[i]);
	cJSON_DeleteItemFromObjectCaseSensitive(copy, "status");
	send_as(op, "POST", NULL, copy, on_answer);
	cJSON_Delete(copy);
}

// ── Names ──────────────────────────────────────────────────────────────────────────────────────

void kube_delete(struct store *s, enum kind kind, const char *namespace, const char *name,
	store_done *done, void *arg)
{
	struct store_name which = {.kind = kind, .namespace = namespace, .name = name};

	kube_delete_version(s, &which, NULL, NULL, done, arg);
}

void kube_delete_version(struct store *s, const struct store_name *name, const char *uid,
	const char *resource_version, store_done *done, void *arg)
{
	struct kube_op *op = op_new(s, name->kind, done, arg);
	int ret = kube_path_object(name, NULL, op->path);
	cJSON *options = cJSON_CreateObject();

	op->hands_out = false; // it may be a Status
	(void)cJSON_AddStringToObject(options, "apiVersion", "v1");
	(void)cJSON_AddStringToObject(options, "kind", "DeleteOptions");
	cJSON *only = cJSON_AddObjectToObject(options, "preconditions");
	if (uid != NULL)
		(void)cJSON_AddStringToObject(only, "uid", uid);
	if (resource_version != NULL)
		(void)cJSON_AddStringToObject(only, "resourceVersion", resource_version);
	if (ret < 0)
		fail(op, ret);
	else
		send_as(op, "DELETE", NULL, options, on_answer);
	cJSON_Delete(options);
}

void kube_patch(struct store *s, const struct store_name *name, const cJSON *merge_patch,
	bool status, store_done *done, void *arg)
{
	struct kube_op *op = op_new(s, name->kind, done, arg);
	int ret = kube_path_object(name, status ? "status" : NULL, op->path);

	if (ret < 0)
		fail(op, ret);
	else
		send_as(op, "PATCH", KUBE_MERGE_PATCH, merge_patch, on_answer);
}

void kube_get(struct store *s, const struct store_name *name, store_done *done, void *arg)
{
	struct kube_op *op = op_new(s, name->kind, done, arg);
	int ret = kube_path_object(name, NULL, op->path);

	if (ret < 0)
		fail(op, ret);
	else
		send_as(op, "GET", NULL, NULL, on_answer);
}

void kube_ops_clear(struct kube_store *k)
{
	struct kube_op *op, *next;

	DL_FOREACH_SAFE (k->ops, op, next) {
		DL_DELETE(k->ops, op);
		op_free(op);
	}
}
