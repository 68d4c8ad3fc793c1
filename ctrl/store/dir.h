// The dir back end from the inside. A directory of YAML files is the truth; `struct dir` holds an
// index of what its files define, brought up to date file by file (dir_index.c) when inotify or a
// walk finds one changed (dir_watch.c). Mutations (dir_ops.c, dir_change.c) write files (dir_file.c) under a lock
// that all daemons of the directory share, then read them back by the same way.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include <uthash.h>
#include <uv.h>

#include "ctrl/store/store.h"
#include "ctrl/store/yaml.h"

#define DIR_PATH_MAX 1024 // of a file, relative to the directory
#define DIR_KEY_MAX 384 // "2/namespace/name"
#define DIR_OBJECTS_MAX 200000 // of all kinds
#define DIR_STATUS "status" // the sub-folder with the statuses

// What tells one version of a file from the next without reading it. All zero: there is none.
struct file_id {
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
};

// An object, as the watcher knows it.
struct dir_entry {
	char key[DIR_KEY_MAX];
	enum kind kind;
	struct dir_file *file; // that defines it
	cJSON *doc; // owned; as the file has it
	cJSON *status; // owned, NULL if there is none; from its file under status/
	cJSON *merged; // owned; as delivered, with uid, resourceVersion and status
	struct file_id status_id;
	uint64_t version; // of merged: its resourceVersion
	uint64_t round; // of ingest, to find those that left their file
	UT_hash_handle hh;
};

struct dir_file {
	char path[DIR_PATH_MAX]; // relative
	struct file_id id;
	bool shadowed; // defines something that another file defined before
	uint64_t walked; // the last walk that saw it
	size_t n_keys;
	char (*keys)[DIR_KEY_MAX]; // owned; what it defines
	UT_hash_handle hh;
};

struct dir_folder { // with an inotify watch
	int wd;
	char path[DIR_PATH_MAX]; // relative; "" is the directory itself
	UT_hash_handle hh;
};

struct dir;

// A mutation (or a get) that waits for its turn.
struct dir_op {
	int (*run)(struct dir *d, struct dir_op *op, char why[MODEL_ERROR_MAX]);
	cJSON *obj; // owned; the patch, if it is one; NULL for delete and get
	enum kind kind;
	char key[DIR_KEY_MAX];
	bool status; // patches this
	char uid[64], version[64]; // deletes only this one, if not ""
	int err; // of its arguments
	char why[MODEL_ERROR_MAX];
	store_done *done; // may be NULL
	void *arg;
	struct dir_op *prev, *next;
};

struct dir {
	struct store store;
	uv_loop_t *loop;
	char root[DIR_PATH_MAX];
	int root_fd, lock_fd, inotify_fd;
	uv_poll_t poll;
	uv_idle_t idle; // runs while there is something to do at once
	uv_timer_t lock_timer; // until the lock is tried again
	uv_timer_t walk_timer;
	uv_timer_t gone_timer; // until missing files are believed to be gone
	unsigned int n_handles; // that are not closed yet
	bool closing;

	struct store_watcher watcher;
	bool scanned;
	struct dir_entry *entries; // owned, by key
	struct dir_file *files; // owned, by path
	struct dir_folder *folders; // owned, by wd
	uint64_t round, walk, n_temp;
	struct dir_op *ops; // owned, in order
};

// ── Paths and keys ─────────────────────────────────────────────────────────────────────────────
enum path_class {
	PATH_IGNORED, // editors' and hidden files, other suffixes, other places
	PATH_OBJECTS,
	PATH_STATUS,
};
enum path_class dir_path_class(const char *path);
// Whether a folder of that relative path can hold files of ours.
bool dir_path_is_folder(const char *path);
// Kind and key of an object; namespace "" stands for "default" where there must be one. -EINVAL with why.
int dir_key_of(
	const cJSON *obj, enum kind *ret_kind, char key[DIR_KEY_MAX], char why[MODEL_ERROR_MAX]);
