// How changes of the directory are noticed: inotify at once, and a walk every few seconds in case
// events were lost (an overflow of the queue, a file system without inotify).
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "ctrl/store/dir.h"

#define WALK_MS 5000
#define SETTLE_SECONDS 2
#define ORPHAN_SECONDS 60
// Editors save by removing and creating: only what stays away so long is gone.
#define GONE_MS 100
#define FOLDER_FILES_MAX 200000

#define FOLDER_EVENTS \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ONLYDIR)

static bool join(char path[DIR_PATH_MAX], const char *folder, const char *name)
{
	int n = snprintf(path, DIR_PATH_MAX, "%s%s%s", folder, folder[0] != '\0' ? "/" : "", name);
	return n > 0 && n < DIR_PATH_MAX;
}

void dir_watch_folder(struct dir *d, const char *path)
{
	char full[2 * DIR_PATH_MAX];
	struct dir_folder *f;

	if (d->inotify_fd < 0 || !dir_path_is_folder(path))
		return;
	(void)snprintf(full, sizeof(full), "%s/%s", d->root, path);
	int wd = inotify_add_watch(d->inotify_fd, full, FOLDER_EVENTS);
	if (wd < 0) {
		if (errno == ENOSPC)
			dir_broken(d, KIND_COUNT, NULL,
				"%s: no inotify watch left (fs.inotify.max_user_watches): changes "
				"are seen late",
				path);
		return;
	}
	HASH_FIND_INT(d->folders, &wd, f);
	if (f == NULL) {
		f = calloc(1, sizeof(*f));
		if (f == NULL)
			return;
		f->wd = wd;
		HASH_ADD_INT(d->folders, wd, f);
	}
	(void)snprintf(f->path, sizeof(f->path), "%s", path);
}

// ── Walking ────────────────────────────────────────────────────────────────────────────────────

static bool is_settled(const struct dir *d, const char *path)
{
	struct file_id id = dir_file_id(d, path);
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	time_t age = now.tv_sec - id.mtime.tv_sec;
	return age < 0 || age >= SETTLE_SECONDS;
}

// The status of an object that is long gone: its file was removed by hand, its status was not.
static bool is_orphan(const struct dir *d, const char *path)
{
	struct file_id id = dir_file_id(d, path);
	char key[DIR_KEY_MAX];

	return id.ino != 0 && time(NULL) - id.mtime.tv_sec > ORPHAN_SECONDS &&
	       dir_status_path_key(path, key) == 0 && dir_entry_find(d, key) == NULL;
}

static void walk_file(struct dir *d, const char *path, bool settled)
{
	struct dir_file *f;

	enum path_class class = dir_path_class(path);

	if (class == PATH_IGNORED || (settled && !is_settled(d, path)))
		return;
	if (settled && class == PATH_STATUS && is_orphan(d, path)) {
		(void)unlinkat(d->root_fd, path, 0);
		return;
	}
	dir_ingest(d, path);
	HASH_FIND_STR(d->files, path, f);
	if (f != NULL)
		f->walked = d->walk;
}

