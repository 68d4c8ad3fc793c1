// Reading and writing single files of the directory.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctrl/store/dir.h"

struct file_id dir_file_id(const struct dir *d, const char *path)
{
	struct stat st;

	if (fstatat(d->root_fd, path, &st, 0) < 0 || !S_ISREG(st.st_mode))
		return (struct file_id){0};
	return (struct file_id){
		.ino = st.st_ino, .size = st.st_size, .mtime = st.st_mtim, .ctime = st.st_ctim};
}

bool dir_file_id_equal(const struct file_id *a, const struct file_id *b)
{
	return a->ino == b->ino && a->size == b->size && a->mtime.tv_sec == b->mtime.tv_sec &&
	       a->mtime.tv_nsec == b->mtime.tv_nsec && a->ctime.tv_sec == b->ctime.tv_sec &&
	       a->ctime.tv_nsec == b->ctime.tv_nsec;
}

static int read_text(const struct dir *d, const char *path, char **ret_text, size_t *ret_len)
{
	struct stat st;
	int fd = openat(d->root_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		ret = -EINVAL;
	else if (st.st_size > YAML_FILE_MAX)
		ret = -E2BIG;
	char *text = ret == 0 ? malloc((size_t)st.st_size + 1) : NULL;
	ssize_t len = text != NULL ? read(fd, text, (size_t)st.st_size) : -1;
	if (ret == 0 && text == NULL)
		ret = -ENOMEM;
	else if (ret == 0 && len < 0)
		ret = -errno;
	(void)close(fd);
	if (ret < 0) {
		free(text);
		return ret;
	}
	text[len] = '\0';
	*ret_text = text;
	*ret_len = (size_t)len;
	return 0;
}

int dir_file_parse(const struct dir *d, const char *path, struct yaml_documents *ret,
	char error[YAML_ERROR_MAX])
{
	char *text = NULL;
	size_t len = 0;
	int err = read_text(d, path, &text, &len);

	if (err < 0) {
		(void)snprintf(error, YAML_ERROR_MAX, "%s: %s", path,
			err == -E2BIG ? "larger than 1 MiB" : strerror(-err));
		return err;
	}
	err = yaml_parse_text(path, text, len, ret, error);
	free(text);
	return err;
}

static int fail(int err, char why[MODEL_ERROR_MAX], const char *what, const char *path)
{
	(void)snprintf(why, MODEL_ERROR_MAX, "cannot %s '%.150s': %s", what, path, strerror(-err));
	return err;
}

static int make_folders(struct dir *d, const char *path)
{
	char folder[DIR_PATH_MAX];

	for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		(void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
		if (mkdirat(d->root_fd, folder, 0755) == 0)
			dir_watch_folder(d, folder);
		else if (errno != EEXIST)
			return -errno;
	}
	return 0;
}

// What people configured must survive a power cut; what pods come and go with need not, and is
// too much to wait for a disk on.
static bool must_be_durable(const char *path)
{
	return strncmp(path, "networks/", 9) == 0 || strncmp(path, "subnets/", 8) == 0 ||
	       strchr(path, '/') == NULL;
}

static int write_text(int fd, const char *text, size_t len, bool durable)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return durable && fdatasync(fd) < 0 ? -errno : 0;
}

int dir_file_write(struct dir *d, const char *path, const char *text, size_t len, bool create,
	char why[MODEL_ERROR_MAX])
{
	char temp[DIR_PATH_MAX];
	struct stat st;
	const char *slash = strrchr(path, '/');
	int ret = make_folders(d, path);

	if (ret < 0)
		return fail(ret, why, "make the folder of", path);
	(void)snprintf(temp, sizeof(temp), "%.*s.tmp-%d-%lu",
		slash != NULL ? (int)(slash - path) + 1 : 0, path, (int)getpid(),
		(unsigned long)d->n_temp++);
	mode_t mode = fstatat(d->root_fd, path, &st, 0) == 0 ? st.st_mode & 07777 : 0644;
	int fd = openat(d->root_fd, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0)
		return fail(-errno, why, "write", temp);
	ret = write_text(fd, text, len, must_be_durable(path));
	if (close(fd) < 0 && ret == 0)
		ret = -errno;
	if (ret == 0 &&
		renameat2(d->root_fd, temp, d->root_fd, path, create ? RENAME_NOREPLACE : 0) < 0)
		ret = -errno;
	if (ret < 0) {
		(void)unlinkat(d->root_fd, temp, 0);
		return fail(ret, why, "write", path);
	}
	return 0;
}

