#include "ctrl/node/cni_request.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POD_NAME_FROM_ID 12 // characters of the container id

static const char *const command_names[CNI_COMMAND_COUNT] = {
	[CNI_ADD] = "ADD",
	[CNI_DEL] = "DEL",
	[CNI_CHECK] = "CHECK",
	[CNI_GC] = "GC",
	[CNI_STATUS] = "STATUS",
};

const char *cni_command_name(enum cni_command command)
{
	return command_names[command];
}

int cni_failure_set(struct cni_failure *f, int code, const char *details, const char *format, ...)
{
	va_list ap;

	f->code = code;
	va_start(ap, format);
	(void)vsnprintf(f->msg, sizeof(f->msg), format, ap);
	va_end(ap);
	(void)snprintf(f->details, sizeof(f->details), "%s", details != NULL ? details : "");
	return code;
}

int cni_failure_memory(struct cni_failure *f)
{
	return cni_failure_set(f, CNI_IO_FAILURE, CNI_MEMORY_REMEDY, "out of memory");
}

static const cJSON *get(const cJSON *json, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(json, key);
}

// "" for what is not there or no text.
static const char *text_of(const cJSON *json, const char *key)
{
	const char *text = cJSON_GetStringValue(get(json, key));

	return text != NULL ? text : "";
}

// Both become part of file names: no path characters, no leading dot.
bool cni_container_id_valid(const char *id)
{
	if (!isalnum((unsigned char)id[0]) || strlen(id) >= CONTAINER_ID_MAX)
		return false;
	for (const char *c = id; *c != '\0'; c++) {
		if (!isalnum((unsigned char)*c) && strchr("_.-", *c) == NULL)
			return false;
	}
	return true;
}

bool cni_ifname_valid(const char *name)
{
	if (name[0] == '\0' || name[0] == '.' || strlen(name) >= LINK_NAME_LEN)
		return false;
	for (const char *c = name; *c != '\0'; c++) {
		if (*c == '/' || *c == ':' || *c == '%' || !isgraph((unsigned char)*c))
			return false;
	}
	return true;
}

static bool dns_name_valid(const char *name, size_t max, bool dots)
{
	size_t len = strlen(name);

	if (len == 0 || len > max || !isalnum((unsigned char)name[0]) ||
		!isalnum((unsigned char)name[len - 1]))
		return false;
	for (const char *c = name; *c != '\0'; c++) {
		if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '-' &&
			!(dots && *c == '.'))
			return false;
	}
	return true;
}

static int parse_command(const cJSON *json, struct cni_request *r, struct cni_failure *f)
{
	const char *name = text_of(json, "cni");

	for (int i = 0; i < CNI_COMMAND_COUNT; i++) {
		if (strcmp(name, command_names[i]) == 0) {
			r->command = (enum cni_command)i;
			return 0;
		}
	}
	return cni_failure_set(f, CNI_BAD_ENVIRONMENT, "known: ADD, DEL, CHECK, GC, STATUS",
		"CNI_COMMAND '%.64s' is unknown", name);
}

static int parse_container(const cJSON *json, struct cni_request *r, struct cni_failure *f)
{
	const char *id = text_of(json, "containerID"), *ifname = text_of(json, "ifname");
	const char *netns = text_of(json, "netns");

	if (!cni_container_id_valid(id))
		return cni_failure_set(f, CNI_BAD_ENVIRONMENT,
			"1 to 127 letters, digits, '_', '.' and '-', a letter or digit first",
			"CNI_CONTAINERID '%.64s' is no container id", id);
	if (!cni_ifname_valid(ifname))
		return cni_failure_set(f, CNI_BAD_ENVIRONMENT,
			"1 to 15 characters without '/', ':', '%' and space, no '.' first",
			"CNI_IFNAME '%.64s' is no interface name", ifname);
	if (strlen(netns) >= sizeof(r->netns) || (netns[0] != '\0' && netns[0] != '/'))
		return cni_failure_set(f, CNI_BAD_ENVIRONMENT,
			"an absolute path of at most 255 characters",
			"CNI_NETNS '%.64s' is no path of a network namespace", netns);
	if (netns[0] == '\0' && (r->command == CNI_ADD || r->command == CNI_CHECK))
		return cni_failure_set(f, CNI_BAD_ENVIRONMENT,
			"the path of the pod's network namespace",
			"CNI_NETNS is not set, %s needs it", command_names[r->command]);
	strcpy(r->container_id, id);
	strcpy(r->ifname, ifname);
	strcpy(r->netns, netns);
	return 0;
}

// A pod nobody named is called after its container, in the form that object names have.
static void name_from_id(const char *id, char name[NAME_MAX_LEN])
{
	size_t n = 0;

	for (; n < POD_NAME_FROM_ID && id[n] != '\0'; n++)
		name[n] = isalnum((unsigned char)id[n]) ? (char)tolower((unsigned char)id[n]) : '-';
	while (n > 0 && name[n - 1] == '-')
		n--;
	name[n] = '\0';
}

