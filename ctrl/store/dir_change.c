// Mutations: what each does. What it finds is read from the files again first, so that it cannot be
// stale. All of them are called under the directory's lock.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "ctrl/model/timestamp.h"
#include "ctrl/store/dir.h"
#include "ctrl/store/merge_patch.h"

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

// Makes (is_new) or replaces a file that holds doc alone.
static int write_document(
	struct dir *d, const char *path, const cJSON *doc, bool is_new, char why[MODEL_ERROR_MAX])
{
	char *yaml = yaml_print(doc);

	if (yaml == NULL)
		return -ENOMEM;
	int ret = dir_file_write(d, path, yaml, strlen(yaml), is_new, why);
	free(yaml);
	if (ret == 0)
		dir_ingest(d, path);
	return ret;
}

// Replaces the object within the file that it is in.
static int edit_document(
	struct dir *d, const struct dir_entry *e, const cJSON *doc, char why[MODEL_ERROR_MAX])
{
	char path[DIR_PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s", e->file->path);
	int ret = dir_file_edit(d, path, e->key, doc, why);
	if (ret == 0)
		dir_ingest(d, path);
	return ret;
}

int dir_run_create(struct dir *d, struct dir_op *op, char why[MODEL_ERROR_MAX])
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
		(void)timestamp(time(NULL), text);
		set_meta(op->obj, "creationTimestamp", text);
	}
	// A status that an object of the same name left is not this one's.
	dir_key_path(op->key, true, path);
	(void)unlinkat(d->root_fd, path, 0);
	dir_key_path(op->key, false, path);
	return write_document(d, path, op->obj, true, why);
}

static int check_text(const struct dir_entry *e, const char *version, char why[MODEL_ERROR_MAX])
{
	char current[24];

	(void)snprintf(current, sizeof(current), "%" PRIu64, e->version);
	if (version == NULL || strcmp(version, current) == 0)
		return 0;
	(void)snprintf(
		why, MODEL_ERROR_MAX, "'%.200s' has changed in between", dir_key_text(e->key));
	return -ESTALE;
}

static int check_version(const struct dir_entry *e, const cJSON *obj, char why[MODEL_ERROR_MAX])
{
	return check_text(e, meta_string(obj, "resourceVersion"), why);
}

// Whether it is still the object that is to be deleted.
static int check_same(const struct dir_entry *e, const struct dir_op *op, char why[MODEL_ERROR_MAX])
{
	const char *uid = meta_string(e->merged, "uid");

	if (op->uid[0] != '\0' && (uid == NULL || strcmp(uid, op->uid) != 0)) {
		(void)snprintf(why, MODEL_ERROR_MAX, "'%.150s' is another object by now",
			dir_key_text(e->key));
		return -ESTALE;
	}
	return check_text(e, op->version[0] != '\0' ? op->version : NULL, why);
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

int dir_run_update(struct dir *d, struct dir_op *op, char why[MODEL_ERROR_MAX])
{
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
	return edit_document(d, e, op->obj, why);
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

int dir_run_update_status(struct dir *d, struct dir_op *op, char why[MODEL_ERROR_MAX])
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
	dir_key_path(op->key, true, path);
	ret = write_document(d, path, doc, false, why);
	cJSON_Delete(doc);
	return ret;
}

int dir_run_delete(struct dir *d, struct dir_op *op, char why[MODEL_ERROR_MAX])
{
	char now[32];
	struct dir_entry *e = fresh(d, op->key, why);

	if (e == NULL)
		return -ENOENT;
	int ret = check_same(e, op, why);
	if (ret < 0)
		return ret;
	if (!has_finalizers(e->doc))
		return remove_entry(d, e, why);
	if (meta_string(e->doc, "deletionTimestamp") != NULL)
		return 0;
	cJSON *obj = cJSON_Duplicate(e->doc, true);
	if (obj == NULL)
		return -ENOMEM;
	(void)timestamp(time(NULL), now);
	set_meta(obj, "deletionTimestamp", now);
	ret = edit_document(d, e, obj, why);
	cJSON_Delete(obj);
	return ret;
}

int dir_run_patch(struct dir *d, struct dir_op *op, char why[MODEL_ERROR_MAX])
{
	char key[DIR_KEY_MAX];
	enum kind kind;
	struct dir_entry *e = fresh(d, op->key, why);

	if (e == NULL)
		return -ENOENT;
	int ret = check_version(e, op->obj, why);
	if (ret < 0)
		return ret;
	cJSON *obj = cJSON_Duplicate(e->merged, true);
	ret = obj != NULL ? merge_patch_apply(obj, op->obj) : -ENOMEM;
	cJSON_Delete(op->obj);
	op->obj = obj;
	if (ret < 0)
		return ret;
	if (dir_key_of(obj, &kind, key, why) < 0 || strcmp(key, op->key) != 0) {
		(void)snprintf(why, MODEL_ERROR_MAX, "'%.150s' keeps its kind and name",
			dir_key_text(op->key));
		return -EINVAL;
	}
	return op->status ? dir_run_update_status(d, op, why) : dir_run_update(d, op, why);
}

int dir_run_get(struct dir *d, struct dir_op *op, char why[MODEL_ERROR_MAX])
{
	return fresh(d, op->key, why) != NULL ? 0 : -ENOENT;
}