static const struct yaml_document *document_of_key(
	const struct yaml_documents *docs, const char *key)
{
	char k[DIR_KEY_MAX], why[MODEL_ERROR_MAX];
	enum kind kind;

	for (size_t i = 0; i < docs->n; i++) {
		if (dir_key_of(docs->doc[i].json, &kind, k, why) == 0 && strcmp(k, key) == 0)
			return &docs->doc[i];
	}
	return NULL;
}

// `...` ends a document without beginning one: rather than to get such rare text wrong, it is left
// to its author.
static bool text_is_plain(const char *text)
{
	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, "...", 3) == 0)
			return false;
	}
	return true;
}

// text with [start, end) replaced by obj, or without it. malloc'ed.
static char *put_document(const char *text, size_t len, const struct yaml_document *doc,
	const cJSON *obj, size_t *ret_len)
{
	char *out = NULL;
	FILE *f = open_memstream(&out, ret_len);
	char *body = obj != NULL ? yaml_print(obj) : NULL;

	if (f == NULL || (obj != NULL && body == NULL)) {
		if (f != NULL)
			(void)fclose(f);
		free(out);
		free(body);
		return NULL;
	}
	(void)fwrite(text, 1, doc->start, f);
	if (body != NULL) {
		if (strncmp(text + doc->start, "---", 3) == 0)
			fputs("---\n", f);
		fputs(body, f);
	}
	(void)fwrite(text + doc->end, 1, len - doc->end, f);
	free(body);
	if (fclose(f) != 0) {
		free(out);
		return NULL;
	}
	return out;
}

static int edit_text(struct dir *d, const char *path, const char *text, size_t len,
	const struct yaml_documents *docs, const char *key, const cJSON *obj,
	char why[MODEL_ERROR_MAX])
{
	const struct yaml_document *doc = document_of_key(docs, key);
	size_t new_len;

	if (doc == NULL)
		return fail(-ENOENT, why, "find the object in", path);
	if (docs->n == 1 && obj == NULL)
		return unlinkat(d->root_fd, path, 0) == 0 ? 0 : fail(-errno, why, "remove", path);
	if (!text_is_plain(text)) {
		(void)snprintf(why, MODEL_ERROR_MAX,
			"'%.150s' ends documents by '...': edit it by hand", path);
		return -EINVAL;
	}
	char *new = put_document(text, len, doc, obj, &new_len);
	if (new == NULL)
		return fail(-ENOMEM, why, "write", path);
	int ret = new_len > YAML_FILE_MAX ? fail(-E2BIG, why, "write", path)
					  : dir_file_write(d, path, new, new_len, false, why);
	free(new);
	return ret;
}

int dir_file_edit(struct dir *d, const char *path, const char *key, const cJSON *obj,
	char why[MODEL_ERROR_MAX])
{
	struct yaml_documents docs;
	char error[YAML_ERROR_MAX];
	char *text = NULL;
	size_t len = 0;
	int ret = read_text(d, path, &text, &len);

	if (ret < 0)
		return fail(ret, why, "read", path);
	ret = yaml_parse_text(path, text, len, &docs, error);
	if (ret < 0) {
		(void)snprintf(why, MODEL_ERROR_MAX, "%.200s", error);
		free(text);
		return ret;
	}
	ret = edit_text(d, path, text, len, &docs, key, obj, why);
	yaml_documents_free(&docs);
	free(text);
	return ret;
}
