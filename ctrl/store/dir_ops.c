// Mutations. They wait in a queue and run in order under the lock that all daemons of the directory
// share; what they find is read from the files again first, so that it cannot be stale.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <utlist.h>

#include "ctrl/store/dir.h"

#define OPS_PER_TURN 64 // of the loop: others want it too
#define LOCK_RETRY_MS 2

struct dir_op {
	int (*run)(struct dir *d, struct dir_op *op, char why[MODEL_ERROR_MAX]);
	cJSON *obj; // owned; NULL for delete
	enum kind kind;
	char key[DIR_KEY_MAX];
	int err; // of its arguments
	char why[MODEL_ERROR_MAX];
	store_done *done; // may be NULL
	void *arg;
	struct dir_op *prev, *next;
};

static cJSON *meta_of(const cJSON *obj)
{
	return cJSON_GetObjectItemCaseSensitive(obj, "metadata");
}

static const char *meta_string(const cJSON *obj, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta_of(obj), name));
}

static bool has_finalizers(const cJSON *obj)
{
	return cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(meta_of(obj), "finalizers")) > 0;
}

static void set_meta(cJSON *obj, const char *name, const char *value)
{
	cJSON *meta = meta_of(obj);

	cJSON_DeleteItemFromObjectCaseSensitive(meta, name);
	if (value != NULL)
		(void)cJSON_AddStringToObject(meta, name, value);
}