int dir_key_make(enum kind kind, const char *namespace, const char *name, char key[DIR_KEY_MAX],
	char why[MODEL_ERROR_MAX]);
// "networks/a.yaml", "status/pods/default/b.yaml": the file that the program makes for a key.
void dir_key_path(const char *key, bool status, char path[DIR_PATH_MAX]);
// The key whose status is in that file. -EINVAL.
int dir_status_path_key(const char *path, char key[DIR_KEY_MAX]);
const char *dir_key_text(const char *key); // for people: "namespace/name"

// ── Files ──────────────────────────────────────────────────────────────────────────────────────
struct file_id dir_file_id(const struct dir *d, const char *path);
bool dir_file_id_equal(const struct file_id *a, const struct file_id *b);
// Parses a file of the directory; errors name it by its relative path.
int dir_file_parse(const struct dir *d, const char *path, struct yaml_documents *ret,
	char error[YAML_ERROR_MAX]);
// Writes the whole file at once (a reader sees the old or the new), making its folders; fails
// with -EEXIST if it is there and `create`. why says what failed.
int dir_file_write(struct dir *d, const char *path, const char *text, size_t len, bool create,
	char why[MODEL_ERROR_MAX]);
// Replaces the document that defines key by obj, or takes it out (obj NULL), leaving all other text
// as it is; a file without a document left is removed.
int dir_file_edit(struct dir *d, const char *path, const char *key, const cJSON *obj,
	char why[MODEL_ERROR_MAX]);

// ── Index ──────────────────────────────────────────────────────────────────────────────────────
// Reads a file again if it changed since, or forgets it if it is gone, and tells the watcher.
void dir_ingest(struct dir *d, const char *path);
struct dir_entry *dir_entry_find(const struct dir *d, const char *key);
void dir_index_clear(struct dir *d);
void dir_broken(struct dir *d, enum kind kind, const cJSON *obj, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

// ── Watching ───────────────────────────────────────────────────────────────────────────────────
int dir_watch_open(struct dir *d);
void dir_watch_close(struct dir *d);
// Watches a folder (again), if there is one.
void dir_watch_folder(struct dir *d, const char *path);
// Looks at every file; the first call reads them all. `settled`: leaves out files that were
// written within the last seconds, whose writer may not be done.
void dir_walk(struct dir *d, bool settled);

// ── Mutations ──────────────────────────────────────────────────────────────────────────────────
void dir_create(struct store *s, const cJSON *obj, store_done *done, void *arg);
void dir_update(struct store *s, const cJSON *obj, store_done *done, void *arg);
void dir_update_status(struct store *s, const cJSON *obj, store_done *done, void *arg);
void dir_delete(struct store *s, enum kind kind, const char *namespace, const char *name,
	store_done *done, void *arg);
void dir_delete_version(struct store *s, const struct store_name *name, const char *uid,
	const char *resource_version, store_done *done, void *arg);
void dir_patch(struct store *s, const struct store_name *name, const cJSON *merge_patch,
	bool status, store_done *done, void *arg);
void dir_get(struct store *s, const struct store_name *name, store_done *done, void *arg);
void dir_event(struct store *s, const struct store_event_record *r);
// What each does, under the lock; why says what failed.
int dir_run_create(struct dir *d, struct dir_op *op, char why[MODEL_ERROR_MAX]);
int dir_run_update(struct dir *d, struct dir_op *op, char why[MODEL_ERROR_MAX]);
int dir_run_update_status(struct dir *d, struct dir_op *op, char why[MODEL_ERROR_MAX]);
int dir_run_delete(struct dir *d, struct dir_op *op, char why[MODEL_ERROR_MAX]);
int dir_run_patch(struct dir *d, struct dir_op *op, char why[MODEL_ERROR_MAX]);
int dir_run_get(struct dir *d, struct dir_op *op, char why[MODEL_ERROR_MAX]);
// Works on what is queued, as far as the lock allows.
void dir_ops_run(struct dir *d);
void dir_ops_clear(struct dir *d);
// Wakes the loop for dir_ops_run or for a first walk.
void dir_kick(struct dir *d);
