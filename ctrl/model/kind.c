// The kinds of object, and their names.
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "ctrl/model/object.h"

static const struct {
	const char *name, *plural, *api_version;
	bool namespaced;
} kinds[KIND_COUNT] = {
	[KIND_NETWORK] = {.name = "Network", .plural = "networks", .api_version = API_VERSION},
	[KIND_SUBNET] = {.name = "Subnet", .plural = "subnets", .api_version = API_VERSION},
	[KIND_IPINSTANCE] = {.name = "IPInstance",
		.plural = "ipinstances",
		.api_version = API_VERSION,
		.namespaced = true},
	[KIND_NODEINFO] = {.name = "NodeInfo", .plural = "nodeinfoes", .api_version = API_VERSION},
	[KIND_POD] = {.name = "Pod", .plural = "pods", .api_version = "v1", .namespaced = true},
	[KIND_NODE] = {.name = "Node", .plural = "nodes", .api_version = "v1"},
	[KIND_NAMESPACE] = {.name = "Namespace", .plural = "namespaces", .api_version = "v1"},
};

const char *kind_name(enum kind kind)
{
	return kinds[kind].name;
}

const char *kind_plural(enum kind kind)
{
	return kinds[kind].plural;
}

const char *kind_api_version(enum kind kind)
{
	return kinds[kind].api_version;
}

bool kind_namespaced(enum kind kind)
{
	return kinds[kind].namespaced;
}

bool kind_in_dir(enum kind kind)
{
	return kind != KIND_NODE && kind != KIND_NAMESPACE;
}

int kind_of_object(const cJSON *obj, enum kind *ret_kind)
{
	const char *kind = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(obj, "kind"));
	const char *api = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(obj, "apiVersion"));

	for (int i = 0; kind != NULL && api != NULL && i < KIND_COUNT; i++) {
		if (strcmp(kind, kinds[i].name) == 0 && strcmp(api, kinds[i].api_version) == 0) {
			*ret_kind = (enum kind)i;
			return 0;
		}
	}
	return -EINVAL;
}

int kind_parse(const char *text, enum kind *ret_kind)
{
	for (int i = 0; i < KIND_COUNT; i++) {
		const char *name = kinds[i].name;
		size_t len = strlen(name);

		if (!kind_in_dir((enum kind)i))
			continue;
		if (strcasecmp(text, kinds[i].plural) == 0 ||
			(strncasecmp(text, name, len) == 0 &&
				(text[len] == '\0' || strcasecmp(text + len, "s") == 0))) {
			*ret_kind = (enum kind)i;
			return 0;
		}
	}
	return -EINVAL;
}
