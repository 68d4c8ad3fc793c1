// The index: what the files define now, and what that means for the watcher.
//
// The first file to define an object has it; the object changes hands when that file is gone.
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctrl/store/dir.h"

static void emit(struct dir *d, enum kind kind, enum store_event event, const cJSON *obj,
	const char *message)
{
	if (d->watcher.event != NULL)
		d->watcher.event(d->watcher.arg, kind, event, obj, message);
}

void dir_broken(struct dir *d, enum kind kind, const cJSON *obj, const char *format, ...)
{
	char message[YAML_ERROR_MAX + DIR_PATH_MAX];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	emit(d, kind, STORE_BROKEN, obj, message);
}

struct dir_entry *dir_entry_find(const struct dir *d, const char *key)
{
	struct dir_entry *e;

	HASH_FIND_STR(d->entries, key, e);
	return e;
}

static struct dir_file *file_find(const struct dir *d, const char *path)
{
	struct dir_file *f;

	HASH_FIND_STR(d->files, path, f);
	return f;
}

static void entry_free(struct dir *d, struct dir_entry *e)
{
	HASH_DEL(d->entries, e);
	cJSON_Delete(e->doc);
	cJSON_Delete(e->status);
	cJSON_Delete(e->merged);
	free(e);
}

static void file_free(struct dir *d, struct dir_file *f)
{
	HASH_DEL(d->files, f);
	free(f->keys);
	free(f);
}

void dir_index_clear(struct dir *d)
{
	struct dir_entry *e, *next_entry;
	struct dir_file *f, *next_file;

	HASH_ITER (hh, d->entries, e, next_entry) {
		entry_free(d, e);
	}
	HASH_ITER (hh, d->files, f, next_file) {
		file_free(d, f);
	}
}

// ── Objects as delivered ───────────────────────────────────────────────────────────────────────

// FNV-1a. Not against adversaries: whoever can write the files needs no collision.
static uint64_t hash_text(uint64_t h, const char *text)
{
	for (; *text != '\0'; text++)
		h = (h ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	return h;
}

#define HASH_START UINT64_C(0xcbf29ce484222325)

static uint64_t hash_json(uint64_t h, const cJSON *json)
{
	char *text = json != NULL ? cJSON_PrintUnformatted(json) : NULL;

	h = hash_text(h, text != NULL ? text : "-");
	free(text);
	return h;
}

// An object that a person wrote has no uid; every daemon must give it the same one.
static void make_uid(const char *key, char uid[64])
{
	uint64_t a = hash_text(HASH_START, key),
		 b = hash_text(a ^ UINT64_C(0x9e3779b97f4a7c15), key);

	(void)snprintf(uid, 64, "%08x-%04x-8%03x-%04x-%012" PRIx64, (unsigned int)(a >> 32),
		(unsigned int)(a >> 16) & 0xffff, (unsigned int)a & 0xfff,
		((unsigned int)(b >> 48) & 0x3fff) | 0x8000, b & UINT64_C(0xffffffffffff));
}

static void set_string(cJSON *object, const char *name, const char *value)
{
	cJSON_DeleteItemFromObjectCaseSensitive(object, name);
	(void)cJSON_AddStringToObject(object, name, value);
}

// The document with namespace, uid, resourceVersion and the status from its own file. NULL: no memory.
static cJSON *merge(const struct dir_entry *e, uint64_t version)
{
	cJSON *obj = cJSON_Duplicate(e->doc, true);
	cJSON *meta = cJSON_GetObjectItemCaseSensitive(obj, "metadata");
	char text[DIR_KEY_MAX];

	if (meta == NULL) {
		cJSON_Delete(obj);
		return NULL;
	}
	if (kind_namespaced(e->kind)) {
		const char *namespace = dir_key_text(e->key);
		(void)snprintf(text, sizeof(text), "%.*s", (int)strcspn(namespace, "/"), namespace);
		set_string(meta, "namespace", text);
	} else {
		cJSON_DeleteItemFromObjectCaseSensitive(meta, "namespace");
	}
	if (!cJSON_IsString(cJSON_GetObjectItemCaseSensitive(meta, "uid"))) {
		char uid[64];
		make_uid(e->key, uid);
		set_string(meta, "uid", uid);
	}
	(void)snprintf(text, sizeof(text), "%" PRIu64, version);
	set_string(meta, "resourceVersion", text);
	if (e->status != NULL) {
		cJSON_DeleteItemFromObjectCaseSensitive(obj, "status");
		(void)cJSON_AddItemToObject(obj, "status", cJSON_Duplicate(e->status, true));
	}
	return obj;
}

static const char *uid_of(const cJSON *merged)
{
	const cJSON *meta = cJSON_GetObjectItemCaseSensitive(merged, "metadata");
	const char *uid = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, "uid"));
	return uid != NULL ? uid : "";
}