// "." and "..", and others' hidden files.
static int not_hidden(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

// Files before folders, each in the order of their names, so that all daemons that start agree on
// which of two definitions is the first.
static void walk_folder(struct dir *d, const char *path, bool settled)
{
	struct dirent **list = NULL;
	char child[DIR_PATH_MAX];
	int n = scandirat(d->root_fd, path[0] != '\0' ? path : ".", &list, not_hidden, alphasort);

	if (n < 0)
		return;
	dir_watch_folder(d, path);
	for (int i = 0; i < n && i < FOLDER_FILES_MAX; i++) {
		if (join(child, path, list[i]->d_name))
			walk_file(d, child, settled);
	}
	for (int i = 0; i < n; i++) {
		if (join(child, path, list[i]->d_name) && dir_path_is_folder(child) &&
			(list[i]->d_type == DT_DIR || list[i]->d_type == DT_UNKNOWN))
			walk_folder(d, child, settled);
		free(list[i]);
	}
	free(list);
}

// Ingests every known file that is missing.
static void check_gone(struct dir *d)
{
	struct dir_file *f, *next;
	char(*paths)[DIR_PATH_MAX] = calloc(HASH_COUNT(d->files) + 1, DIR_PATH_MAX);
	size_t n = 0;

	if (paths == NULL)
		return;
	HASH_ITER (hh, d->files, f, next) {
		struct file_id id = dir_file_id(d, f->path);
		if (id.ino == 0)
			(void)snprintf(paths[n++], DIR_PATH_MAX, "%s", f->path);
	}
	for (size_t i = 0; i < n; i++)
		dir_ingest(d, paths[i]);
	free(paths);
}

void dir_walk(struct dir *d, bool settled)
{
	d->walk++;
	walk_folder(d, "", settled);
	check_gone(d);
}

static void on_walk_timer(uv_timer_t *t)
{
	struct dir *d = t->data;

	if (d->scanned)
		dir_walk(d, true);
}

// ── inotify ────────────────────────────────────────────────────────────────────────────────────

static void on_gone_timer(uv_timer_t *t)
{
	check_gone(t->data);
}

static void on_event(struct dir *d, const struct inotify_event *e)
{
	struct dir_folder *f;
	char path[DIR_PATH_MAX];
	int wd = e->wd;

	if (e->mask & IN_Q_OVERFLOW) {
		dir_walk(d, false);
		return;
	}
	HASH_FIND_INT(d->folders, &wd, f);
	if (f == NULL)
		return;
	if (e->mask & IN_IGNORED) {
		HASH_DEL(d->folders, f);
		free(f);
		return;
	}
	if (e->len == 0 || !join(path, f->path, e->name))
		return;
	if (e->mask & IN_ISDIR) {
		// A folder may have been filled before it was watched.
		if ((e->mask & (IN_CREATE | IN_MOVED_TO)) && dir_path_is_folder(path))
			walk_folder(d, path, false);
		else if (e->mask & (IN_DELETE | IN_MOVED_FROM))
			(void)uv_timer_start(&d->gone_timer, on_gone_timer, GONE_MS, 0);
	} else if (e->mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) {
		dir_ingest(d, path);
	} else if ((e->mask & (IN_DELETE | IN_MOVED_FROM)) &&
		   dir_path_class(path) == PATH_OBJECTS) {
		(void)uv_timer_start(&d->gone_timer, on_gone_timer, GONE_MS, 0);
	}
}

static void on_readable(uv_poll_t *p, int, int)
{
	struct dir *d = p->data;
	char buf[16 * 1024] __attribute__((aligned(__alignof__(struct inotify_event))));

	for (;;) {
		ssize_t n = read(d->inotify_fd, buf, sizeof(buf));
		if (n <= 0)
			return;
		if (!d->scanned)
			continue; // the first walk reads everything
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *e = (const void *)(buf + at);
			on_event(d, e);
			at += (ssize_t)(sizeof(*e) + e->len);
		}
	}
}

int dir_watch_open(struct dir *d)
{
	d->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (d->inotify_fd < 0)
		return -errno;
	int ret = uv_poll_init(d->loop, &d->poll, d->inotify_fd);
	if (ret < 0) {
		(void)close(d->inotify_fd);
		d->inotify_fd = -1;
		return ret;
	}
	d->poll.data = d;
	(void)uv_timer_init(d->loop, &d->walk_timer);
	(void)uv_timer_init(d->loop, &d->gone_timer);
	d->walk_timer.data = d;
	d->gone_timer.data = d;
	(void)uv_poll_start(&d->poll, UV_READABLE, on_readable);
	(void)uv_timer_start(&d->walk_timer, on_walk_timer, WALK_MS, WALK_MS);
	return 0;
}

void dir_watch_close(struct dir *d)
{
	struct dir_folder *f, *next;

	HASH_ITER (hh, d->folders, f, next) {
		HASH_DEL(d->folders, f);
		free(f);
	}
	(void)uv_poll_stop(&d->poll);
	(void)close(d->inotify_fd);
	d->inotify_fd = -1;
}
