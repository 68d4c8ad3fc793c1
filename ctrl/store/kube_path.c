#include "ctrl/store/kube_path.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

// DNS labels and subdomains need no escape; anything else would mean another path.
static bool is_name(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len < NAME_MAX_LEN &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789.-") == len && text[0] != '.';
}

static void put_prefix(enum kind kind, char path[KUBE_PATH_MAX])
{
	const char *version = kind_api_version(kind);

	(void)snprintf(path, KUBE_PATH_MAX, "/%s/%s", strchr(version, '/') != NULL ? "apis" : "api",
		version);
}

int kube_path_collection(enum kind kind, const char *namespace, char path[KUBE_PATH_MAX])
{
	char prefix[KUBE_PATH_MAX];

	put_prefix(kind, prefix);
	if (!kind_namespaced(kind) || namespace == NULL) {
		(void)snprintf(path, KUBE_PATH_MAX, "%.256s/%s", prefix, kind_plural(kind));
		return 0;
	}
	if (namespace[0] == '\0')
	namespace = "default";
	if (!is_name(namespace))
		return -EINVAL;
	(void)snprintf(path, KUBE_PATH_MAX, "%.256s/namespaces/%s/%s", prefix, namespace,
		kind_plural(kind));
	return 0;
}

int kube_path_object(const struct store_name *name, const char *sub, char path[KUBE_PATH_MAX])
{
	int ret = kube_path_collection(
		name->kind, name->namespace != NULL ? name->namespace : "", path);

	if (ret < 0 || !is_name(name->name))
		return -EINVAL;
	size_t at = strlen(path);
	(void)snprintf(path + at, KUBE_PATH_MAX - at, "/%s%s%s", name->name, sub != NULL ? "/" : "",
		sub != NULL ? sub : "");
	return 0;
}

int kube_path_query(char path[KUBE_PATH_MAX], const char *name, const char *value)
{
	size_t at = strlen(path);
	size_t left = KUBE_PATH_MAX - at;

	at += (size_t)snprintf(
		path + at, left, "%c%s=", strchr(path, '?') != NULL ? '&' : '?', name);
	if (at >= KUBE_PATH_MAX)
		return -EMSGSIZE;
	for (const char *c = value; *c != '\0'; c++) {
		if (at + sizeof("%00") > KUBE_PATH_MAX)
			return -EMSGSIZE;
		if (isalnum((unsigned char)*c) || strchr("-._~", *c) != NULL)
			path[at++] = *c;
		else
			at += (size_t)sprintf(path + at, "%%%02X", (unsigned char)*c);
		path[at] = '\0';
	}
	return 0;
}

int kube_name_of(const cJSON *obj, struct store_name *ret_name)
{
	const cJSON *meta = cJSON_GetObjectItemCaseSensitive(obj, "metadata");
	enum kind kind;

	if (kind_of_object(obj, &kind) < 0)
		return -EINVAL;
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, "name"));
	if (name == NULL)
		return -EINVAL;
	*ret_name = (struct store_name){
		.kind = kind,
		.namespace =
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, "namespace")),
		.name = name,
	};
	return 0;
}
