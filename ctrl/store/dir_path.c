// Which files of the directory count, and where an object of the program's own goes.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctrl/store/dir.h"

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), s = strlen(suffix);
	return n > s && strcmp(name + n - s, suffix) == 0;
}

static bool name_counts(const char *name)
{
	if (name[0] == '.' || name[0] == '#' || name[0] == '~')
		return false;
	return has_suffix(name, ".yaml") || has_suffix(name, ".yml") || has_suffix(name, ".json");
}

// The kind whose plural is the first part of path; the rest after its slash, NULL if there is none.
static int folder_kind(const char *path, enum kind *ret_kind, const char **ret_rest)
{
	size_t len = strcspn(path, "/");

	for (enum kind k = 0; k < KIND_COUNT; k++) {
		const char *plural = kind_plural(k);
		if (kind_in_dir(k) && strlen(plural) == len && strncmp(path, plural, len) == 0) {
			*ret_kind = k;
			*ret_rest = path[len] == '/' ? path + len + 1 : NULL;
			return 0;
		}
	}
	return -EINVAL;
}

static const char *after_status(const char *path)
{
	size_t len = strlen(DIR_STATUS);
	return strncmp(path, DIR_STATUS "/", len + 1) == 0 ? path + len + 1 : NULL;
}

enum path_class dir_path_class(const char *path)
{
	const char *base = strrchr(path, '/'), *rest = after_status(path);
	enum kind kind;
	bool status = rest != NULL;

	if (!name_counts(base != NULL ? base + 1 : path))
		return PATH_IGNORED;
	if (base == NULL)
		return PATH_OBJECTS;
	if (folder_kind(status ? rest : path, &kind, &rest) < 0 || rest == NULL)
		return PATH_IGNORED;
	const char *slash = strchr(rest, '/');
	if (slash != NULL && (!kind_namespaced(kind) || strchr(slash + 1, '/') != NULL))
		return PATH_IGNORED;
	return status ? PATH_STATUS : PATH_OBJECTS;
}

bool dir_path_is_folder(const char *path)
{
	const char *rest = after_status(path);
	enum kind kind;

	if (path[0] == '\0' || strcmp(path, DIR_STATUS) == 0)
		return true;
	if (folder_kind(rest != NULL ? rest : path, &kind, &rest) < 0)
		return false;
	return rest == NULL ||
	       (kind_namespaced(kind) && rest[0] != '.' && strchr(rest, '/') == NULL);
}

// A DNS subdomain (a label for namespaces): also what makes a name safe in a path.
static bool name_is_valid(const char *name, size_t max)
{
	static const char inner[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
	size_t len = strlen(name);

	return len > 0 && len <= max && strspn(name, inner) == len &&
	       strchr("-.", name[0]) == NULL && strchr("-.", name[len - 1]) == NULL &&
	       strstr(name, "..") == NULL;
}

int dir_key_make(enum kind kind, const char *namespace, const char *name, char key[DIR_KEY_MAX],
	char why[MODEL_ERROR_MAX])
{
	bool namespaced = kind_namespaced(kind);

	if (name == NULL || !name_is_valid(name, NAME_MAX_LEN - 1)) {
		(void)snprintf(why, MODEL_ERROR_MAX, "metadata.name '%.64s' is not a name",
			name != NULL ? name : "");
		return -EINVAL;
	}
	if (namespace == NULL || namespace[0] == '\0')
	namespace = "default";
	if (namespaced && (!name_is_valid(namespace, 63) || strchr(namespace, '.') != NULL)) {
		(void)snprintf(why, MODEL_ERROR_MAX, "metadata.namespace '%.64s' is not a name",
			namespace);
		return -EINVAL;
	}
	if (namespaced)
		(void)snprintf(key, DIR_KEY_MAX, "%u/%s/%s", (unsigned int)kind, namespace, name);
	else
		(void)snprintf(key, DIR_KEY_MAX, "%u/%s", (unsigned int)kind, name);
	return 0;
}

int dir_key_of(
	const cJSON *obj, enum kind *ret_kind, char key[DIR_KEY_MAX], char why[MODEL_ERROR_MAX])
{
	const cJSON *meta = cJSON_GetObjectItemCaseSensitive(obj, "metadata");
	const cJSON *namespace = cJSON_GetObjectItemCaseSensitive(meta, "namespace");
	enum kind kind;

	if (!cJSON_IsObject(obj)) {
		(void)snprintf(why, MODEL_ERROR_MAX, "not an object");
		return -EINVAL;
	}
	if (kind_of_object(obj, &kind) < 0 || !kind_in_dir(kind)) {
		const char *k = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(obj, "kind"));
		const char *v =
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(obj, "apiVersion"));
		(void)snprintf(why, MODEL_ERROR_MAX, "unknown kind '%.64s' of apiVersion '%.64s'",
			k != NULL ? k : "", v != NULL ? v : "");
		return -EINVAL;
	}
	if (namespace != NULL && !cJSON_IsString(namespace)) {
		(void)snprintf(why, MODEL_ERROR_MAX, "metadata.namespace is not a string");
		return -EINVAL;
	}
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, "name"));
	int ret = dir_key_make(kind, cJSON_GetStringValue(namespace), name, key, why);
	if (ret == 0)
		*ret_kind = kind;
	return ret;
}

const char *dir_key_text(const char *key)
{
	return strchr(key, '/') + 1;
}

void dir_key_path(const char *key, bool status, char path[DIR_PATH_MAX])
{
	enum kind kind = (enum kind)(key[0] - '0');

	(void)snprintf(path, DIR_PATH_MAX, "%s%s/%s.yaml", status ? DIR_STATUS "/" : "",
		kind_plural(kind), dir_key_text(key));
}

int dir_status_path_key(const char *path, char key[DIR_KEY_MAX])
{
	const char *rest = after_status(path), *slash;
	char namespace[DIR_PATH_MAX], name[DIR_PATH_MAX], why[MODEL_ERROR_MAX];
	enum kind kind;

	if (rest == NULL || !has_suffix(path, ".yaml") || folder_kind(rest, &kind, &rest) < 0 ||
		rest == NULL)
		return -EINVAL;
	slash = strchr(rest, '/');
	if ((slash != NULL) != kind_namespaced(kind))
		return -EINVAL;
	(void)snprintf(namespace, sizeof(namespace), "%.*s",
		slash != NULL ? (int)(slash - rest) : 0, rest);
	(void)snprintf(name, sizeof(name), "%s", slash != NULL ? slash + 1 : rest);
	name[strlen(name) - strlen(".yaml")] = '\0';
	return dir_key_make(kind, namespace, name, key, why);
}