// Makes what the watcher knows current. An object of another uid is another object.
static void publish(struct dir *d, struct dir_entry *e)
{
	// Never 0, which is what a new entry has.
	uint64_t version = hash_json(hash_json(HASH_START, e->doc), e->status) | 1;

	if (version == e->version)
		return;
	cJSON *merged = merge(e, version);
	if (merged == NULL) {
		dir_broken(d, e->kind, NULL, "'%s': out of memory", dir_key_text(e->key));
		return;
	}
	cJSON *old = e->merged;
	e->merged = merged;
	e->version = version;
	if (old != NULL && strcmp(uid_of(old), uid_of(merged)) != 0)
		emit(d, e->kind, STORE_DELETED, old, NULL);
	cJSON_Delete(old);
	emit(d, e->kind, STORE_PUT, e->merged, NULL);
}

// ── Status files ───────────────────────────────────────────────────────────────────────────────

// Reads the entry's status file if it changed. A status that cannot be read counts as none.
static void load_status(struct dir *d, struct dir_entry *e)
{
	char path[DIR_PATH_MAX], error[YAML_ERROR_MAX];
	struct yaml_documents docs = {0};

	dir_key_path(e->key, true, path);
	struct file_id id = dir_file_id(d, path);
	if (dir_file_id_equal(&id, &e->status_id))
		return;
	e->status_id = id;
	cJSON_Delete(e->status);
	e->status = NULL;
	if (id.ino == 0)
		return;
	if (dir_file_parse(d, path, &docs, error) < 0) {
		dir_broken(d, e->kind, NULL, "%s", error);
		return;
	}
	if (docs.n > 0)
		e->status = cJSON_DetachItemFromObjectCaseSensitive(docs.doc[0].json, "status");
	yaml_documents_free(&docs);
}

static void ingest_status(struct dir *d, const char *path)
{
	char key[DIR_KEY_MAX];

	if (dir_status_path_key(path, key) < 0)
		return;
	struct dir_entry *e = dir_entry_find(d, key);
	if (e == NULL)
		return; // read when the object comes
	load_status(d, e);
	publish(d, e);
}

// ── Object files ───────────────────────────────────────────────────────────────────────────────

static struct dir_file *file_get(struct dir *d, const char *path)
{
	struct dir_file *f = file_find(d, path);

	if (f != NULL)
		return f;
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return NULL;
	(void)snprintf(f->path, sizeof(f->path), "%s", path);
	HASH_ADD_STR(d->files, path, f);
	return f;
}

static struct dir_entry *entry_new(struct dir *d, enum kind kind, const char *key)
{
	if (HASH_COUNT(d->entries) >= DIR_OBJECTS_MAX)
		return NULL;
	struct dir_entry *e = calloc(1, sizeof(*e));
	if (e == NULL)
		return NULL;
	e->kind = kind;
	(void)snprintf(e->key, sizeof(e->key), "%s", key);
	HASH_ADD_STR(d->entries, key, e);
	return e;
}

static bool is_kept(const cJSON *obj)
{
	const cJSON *meta = cJSON_GetObjectItemCaseSensitive(obj, "metadata");
	const cJSON *annotations = cJSON_GetObjectItemCaseSensitive(meta, "annotations");
	return cJSON_GetObjectItemCaseSensitive(annotations, ANNOTATION_KEPT) != NULL;
}

// Whether f may define the object of e, which may have a file already.
static bool may_define(
	struct dir *d, const struct dir_entry *e, struct dir_file *f, const cJSON *obj)
{
	if (e->file == NULL || e->round == 0)
		return true;
	if (e->file == f && e->round != d->round)
		return true;
	if (e->file == f) {
		dir_broken(d, e->kind, obj, "%s: %s '%s' is defined twice in this file", f->path,
			kind_name(e->kind), dir_key_text(e->key));
		return false;
	}
	// A renamed file: the new name is seen before the old one is missed.
	struct file_id id = dir_file_id(d, e->file->path);
	if (id.ino == 0)
		return true;
	if (is_kept(e->doc) && !is_kept(obj)) {
		// The file is back. The copy was the program's own and had this object only.
		(void)unlinkat(d->root_fd, e->file->path, 0);
		return true;
	}
	f->shadowed = true;
	dir_broken(d, e->kind, obj, "%s: %s '%s' is already defined in %s", f->path,
		kind_name(e->kind), dir_key_text(e->key), e->file->path);
	return false;
}

