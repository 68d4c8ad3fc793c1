// Configuration values that are more than a number, a word or a choice.
#include "ctrl/node/config_keys.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/port.h"

#define CPU_MAX 1023
#define ADDRESSES_MAX 64
#define HOST_PEER_SUFFIX_LEN 3 // "-sw"

static int bad(char *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int bad(char *why, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(why, CONFIG_WHY_MAX, format, ap);
	va_end(ap);
	return -EINVAL;
}

// A DNS subdomain, as names of Kubernetes nodes are.
int config_parse_node_name(const cJSON *value, struct config *c, char why[CONFIG_WHY_MAX])
{
	const char *text = cJSON_GetStringValue(value);

	if (text == NULL || text[0] == '\0' || strlen(text) >= sizeof(c->node_name) ||
		strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-.") != strlen(text) ||
		!isalnum((unsigned char)text[0]) || !isalnum((unsigned char)text[strlen(text) - 1]))
		return bad(why, "must be a DNS name: lower-case letters, digits, '-' and '.'");
	strcpy(c->node_name, text);
	return 0;
}

int config_parse_labels(const cJSON *value, struct config *c, char why[CONFIG_WHY_MAX])
{
	const cJSON *label;

	if (!cJSON_IsObject(value))
		return bad(why, "must be a mapping of label to value");
	cJSON_ArrayForEach (label, value) {
		if (!cJSON_IsString(label))
			return bad(why, "has '%.100s' whose value must be text (put it in quotes)",
				label->string);
	}
	size_t n = (size_t)cJSON_GetArraySize(value);
	c->node_labels.kv = calloc(n > 0 ? n : 1, sizeof(*c->node_labels.kv));
	if (c->node_labels.kv == NULL)
		return -ENOMEM;
	cJSON_ArrayForEach (label, value) {
		struct key_value *kv = &c->node_labels.kv[c->node_labels.n++];

		kv->key = strdup(label->string);
		kv->value = strdup(label->valuestring);
		if (kv->key == NULL || kv->value == NULL)
			return -ENOMEM;
	}
	return 0;
}

int config_parse_log_level(const cJSON *value, struct config *c, char why[CONFIG_WHY_MAX])
{
	const char *text = cJSON_GetStringValue(value);

	if (text == NULL || log_level_parse(text, &c->log_level) < 0)
		return bad(why, "must be error, warn, notice or debug");
	return 0;
}

// The switch's end of the host port is called after the kernel's: there must be room for that.
int config_parse_host_ifname(const cJSON *value, struct config *c, char why[CONFIG_WHY_MAX])
{
	const char *text = cJSON_GetStringValue(value);
	size_t max = LINK_NAME_LEN - 1 - HOST_PEER_SUFFIX_LEN;

	if (text == NULL || text[0] == '\0' || text[0] == '.' || strlen(text) > max ||
		strpbrk(text, "/: \t\n%") != NULL)
		return bad(why, "must be an interface name of at most %zu characters", max);
	strcpy(c->host_ifname, text);
	return 0;
}

int config_parse_addresses(const cJSON *value, struct config *c, char why[CONFIG_WHY_MAX])
{
	int n = cJSON_GetArraySize(value);
	const cJSON *item;

	if (!cJSON_IsArray(value))
		return bad(why, "must be a list such as [192.0.2.10/24, \"2001:db8::10/64\"]");
	if (n > ADDRESSES_MAX)
		return bad(why, "has more than %d addresses", ADDRESSES_MAX);
	c->host_addr = calloc(n > 0 ? (size_t)n : 1, sizeof(*c->host_addr));
	if (c->host_addr == NULL)
		return -ENOMEM;
	cJSON_ArrayForEach (item, value) {
		const char *text = cJSON_GetStringValue(item);
		struct cidr cidr;

		if (text == NULL || strchr(text, '/') == NULL || cidr_parse(text, &cidr) < 0)
			return bad(why,
				"has '%.60s', must be address/prefix length, such as 192.0.2.10/24",
				text != NULL ? text : "something that is not text");
		struct link_address *a = &c->host_addr[c->n_host_addr++];
		a->ip = cidr.ip;
		a->prefix_len = (uint8_t)(ip_is_v4(&cidr.ip) ? cidr.len - 96 : cidr.len);
	}
	return 0;
}

int config_parse_gateways(const cJSON *value, struct config *c, char why[CONFIG_WHY_MAX])
{
	const cJSON *item;

	if (!cJSON_IsArray(value))
		return bad(why, "must be a list such as [192.0.2.1, \"2001:db8::1\"]");
	cJSON_ArrayForEach (item, value) {
		const char *text = cJSON_GetStringValue(item);
		struct in6_addr ip;

		if (text == NULL || ip_parse(text, &ip) < 0)
			return bad(why, "has '%.60s', must be an IP address",
				text != NULL ? text : "something that is not text");
		struct in6_addr *gateway = ip_is_v4(&ip) ? &c->host_gateway4 : &c->host_gateway6;
		if (!IN6_IS_ADDR_UNSPECIFIED(gateway))
			return bad(why, "has '%s', one gateway of each family is the most", text);
		*gateway = ip;
	}
	return 0;
}

int config_parse_vtep(const cJSON *value, struct config *c, char why[CONFIG_WHY_MAX])
{
	const char *text = cJSON_GetStringValue(value);

	if (text == NULL || ip_parse(text, &c->vtep) < 0)
		return bad(why, "must be an IP address, without a prefix length");
	return 0;
}

int config_parse_cpus(const cJSON *value, struct config *c, char why[CONFIG_WHY_MAX])
{
	int n = cJSON_GetArraySize(value);
	const cJSON *item;

	if (!cJSON_IsArray(value) || n == 0 || n > PORT_QUEUES_MAX)
		return bad(why, "must be a list of 1 to %d CPU numbers, such as [2, 3]",
			PORT_QUEUES_MAX);
	uint16_t *cpus = calloc((size_t)n, sizeof(*cpus));
	if (cpus == NULL)
		return -ENOMEM;
	free(c->worker_cpus);
	c->worker_cpus = cpus;
	c->has_worker_cpus = true;
	c->n_worker_cpus = 0;
	cJSON_ArrayForEach (item, value) {
		double cpu = cJSON_IsNumber(item) ? item->valuedouble : -1;

		if (cpu < 0 || cpu > CPU_MAX || cpu != (double)(int)cpu)
			return bad(why, "must be a list of CPU numbers from 0 to %d", CPU_MAX);
		for (size_t i = 0; i < c->n_worker_cpus; i++) {
			if (cpus[i] == (uint16_t)cpu)
				return bad(why, "has CPU %d twice", (int)cpu);
		}
		cpus[c->n_worker_cpus++] = (uint16_t)cpu;
	}
	return 0;
}

// A list in the file; the manager wants it joined by commas.
int config_parse_stateful(const cJSON *value, struct config *c, char why[CONFIG_WHY_MAX])
{
	char joined[512] = "";
	size_t len = 0;
	const cJSON *item;

	if (!cJSON_IsArray(value))
		return bad(why, "must be a list of kinds, such as [StatefulSet]");
	cJSON_ArrayForEach (item, value) {
		const char *text = cJSON_GetStringValue(item);

		if (text == NULL || text[0] == '\0' || strchr(text, ',') != NULL)
			return bad(why, "must be a list of kinds, such as [StatefulSet]");
		if (len + 1 + strlen(text) >= sizeof(joined))
			return bad(why, "is too long");
		len += (size_t)sprintf(joined + len, "%s%s", len > 0 ? "," : "", text);
	}
	char *copy = strdup(joined);
	if (copy == NULL)
		return -ENOMEM;
	free((void *)(uintptr_t)c->manager.stateful_kinds);
	c->manager.stateful_kinds = copy;
	return 0;
}
