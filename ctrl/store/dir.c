// The dir back end: opening, the loop's call-backs, closing.
#include "ctrl/store/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void on_idle(uv_idle_t *idle)
{
	struct dir *d = idle->data;

	if (!d->scanned) {
		d->scanned = true; // what the walk's events start may look already
		dir_walk(d, false);
		for (enum kind k = 0; k < KIND_COUNT && d->watcher.event != NULL && !d->closing;
			k++)
			d->watcher.event(d->watcher.arg, k, STORE_SYNCED, NULL, NULL);
	}
	if (!d->closing)
		dir_ops_run(d);
	if (!d->closing && d->ops == NULL)
		(void)uv_idle_stop(&d->idle);
}

void dir_kick(struct dir *d)
{
	if (!d->closing)
		(void)uv_idle_start(&d->idle, on_idle);
}

static int dir_watch(struct store *s, const struct store_watcher *w)
{
	struct dir *d = (struct dir *)s;

	if (d->watcher.event != NULL)
		return -EBUSY;
	// What was read for mutations before is read again for the watcher to learn of.
	dir_index_clear(d);
	d->scanned = false;
	d->watcher = *w;
	dir_kick(d);
	return 0;
}

static void on_closed(uv_handle_t *h)
{
	struct dir *d = h->data;

	if (--d->n_handles > 0)
		return;
	dir_index_clear(d);
	free(d);
}

// May be called from within a call-back: what that one stands on is freed when the handles are closed.
static void dir_close(struct store *s)
{
	struct dir *d = (struct dir *)s;
	uv_handle_t *handles[] = {(uv_handle_t *)&d->poll, (uv_handle_t *)&d->idle,
		(uv_handle_t *)&d->lock_timer, (uv_handle_t *)&d->walk_timer,
		(uv_handle_t *)&d->gone_timer};

	d->closing = true;
	d->watcher = (struct store_watcher){0};
	dir_ops_clear(d);
	dir_watch_close(d);
	(void)close(d->lock_fd);
	(void)close(d->root_fd);
	d->lock_fd = d->root_fd = -1;
	for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++) {
		d->n_handles++;
		uv_close(handles[i], on_closed);
	}
}

static const struct store_ops dir_ops = {
	.watch = dir_watch,
	.create = dir_create,
	.update = dir_update,
	.update_status = dir_update_status,
	.delete = dir_delete,
	.delete_version = dir_delete_version,
	.patch = dir_patch,
	.get = dir_get,
	.event = dir_event,
	.close = dir_close,
};

static int make_path(const char *path)
{
	char part[DIR_PATH_MAX];

	for (const char *p = path; *p != '\0';) {
		p += strspn(p, "/");
		p += strcspn(p, "/");
		(void)snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int open_files(struct dir *d, const char *path)
{
	d->root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->root_fd < 0)
		return -errno;
	d->lock_fd = openat(d->root_fd, ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (d->lock_fd < 0)
		return -errno;
	return dir_watch_open(d);
}

int store_dir_open(
	uv_loop_t *loop, const char *path, struct store **ret_store, char message[MODEL_ERROR_MAX])
{
	struct dir *d = strlen(path) < DIR_PATH_MAX ? calloc(1, sizeof(*d)) : NULL;
	int ret = d != NULL ? make_path(path) : -ENOMEM;

	if (ret == 0) {
		d->store.ops = &dir_ops;
		d->store.backend = "dir";
		d->loop = loop;
		d->root_fd = d->lock_fd = d->inotify_fd = -1;
		(void)snprintf(d->root, sizeof(d->root), "%s", path);
		ret = open_files(d, path);
		if (ret < 0 && d->root_fd >= 0)
			(void)close(d->root_fd);
		if (ret < 0 && d->lock_fd >= 0)
			(void)close(d->lock_fd);
	}
	if (ret < 0) {
		(void)snprintf(message, MODEL_ERROR_MAX, "cannot open the directory '%.150s': %s",
			path, strerror(-ret));
		free(d);
		return ret;
	}
	(void)uv_idle_init(loop, &d->idle);
	(void)uv_timer_init(loop, &d->lock_timer);
	d->idle.data = d;
	d->lock_timer.data = d;
	// The folders for people to find, and for inotify to watch from the beginning.
	for (enum kind k = 0; k < KIND_COUNT; k++)
		(void)mkdirat(d->root_fd, kind_plural(k), 0755);
	*ret_store = &d->store;
	return 0;
}