static void take_document(struct dir *d, struct dir_file *f, struct yaml_document *doc)
{
	char key[DIR_KEY_MAX], why[MODEL_ERROR_MAX];
	enum kind kind = KIND_COUNT;
	int ret = dir_key_of(doc->json, &kind, key, why);

	if (ret < 0) {
		dir_broken(d, KIND_COUNT, doc->json, "%s:%u: %s", f->path, doc->line, why);
		return;
	}
	struct dir_entry *e = dir_entry_find(d, key);
	if (e == NULL)
		e = entry_new(d, kind, key);
	if (e == NULL) {
		dir_broken(d, kind, doc->json, "%s:%u: too many objects", f->path, doc->line);
		return;
	}
	if (!may_define(d, e, f, doc->json))
		return;
	e->file = f;
	e->round = d->round;
	cJSON_Delete(e->doc);
	e->doc = doc->json;
	doc->json = NULL;
	(void)snprintf(f->keys[f->n_keys++], DIR_KEY_MAX, "%s", key);
	load_status(d, e);
	publish(d, e);
}

// Deletes what f defined before and does not any more. Returns whether that was anything.
static bool drop_left(struct dir *d, const struct dir_file *f, char (*keys)[DIR_KEY_MAX], size_t n)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		struct dir_entry *e = dir_entry_find(d, keys[i]);
		if (e == NULL || e->file != f || e->round == d->round)
			continue;
		// Out of the index first: the watcher may look.
		cJSON *last = e->merged;
		enum kind kind = e->kind;
		e->merged = NULL;
		entry_free(d, e);
		if (last != NULL)
			emit(d, kind, STORE_DELETED, last, NULL);
		cJSON_Delete(last);
		any = true;
	}
	return any;
}

// Files whose definitions were second may be first now.
static void reload_shadowed(struct dir *d)
{
	char(*paths)[DIR_PATH_MAX] = calloc(HASH_COUNT(d->files) + 1, DIR_PATH_MAX);
	struct dir_file *f, *next;
	size_t n = 0;

	if (paths == NULL)
		return; // the next change of those files helps
	HASH_ITER (hh, d->files, f, next) {
		if (!f->shadowed)
			continue;
		f->shadowed = false;
		f->id = (struct file_id){0};
		(void)snprintf(paths[n++], DIR_PATH_MAX, "%s", f->path);
	}
	for (size_t i = 0; i < n; i++)
		dir_ingest(d, paths[i]);
	free(paths);
}

static void load_documents(struct dir *d, struct dir_file *f, struct yaml_documents *docs)
{
	char(*old)[DIR_KEY_MAX] = f->keys;
	size_t n_old = f->n_keys;

	f->keys = docs->n > 0 ? calloc(docs->n, sizeof(*f->keys)) : NULL;
	f->n_keys = 0;
	f->shadowed = false;
	if (docs->n > 0 && f->keys == NULL) {
		f->keys = old;
		f->n_keys = n_old;
		dir_broken(d, KIND_COUNT, NULL, "%s: out of memory", f->path);
		return;
	}
	d->round++;
	for (size_t i = 0; i < docs->n; i++)
		take_document(d, f, &docs->doc[i]);
	bool any = drop_left(d, f, old, n_old);
	free(old);
	if (any)
		reload_shadowed(d);
}

static void ingest_objects(struct dir *d, const char *path)
{
	struct file_id id = dir_file_id(d, path);
	struct dir_file *f = file_find(d, path);
	struct yaml_documents docs = {0};
	char error[YAML_ERROR_MAX];

	if (id.ino == 0 && f == NULL)
		return;
	if (f == NULL)
		f = file_get(d, path);
	if (f == NULL || (id.ino != 0 && dir_file_id_equal(&id, &f->id)))
		return;
	f->id = id;
	int ret = id.ino != 0 ? dir_file_parse(d, path, &docs, error) : 0;
	if (ret < 0 && ret != -ENOENT) {
		// What it defined before stays in force.
		dir_broken(d, KIND_COUNT, NULL, "%s", error);
		return;
	}
	load_documents(d, f, &docs);
	yaml_documents_free(&docs);
	if (id.ino == 0)
		file_free(d, f);
}

void dir_ingest(struct dir *d, const char *path)
{
	// path may be a file's own, which does not live longer than the file.
	char copy[DIR_PATH_MAX];

	(void)snprintf(copy, sizeof(copy), "%s", path);
	switch (dir_path_class(copy)) {
	case PATH_OBJECTS:
		ingest_objects(d, copy);
		break;
	case PATH_STATUS:
		ingest_status(d, copy);
		break;
	case PATH_IGNORED:
		break;
	}
}