static void time_text(char buf[32])
{
	time_t now = time(NULL);
	struct tm tm;

	(void)gmtime_r(&now, &tm);
	(void)strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void random_uid(char uid[64])
{
	uint8_t r[16];

	if (getrandom(r, sizeof(r), 0) != (ssize_t)sizeof(r))
		memset(r, 0, sizeof(r));
	r[6] = (uint8_t)((r[6] & 0x0f) | 0x40);
	r[8] = (uint8_t)((r[8] & 0x3f) | 0x80);
	int at = 0;
	for (int i = 0; i < 16; i++)
		at += snprintf(uid + at, 64 - (size_t)at, "%s%02x",
			i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", r[i]);
}

// The object as it is on disk now; NULL with why if there is none.
static struct dir_entry *fresh(struct dir *d, const char *key, char why[MODEL_ERROR_MAX])
{
	char path[DIR_PATH_MAX];
	struct dir_entry *e = dir_entry_find(d, key);

	if (e != NULL) {
		dir_ingest(d, e->file->path);
	} else {
		// Another daemon may have made it this moment.
		dir_key_path(key, false, path);
		dir_ingest(d, path);
	}
	dir_key_path(key, true, path);
	dir_ingest(d, path);
	e = dir_entry_find(d, key);
	if (e == NULL)
		(void)snprintf(why, MODEL_ERROR_MAX, "'%.200s' not found", dir_key_text(key));
	return e;
}

static int run_create(struct dir *d, struct dir_op *op, char why[MODEL_ERROR_MAX])
{
	char path[DIR_PATH_MAX], text[64];

	if (fresh(d, op->key, why) != NULL) {
		(void)snprintf(
			why, MODEL_ERROR_MAX, "'%.200s' already exists", dir_key_text(op->key));
		return -EEXIST;
	}
	cJSON_DeleteItemFromObjectCaseSensitive(op->obj, "status");
	set_meta(op->obj, "resourceVersion", NULL);
	set_meta(op->obj, "deletionTimestamp", NULL);
	if (meta_string(op->obj, "uid") == NULL) {
		random_uid(text);
		set_meta(op->obj, "uid", text);
	}
	if (meta_string(op->obj, "creationTimestamp") == NULL) {
		time_text(text);
		set_meta(op->obj, "creationTimestamp", text);
	}
	// A status that an object of the same name left is not this one's.
	dir_key_path(op->key, true, path);
	(void)unlinkat(d->root_fd, path, 0);
	dir_key_path(op->key, false, path);
	char *yaml = yaml_print(op->obj);
	if (yaml == NULL)
		return -ENOMEM;
	int ret = dir_file_write(d, path, yaml, strlen(yaml), true, why);
	free(yaml);
	if (ret == 0)
		dir_ingest(d, path);
	return ret;
}

static int check_version(const struct dir_entry *e, const cJSON *obj, char why[MODEL_ERROR_MAX])
{
	const char *version = meta_string(obj, "resourceVersion");
	char current[24];

	(void)snprintf(current, sizeof(current), "%" PRIu64, e->version);
	if (version == NULL || strcmp(version, current) == 0)
		return 0;
	(void)snprintf(
		why, MODEL_ERROR_MAX, "'%.200s' has changed in between", dir_key_text(e->key));
	return -ESTALE;
}

// Removes the object and its status.
static int remove_entry(struct dir *d, struct dir_entry *e, char why[MODEL_ERROR_MAX])
{
	char path[DIR_PATH_MAX], status[DIR_PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s", e->file->path);
	dir_key_path(e->key, true, status);
	int ret = dir_file_edit(d, path, e->key, NULL, why);
	if (ret < 0)
		return ret;
	(void)unlinkat(d->root_fd, status, 0);
	dir_ingest(d, path);
	return 0;
}

// What the store adds when it hands an object out does not go back into the file.
static void keep_system_fields(cJSON *obj, const cJSON *doc)
{
	static const char *const names[] = {
		"uid", "creationTimestamp", "deletionTimestamp", "namespace"};

	set_meta(obj, "resourceVersion", NULL);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		set_meta(obj, names[i], meta_string(doc, names[i]));
	cJSON_DeleteItemFromObjectCaseSensitive(obj, "status");
	const cJSON *status = cJSON_GetObjectItemCaseSensitive(doc, "status");
	if (status != NULL)
		(void)cJSON_AddItemToObject(obj, "status", cJSON_Duplicate(status, true));
}

static int run_update(struct dir *d, struct dir_op *op, char why[MODEL_ERROR_MAX])
{
	char path[DIR_PATH_MAX];
	struct dir_entry *e = fresh(d, op->key, why);

	if (e == NULL)
		return -ENOENT;
	int ret = check_version(e, op->obj, why);
	if (ret < 0)
		return ret;
	keep_system_fields(op->obj, e->doc);
	if (meta_string(op->obj, "deletionTimestamp") != NULL && !has_finalizers(op->obj))
		return remove_entry(d, e, why);
	if (cJSON_Compare(op->obj, e->doc, true))
		return 0;
	(void)snprintf(path, sizeof(path), "%s", e->file->path);
	ret = dir_file_edit(d, path, op->key, op->obj, why);
	if (ret == 0)
		dir_ingest(d, path);
	return ret;
}

// The status file: enough of the object to know whose it is, and the status.
static cJSON *status_document(const struct dir_entry *e, const cJSON *status)
{
	cJSON *doc = cJSON_CreateObject();

	(void)cJSON_AddStringToObject(doc, "apiVersion", kind_api_version(e->kind));
	(void)cJSON_AddStringToObject(doc, "kind", kind_name(e->kind));
	cJSON *meta = cJSON_AddObjectToObject(doc, "metadata");
	(void)cJSON_AddStringToObject(meta, "name", meta_string(e->merged, "name"));
	const char *namespace = meta_string(e->merged, "namespace");
	if (namespace != NULL)
		(void)cJSON_AddStringToObject(meta, "namespace", namespace);
	(void)cJSON_AddItemToObject(doc, "status", cJSON_Duplicate(status, true));
	return doc;
}

static int run_update_status(struct dir *d, struct dir_op *op, char why[MODEL_ERROR_MAX])
{
	char path[DIR_PATH_MAX];
	const cJSON *status = cJSON_GetObjectItemCaseSensitive(op->obj, "status");
	struct dir_entry *e = fresh(d, op->key, why);

	if (e == NULL)
		return -ENOENT;
	int ret = check_version(e, op->obj, why);
	if (ret < 0)
		return ret;
	if (!cJSON_IsObject(status)) {
		(void)snprintf(
			why, MODEL_ERROR_MAX, "'%.200s': no status given", dir_key_text(op->key));
		return -EINVAL;
	}
	if (cJSON_Compare(status, cJSON_GetObjectItemCaseSensitive(e->merged, "status"), true))
		return 0;
	cJSON *doc = status_document(e, status);
	char *yaml = yaml_print(doc);
	cJSON_Delete(doc);
	if (yaml == NULL)
		return -ENOMEM;
	dir_key_path(op->key, true, path);
	ret = dir_file_write(d, path, yaml, strlen(yaml), false, why);
	free(yaml);
	if (ret == 0)
		dir_ingest(d, path);
	return ret;
}

static int run_delete(struct dir *d, struct dir_op *op, char why[MODEL_ERROR_MAX])
{
	char path[DIR_PATH_MAX], now[32];
	struct dir_entry *e = fresh(d, op->key, why);

	if (e == NULL)
		return -ENOENT;
	if (!has_finalizers(e->doc))
		return remove_entry(d, e, why);
	if (meta_string(e->doc, "deletionTimestamp") != NULL)
		return 0;
	cJSON *obj = cJSON_Duplicate(e->doc, true);
	if (obj == NULL)
		return -ENOMEM;
	time_text(now);
	set_meta(obj, "deletionTimestamp", now);
	(void)snprintf(path, sizeof(path), "%s", e->file->path);
	int ret = dir_file_edit(d, path, op->key, obj, why);
	cJSON_Delete(obj);
	if (ret == 0)
		dir_ingest(d, path);
	return ret;
}

// ── The queue ──────────────────────────────────────────────────────────────────────────────────

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

	op->run = run_create;
	enqueue_object(s, obj, op);
}

void dir_update(struct store *s, const cJSON *obj, store_done *done, void *arg)
{
	struct dir_op *op = op_new(done, arg);

	op->run = run_update;
	enqueue_object(s, obj, op);
}

void dir_update_status(struct store *s, const cJSON *obj, store_done *done, void *arg)
{
	struct dir_op *op = op_new(done, arg);

	op->run = run_update_status;
	enqueue_object(s, obj, op);
}

void dir_delete(struct store *s, enum kind kind, const char *namespace, const char *name,
	store_done *done, void *arg)
{
	struct dir_op *op = op_new(done, arg);

	op->run = run_delete;
	op->kind = kind;
	op->err = dir_key_make(kind, namespace, name, op->key, op->why);
	enqueue((struct dir *)s, op);
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
	op->done(op->arg, err, e != NULL && op->run != run_delete ? e->merged : NULL, message);
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
