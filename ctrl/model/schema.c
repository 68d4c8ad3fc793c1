// Which fields an object may have: hybridnet's schema, Strata's spec.switchID and the conditions
// in a status. A misspelt field is found here; decoders only read the fields they know.
#include <stdio.h>
#include <string.h>

#include "ctrl/model/field.h"

#define FIELD_SHOWN_MAX 80 // characters of an unknown field's name in a message

// A mapping of a kind (or each mapping of a list) and the names of its fields. A field whose own
// contents are free (labels, conditions) has no entry.
struct mapping {
	const char *path;
	const char *fields; // separated by spaces
};

static const struct mapping network_schema[] = {
	{"", "apiVersion kind metadata spec status"},
	{"spec", "nodeSelector netID type mode config switchID"},
	{"spec.config", "bgpPeers"},
	{"spec.config.bgpPeers", "asn address gracefulRestartSeconds password doesNotRouteTraffic"
				 " allowNotEstablished"},
	{"status", "lastAllocatedSubnet lastAllocatedIPv6Subnet subnetList nodeList statistics"
		   " ipv6Statistics dualStackStatistics conditions"},
	{"status.statistics", "total used available"},
	{"status.ipv6Statistics", "total used available"},
	{"status.dualStackStatistics", "total used available"},
	{NULL, NULL},
};
static const struct mapping subnet_schema[] = {
	{"", "apiVersion kind metadata spec status"},
	{"spec", "network netID range config"},
	{"spec.range", "version cidr start end gateway reservedIPs excludeIPs"},
	{"spec.config", "autoNatOutgoing private gatewayType gatewayNode allowSubnets"},
	{"status", "total used available lastAllocatedIP conditions"},
	{NULL, NULL},
};
static const struct mapping ipinstance_schema[] = {
	{"", "apiVersion kind metadata spec status"},
	{"spec", "network subnet address binding"},
	{"spec.address", "version ip gateway netID mac"},
	{"spec.binding", "referredObject nodeName podUID podName stateful"},
	{"spec.binding.referredObject", "kind name uid"},
	{"spec.binding.stateful", "index"},
	{"status", "nodeName podName podNamespace sandboxID updateTimestamp conditions"},
	{NULL, NULL},
};
static const struct mapping nodeinfo_schema[] = {
	{"", "apiVersion kind metadata spec status"},
	{"spec", "vtepInfo"},
	{"spec.vtepInfo", "ip mac localIPs"},
	{"status", "updateTimestamp conditions"},
	{NULL, NULL},
};

static const struct mapping *const schemas[KIND_COUNT] = {
	[KIND_NETWORK] = network_schema,
	[KIND_SUBNET] = subnet_schema,
	[KIND_IPINSTANCE] = ipinstance_schema,
	[KIND_NODEINFO] = nodeinfo_schema,
};

static bool is_one_of(const char *name, const char *fields)
{
	size_t len = strlen(name);

	while (*fields != '\0') {
		size_t field_len = strcspn(fields, " ");

		if (field_len == len && memcmp(fields, name, len) == 0)
			return true;
		fields += field_len;
		fields += strspn(fields, " ");
	}
	return false;
}

// What stands at path, NULL if nothing does.
static const cJSON *at_path(const cJSON *json, const char *path)
{
	while (json != NULL && *path != '\0') {
		size_t len = strcspn(path, ".");
		const cJSON *field = cJSON_IsObject(json) ? json->child : NULL;

		while (field != NULL &&
			(strncmp(field->string, path, len) != 0 || field->string[len] != '\0'))
			field = field->next;
		json = field;
		path += len;
		path += *path == '.';
	}
	return json;
}

static const char *unknown_in(const cJSON *json, const struct mapping *m)
{
	const cJSON *field;

	if (!cJSON_IsObject(json))
		return NULL;
	cJSON_ArrayForEach (field, json) {
		if (!is_one_of(field->string, m->fields))
			return field->string;
	}
	return NULL;
}

// The first unknown field of a mapping, or of the mappings of a list.
static const char *unknown_at(const cJSON *json, const struct mapping *m)
{
	const char *unknown = NULL;
	const cJSON *entry;

	if (!cJSON_IsArray(json))
		return unknown_in(json, m);
	cJSON_ArrayForEach (entry, json) {
		unknown = unknown_in(entry, m);
		if (unknown != NULL)
			break;
	}
	return unknown;
}

const char *object_unknown_field(const cJSON *json, bool status, char buf[MODEL_ERROR_MAX])
{
	enum kind kind;

	if (kind_of_object(json, &kind) < 0 || schemas[kind] == NULL)
		return NULL;
	for (const struct mapping *m = schemas[kind]; m->path != NULL; m++) {
		if (!status && strncmp(m->path, "status", strlen("status")) == 0)
			continue;
		const char *unknown = unknown_at(at_path(json, m->path), m);

		if (unknown == NULL)
			continue;
		(void)snprintf(buf, MODEL_ERROR_MAX, "%s%s%.*s", m->path,
			m->path[0] != '\0' ? "." : "", FIELD_SHOWN_MAX, unknown);
		return buf;
	}
	return NULL;
}
