// Attachments on disk.
#include "ctrl/node/attachment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_LEN_MAX 768
#define SUFFIX ".json"
#define TEMPORARY ".new"

int make_directories(const char *path)
{
	char buf[PATH_LEN_MAX];

	if (strlen(path) >= sizeof(buf))
		return -ENAMETOOLONG;
	strcpy(buf, path);
	for (char *slash = buf + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		if (mkdir(buf, 0755) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(buf, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static int write_whole(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int ret = 0;

	if (fd < 0)
		return -errno;
	for (size_t len = strlen(text); len > 0 && ret == 0;) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			ret = -errno;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	if (close(fd) < 0 && ret == 0)
		ret = -errno;
	return ret;
}

// Nothing is synced to the disk: what the files tell of, network namespaces and their devices, does
// not outlive the kernel either. Renaming is enough against the end of the process alone.
int file_replace(const char *path, const char *text)
{
	char temporary[PATH_LEN_MAX];

	if (snprintf(temporary, sizeof(temporary), "%s" TEMPORARY, path) >= (int)sizeof(temporary))
		return -ENAMETOOLONG;
	int ret = write_whole(temporary, text);
	if (ret == 0 && rename(temporary, path) < 0)
		ret = -errno;
	if (ret < 0)
		(void)unlink(temporary);
	return ret;
}

static void path_of(const char *state_dir, const struct attachment *a, char path[PATH_LEN_MAX])
{
	char key[ATTACHMENT_KEY_MAX];

	attachment_key(a->container_id, a->ifname, key);
	(void)snprintf(path, PATH_LEN_MAX, "%s/attachments/%s" SUFFIX, state_dir, key);
}

int attachment_save(const char *state_dir, const struct attachment *a, char why[ATTACHMENT_WHY_MAX])
{
	char dir[PATH_LEN_MAX], path[PATH_LEN_MAX];
	cJSON *json = attachment_encode(a);
	char *text = json != NULL ? cJSON_Print(json) : NULL;

	cJSON_Delete(json);
	(void)snprintf(dir, sizeof(dir), "%s/attachments", state_dir);
	path_of(state_dir, a, path);
	int ret = text != NULL ? make_directories(dir) : -ENOMEM;
	if (ret == 0)
		ret = file_replace(path, text);
	cJSON_free(text);
	if (ret < 0)
		(void)snprintf(
			why, ATTACHMENT_WHY_MAX, "cannot write %.200s: %s", path, strerror(-ret));
	return ret;
}

int attachment_remove(
	const char *state_dir, const struct attachment *a, char why[ATTACHMENT_WHY_MAX])
{
	char path[PATH_LEN_MAX];

	path_of(state_dir, a, path);
	if (unlink(path) == 0 || errno == ENOENT)
		return 0;
	(void)snprintf(why, ATTACHMENT_WHY_MAX, "cannot remove %.200s: %s", path, strerror(errno));
	return -errno;
}

static int load(const char *path, struct attachment *ret, char why[ATTACHMENT_WHY_MAX])
{
	char text[ATTACHMENT_FILE_MAX];
	FILE *f = fopen(path, "re");

	if (f == NULL) {
		(void)snprintf(why, ATTACHMENT_WHY_MAX, "%s", strerror(errno));
		return -errno;
	}
	size_t len = fread(text, 1, sizeof(text), f);
	(void)fclose(f);
	cJSON *json = len < sizeof(text) ? cJSON_ParseWithLength(text, len) : NULL;
	int err = -EINVAL;
	if (json == NULL)
		(void)snprintf(why, ATTACHMENT_WHY_MAX, "it is no JSON");
	else
		err = attachment_decode(json, ret, why);
	cJSON_Delete(json);
	return err;
}

static bool ends_with(const char *text, const char *suffix)
{
	size_t len = strlen(text), n = strlen(suffix);

	return len >= n && strcmp(text + len - n, suffix) == 0;
}

int attachment_load_all(const char *state_dir,
	void (*f)(void *arg, const char *file, const struct attachment *a, const char *why),
	void *arg)
{
	char dir[PATH_LEN_MAX];

	(void)snprintf(dir, sizeof(dir), "%s/attachments", state_dir);
	DIR *d = opendir(dir);
	if (d == NULL)
		return errno == ENOENT ? 0 : -errno;
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		char path[PATH_LEN_MAX + 256], why[ATTACHMENT_WHY_MAX];
		struct attachment a;

		(void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (ends_with(e->d_name, SUFFIX TEMPORARY)) {
			(void)unlink(path);
		} else if (ends_with(e->d_name, SUFFIX)) {
			int ret = load(path, &a, why);

			f(arg, path, ret == 0 ? &a : NULL, ret == 0 ? NULL : why);
		}
	}
	(void)closedir(d);
	return 0;
}
