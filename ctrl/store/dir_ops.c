// Mutations: how they are queued. They run in order under the lock that all daemons of the directory
// share (dir_change.c does the work).
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include <utlist.h>

#include "ctrl/log.h"
#include "ctrl/store/dir.h"

#define OPS_PER_TURN 64 // of the loop: others want it too
#define LOCK_RETRY_MS 2

static void op_free(struct dir_op *op)
{
	if (op == NULL)
		return;
	cJSON_Delete(op->obj);
	free(op);
}

static struct dir_op *op_new(store_done *done, void *arg)
{
	struct dir_op *op = calloc(1, sizeof(*op));

	if (op == NULL)
		abort(); // there is no way left to say so, not even by a call-back
	op->done = done;
	op->arg = arg;
	return op;
}

static void enqueue(struct dir *d, struct dir_op *op)
{
	DL_APPEND(d->ops, op);
	dir_kick(d);
}

static void enqueue_object(struct store *s, const cJSON *obj, struct dir_op *op)
{
	op->err = dir_key_of(obj, &op->kind, op->key, op->why);
	if (op->err == 0) {
		op->obj = cJSON_Duplicate(obj, true);
		if (op->obj == NULL)
			op->err = -ENOMEM;
	}
	enqueue((struct dir *)s, op);
}

void dir_create(struct store *s, const cJSON *obj, store_done *done, void *arg)
{
	struct dir_op *op = op_new(done, arg);

	op->run = dir_run_create;
	enqueue_object(s, obj, op);
}

void dir_update(struct store *s, const cJSON *obj, store_done *done, void *arg)
{
	struct dir_op *op = op_new(done, arg);

	op->run = dir_run_update;
	enqueue_object(s, obj, op);
}

void dir_update_status(struct store *s, const cJSON *obj, store_done *done, void *arg)
{
	struct dir_op *op = op_new(done, arg);

	op->run = dir_run_update_status;
	enqueue_object(s, obj, op);
}

static void enqueue_name(struct store *s, const struct store_name *name, struct dir_op *op)
{
	op->kind = name->kind;
	op->err = dir_key_make(name->kind, name->namespace, name->name, op->key, op->why);
	enqueue((struct dir *)s, op);
}

void dir_delete(struct store *s, enum kind kind, const char *namespace, const char *name,
	store_done *done, void *arg)
{
	struct store_name which = {.kind = kind, .namespace = namespace, .name = name};

	dir_delete_version(s, &which, NULL, NULL, done, arg);
}

void dir_delete_version(struct store *s, const struct store_name *name, const char *uid,
	const char *resource_version, store_done *done, void *arg)
{
	struct dir_op *op = op_new(done, arg);

	op->run = dir_run_delete;
	if (uid != NULL)
		(void)snprintf(op->uid, sizeof(op->uid), "%s", uid);
	if (resource_version != NULL)
		(void)snprintf(op->version, sizeof(op->version), "%s", resource_version);
	enqueue_name(s, name, op);
}

void dir_patch(struct store *s, const struct store_name *name, const cJSON *merge_patch,
	bool status, store_done *done, void *arg)
{
	struct dir_op *op = op_new(done, arg);

	op->run = dir_run_patch;
	op->status = status;
	op->obj = cJSON_Duplicate(merge_patch, true);
	enqueue_name(s, name, op);
	if (op->err == 0 && op->obj == NULL)
		op->err = -ENOMEM;
}

void dir_get(struct store *s, const struct store_name *name, store_done *done, void *arg)
{
	struct dir_op *op = op_new(done, arg);

	op->run = dir_run_get;
	enqueue_name(s, name, op);
}

void dir_event(struct store *, const struct store_event_record *r)
{
	const struct store_name *o = &r->about;
	bool has_namespace = o->namespace != NULL && o->namespace[0] != '\0';
	const char *namespace = has_namespace ? o->namespace : "";

	(void)log_write(r->warning ? LOG_LEVEL_WARN : LOG_LEVEL_NOTICE, 0, "%s '%s%s%s': %s: %s",
		kind_name(o->kind), namespace, has_namespace ? "/" : "", o->name, r->reason,
		r->message);
}

static void run_one(struct dir *d, struct dir_op *op)
{
	int err = op->err;

	if (err == 0)
		err = op->run(d, op, op->why);
	if (op->done == NULL)
		return;
	const struct dir_entry *e = err == 0 ? dir_entry_find(d, op->key) : NULL;
	const char *message = err == 0 ? NULL : op->why[0] != '\0' ? op->why : strerror(-err);
	op->done(op->arg, err, e != NULL && op->run != dir_run_delete ? e->merged : NULL, message);
}

static void on_lock_timer(uv_timer_t *t)
{
	dir_kick(t->data);
}

void dir_ops_run(struct dir *d)
{
	if (d->ops == NULL)
		return;
	if (flock(d->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		(void)uv_idle_stop(&d->idle);
		(void)uv_timer_start(&d->lock_timer, on_lock_timer, LOCK_RETRY_MS, 0);
		return;
	}
	for (int i = 0; i < OPS_PER_TURN && d->ops != NULL && !d->closing; i++) {
		struct dir_op *op = d->ops;
		DL_DELETE(d->ops, op);
		run_one(d, op);
		op_free(op);
	}
	if (!d->closing)
		(void)flock(d->lock_fd, LOCK_UN);
}

void dir_ops_clear(struct dir *d)
{
	struct dir_op *op, *next;

	DL_FOREACH_SAFE (d->ops, op, next) {
		DL_DELETE(d->ops, op);
		op_free(op);
	}
}