static int parse_pod(const cJSON *args, struct cni_request *r, struct cni_failure *f)
{
	const char *namespace = text_of(args, "K8S_POD_NAMESPACE");
	const char *pod = text_of(args, "K8S_POD_NAME"), *uid = text_of(args, "K8S_POD_UID");

	if (namespace[0] == '\0')
	namespace = "default";
	if (!dns_name_valid(namespace, 63, false))
		return cni_failure_set(f, CNI_BAD_ENVIRONMENT,
			"a DNS label of at most 63 characters",
			"K8S_POD_NAMESPACE '%.64s' in CNI_ARGS is no namespace", namespace);
	if (pod[0] != '\0' && !dns_name_valid(pod, NAME_MAX_LEN - 1, true))
		return cni_failure_set(f, CNI_BAD_ENVIRONMENT,
			"a DNS name of at most 253 characters",
			"K8S_POD_NAME '%.64s' in CNI_ARGS is no pod name", pod);
	if (strlen(uid) >= sizeof(r->uid) ||
		strspn(uid, "0123456789abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != strlen(uid))
		return cni_failure_set(f, CNI_BAD_ENVIRONMENT, "at most 63 letters, digits and '-'",
			"K8S_POD_UID '%.64s' in CNI_ARGS is no uid", uid);
	strcpy(r->namespace, namespace);
	strcpy(r->uid, uid);
	if (pod[0] != '\0')
		strcpy(r->pod, pod);
	else
		name_from_id(r->container_id, r->pod);
	return 0;
}

// A mapping of texts, copied; NULL if it is not there.
static int parse_texts(const cJSON *strata, const char *key, cJSON **ret, struct cni_failure *f)
{
	const cJSON *map = get(strata, key), *item;

	if (map == NULL || cJSON_IsNull(map))
		return 0;
	if (!cJSON_IsObject(map))
		return cni_failure_set(f, CNI_BAD_CONFIGURATION, "a mapping of key to text",
			"args.strata.%s is no mapping", key);
	cJSON_ArrayForEach (item, map) {
		if (!cJSON_IsString(item) || item->string == NULL || item->string[0] == '\0')
			return cni_failure_set(f, CNI_BAD_CONFIGURATION, "a mapping of key to text",
				"args.strata.%s: the value of '%.100s' is no text", key,
				item->string != NULL ? item->string : "");
	}
	*ret = cJSON_Duplicate(map, true);
	return *ret != NULL ? 0 : cni_failure_memory(f);
}

// The part of the network configuration that is ours.
static int parse_strata(const cJSON *config, struct cni_request *r, struct cni_failure *f)
{
	const cJSON *strata = get(get(config, "args"), "strata");
	const cJSON *item;

	if (strata != NULL && !cJSON_IsObject(strata))
		return cni_failure_set(f, CNI_BAD_CONFIGURATION,
			"a mapping of portKind, annotations and labels",
			"args.strata is no mapping");
	cJSON_ArrayForEach (item, strata) {
		if (strcmp(item->string, "portKind") != 0 &&
			strcmp(item->string, "annotations") != 0 &&
			strcmp(item->string, "labels") != 0)
			return cni_failure_set(f, CNI_BAD_CONFIGURATION,
				"known: portKind, annotations, labels",
				"args.strata.%.64s is unknown", item->string);
	}
	const char *kind = text_of(strata, "portKind");
	if (get(strata, "portKind") != NULL && strcmp(kind, "afxdp") != 0 &&
		strcmp(kind, "vhost-user") != 0)
		return cni_failure_set(f, CNI_BAD_CONFIGURATION, "afxdp or vhost-user",
			"args.strata.portKind '%.64s' is unknown", kind);
	strcpy(r->port_kind, kind);
	int ret = parse_texts(strata, "annotations", &r->annotations, f);
	return ret != 0 ? ret : parse_texts(strata, "labels", &r->labels, f);
}

static int parse_config(const cJSON *json, struct cni_request *r, struct cni_failure *f)
{
	const cJSON *config = get(json, "config");
	const char *name = text_of(config, "name");

	if (!cJSON_IsObject(config) && r->command != CNI_DEL && r->command != CNI_STATUS)
		return cni_failure_set(f, CNI_BAD_CONFIGURATION,
			"the runtime gives it on standard input",
			"the network configuration is missing");
	if (strlen(name) >= sizeof(r->network_name))
		return cni_failure_set(f, CNI_BAD_CONFIGURATION, "at most 255 characters",
			"the network configuration's name is too long");
	strcpy(r->network_name, name);
	if (r->command == CNI_ADD)
		return parse_strata(config, r, f);
	if (r->command != CNI_GC)
		return 0;

	// Without the list nothing may be removed: an empty list means all, an absent one nothing.
	const cJSON *valid = get(config, "cni.dev/valid-attachments");
	if (!cJSON_IsArray(valid))
		return cni_failure_set(f, CNI_BAD_CONFIGURATION, "a list, which may be empty",
			"cni.dev/valid-attachments is missing");
	r->valid_attachments = cJSON_Duplicate(valid, true);
	return r->valid_attachments != NULL ? 0 : cni_failure_memory(f);
}

int cni_request_parse(const cJSON *json, struct cni_request *ret, struct cni_failure *f)
{
	struct cni_request r = {0};
	int code = parse_command(json, &r, f);

	if (code == 0 && r.command != CNI_GC && r.command != CNI_STATUS)
		code = parse_container(json, &r, f);
	if (code == 0 && r.command == CNI_ADD)
		code = parse_pod(get(json, "args"), &r, f);
	if (code == 0)
		code = parse_config(json, &r, f);
	if (code != 0)
		cni_request_fini(&r);
	*ret = r;
	return code;
}

void cni_request_fini(struct cni_request *r)
{
	cJSON_Delete(r->labels);
	cJSON_Delete(r->annotations);
	cJSON_Delete(r->valid_attachments);
	r->labels = r->annotations = r->valid_attachments = NULL;
}
