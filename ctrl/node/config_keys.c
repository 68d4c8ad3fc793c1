#include "ctrl/node/config_keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pmd/port.h"

#define IPV6_MTU_MIN 1280
#define MTU_MAX 65535
#define TIMEOUT_MAX_MS 600000

static const char *const store_kinds[] = {"dir", "kube", NULL};
static const char *const afxdp_modes[] = {"generic", "native", NULL};
static const char *const vhost_modes[] = {"client", "server", NULL};
static const char *const network_types[] = {"Overlay", "Underlay", NULL};
static const char *const ip_families[] = {"IPv4", "IPv6", "DualStack", NULL};

#define AT(field) \
	.offset = offsetof(struct config, field), .size = sizeof(((struct config *)0)->field)

const struct config_key config_keys[] = {
	{.path = "node.name", .type = CONFIG_CUSTOM, .parse = config_parse_node_name},
	{.path = "node.labels", .type = CONFIG_CUSTOM, .parse = config_parse_labels},
	{.path = "socket", .type = CONFIG_TEXT, AT(socket), .absolute = true},
	{.path = "runDir", .type = CONFIG_TEXT, AT(run_dir), .absolute = true},
	{.path = "stateDir", .type = CONFIG_TEXT, AT(state_dir), .absolute = true},
	{.path = "store.kind", .type = CONFIG_CHOICE_BOOL, AT(store_kube), .choices = store_kinds},
	{.path = "store.dir", .type = CONFIG_TEXT, AT(store_dir), .absolute = true},
	{.path = "store.kubeconfig",
		.type = CONFIG_TEXT,
		AT(kubeconfig),
		.absolute = true,
		.zero = true},
	{.path = "log.level", .type = CONFIG_CUSTOM, .parse = config_parse_log_level},
	{.path = "metrics.address", .type = CONFIG_TEXT, AT(metrics_address)},
	{.path = "metrics.port",
		.type = CONFIG_U16,
		AT(metrics_port),
		.min = 1,
		.max = 65535,
		.zero = true},
	{.path = "uplink.device", .type = CONFIG_TEXT, AT(uplink_device)},
	{.path = "uplink.queues",
		.type = CONFIG_U16,
		AT(uplink_queues),
		.min = 1,
		.max = PORT_QUEUES_MAX,
		.zero = true},
	{.path = "uplink.mtu",
		.type = CONFIG_U16,
		AT(uplink_mtu),
		.min = IPV6_MTU_MIN,
		.max = MTU_MAX,
		.zero = true},
	{.path = "uplink.carriesHost", .type = CONFIG_BOOL, AT(uplink_carries_host)},
	{.path = "host.interface", .type = CONFIG_CUSTOM, .parse = config_parse_host_ifname},
	{.path = "host.addresses", .type = CONFIG_CUSTOM, .parse = config_parse_addresses},
	{.path = "host.gateways", .type = CONFIG_CUSTOM, .parse = config_parse_gateways},
	{.path = "host.masquerade", .type = CONFIG_BOOL, AT(masquerade)},
	{.path = "vtep.address", .type = CONFIG_CUSTOM, .parse = config_parse_vtep},
	{.path = "vtep.port", .type = CONFIG_U16, AT(vxlan_port), .min = 1, .max = 65535},
	{.path = "workers.cpus", .type = CONFIG_CUSTOM, .parse = config_parse_cpus},
	{.path = "workers.busy", .type = CONFIG_BOOL, AT(busy)},
	{.path = "workers.buffers", .type = CONFIG_U32, AT(n_buffers), .min = 4096, .max = 4194304},
	{.path = "workers.memory",
		.type = CONFIG_U32,
		AT(memory_mb),
		.min = 64,
		.max = 1048576,
		.zero = true},
	{.path = "workers.rebalance.interval",
		.type = CONFIG_U32,
		AT(rebalance_interval),
		.min = 1,
		.max = 3600,
		.zero = true},
	{.path = "workers.rebalance.load",
		.type = CONFIG_U32,
		AT(rebalance_load),
		.min = 1,
		.max = 100},
	{.path = "workers.rebalance.gain",
		.type = CONFIG_U32,
		AT(rebalance_gain),
		.min = 1,
		.max = 100},
	{.path = "workers.rebalance.times",
		.type = CONFIG_U32,
		AT(rebalance_times),
		.min = 1,
		.max = 100},
	{.path = "workers.hugepages", .type = CONFIG_BOOL, AT(hugepages)},
	{.path = "ports.afxdp.mode",
		.type = CONFIG_CHOICE_BOOL,
		AT(afxdp_native),
		.choices = afxdp_modes},
	{.path = "ports.afxdp.ringSize",
		.type = CONFIG_U32,
		AT(afxdp_ring),
		.min = 64,
		.max = 4096,
		.power_of_two = true},
	{.path = "ports.vhostUser.mode",
		.type = CONFIG_CHOICE_BOOL,
		AT(vhost_server),
		.choices = vhost_modes},
	{.path = "ports.vhostUser.queues",
		.type = CONFIG_U32,
		AT(vhost_queues),
		.min = 1,
		.max = PORT_QUEUES_MAX},
	{.path = "ports.mtu",
		.type = CONFIG_U16,
		AT(pod_mtu),
		.min = IPV6_MTU_MIN,
		.max = MTU_MAX,
		.zero = true},
	{.path = "attach.timeout",
		.type = CONFIG_U32,
		AT(attach_timeout_ms),
		.min = 100,
		.max = TIMEOUT_MAX_MS},
	{.path = "attach.checkTimeout",
		.type = CONFIG_U32,
		AT(check_timeout_ms),
		.min = 50,
		.max = TIMEOUT_MAX_MS,
		.zero = true},
	{.path = "manager.enabled", .type = CONFIG_BOOL, AT(manager_enabled)},
	{.path = "manager.defaultNetworkType",
		.type = CONFIG_CHOICE_TEXT,
		AT(manager.default_network_type),
		.choices = network_types},
	{.path = "manager.defaultIPFamily",
		.type = CONFIG_CHOICE_TEXT,
		AT(manager.default_ip_family),
		.choices = ip_families},
	{.path = "manager.statefulKinds", .type = CONFIG_CUSTOM, .parse = config_parse_stateful},
	{.path = "manager.defaultIPRetain", .type = CONFIG_BOOL, AT(manager.default_ip_retain)},
	{.path = "manager.createDefaults", .type = CONFIG_BOOL, AT(manager.create_defaults)},
};
const size_t config_n_keys = sizeof(config_keys) / sizeof(config_keys[0]);

static int set_text(const struct config_key *key, const cJSON *value, void *field, char *why)
{
	const char *text = cJSON_GetStringValue(value);

	if (text == NULL) {
		(void)snprintf(why, CONFIG_WHY_MAX, "must be text (put it in quotes)");
		return -EINVAL;
	}
	if (strlen(text) >= key->size) {
		(void)snprintf(
			why, CONFIG_WHY_MAX, "is too long: at most %zu characters", key->size - 1);
		return -EINVAL;
	}
	if (key->absolute && text[0] != '/' && !(key->zero && text[0] == '\0')) {
		(void)snprintf(why, CONFIG_WHY_MAX,
			"is '%.100s', must be a path that begins with '/'", text);
		return -EINVAL;
	}
	strcpy(field, text);
	return 0;
}

static int set_number(const struct config_key *key, const cJSON *value, void *field, char *why)
{
	double n = cJSON_IsNumber(value) ? value->valuedouble : -1;
	bool good = (n >= key->min && n <= key->max) || (n == 0 && key->zero);

	// A fraction fails the second test.
	if (good && n == (double)(uint32_t)n &&
		(!key->power_of_two || ((uint32_t)n & ((uint32_t)n - 1)) == 0)) {
		if (key->type == CONFIG_U16)
			*(uint16_t *)field = (uint16_t)n;
		else
			*(uint32_t *)field = (uint32_t)n;
		return 0;
	}
	(void)snprintf(why, CONFIG_WHY_MAX, "must be a %s from %u to %u%s",
		key->power_of_two ? "power of two" : "whole number", key->min, key->max,
		key->zero ? ", or 0" : "");
	return -EINVAL;
}

static int set_choice(const struct config_key *key, const cJSON *value, void *field, char *why)
{
	const char *text = cJSON_GetStringValue(value);
	int len = snprintf(why, CONFIG_WHY_MAX, "must be ");

	for (size_t i = 0; key->choices[i] != NULL; i++) {
		if (text != NULL && strcmp(text, key->choices[i]) == 0) {
			if (key->type == CONFIG_CHOICE_BOOL)
				*(bool *)field = i == 1;
			else
				*(const char **)field = key->choices[i];
			return 0;
		}
		len += snprintf(why + len, CONFIG_WHY_MAX - (size_t)len, "%s%s",
			i > 0 ? " or " : "", key->choices[i]);
	}
	return -EINVAL;
}

int config_set(const struct config_key *key, const cJSON *value, struct config *c,
	char why[CONFIG_WHY_MAX])
{
	void *field = (char *)c + key->offset;

	switch (key->type) {
	case CONFIG_TEXT:
		return set_text(key, value, field, why);
	case CONFIG_U16:
	case CONFIG_U32:
		return set_number(key, value, field, why);
	case CONFIG_BOOL:
		if (!cJSON_IsBool(value)) {
			(void)snprintf(why, CONFIG_WHY_MAX, "must be true or false");
			return -EINVAL;
		}
		*(bool *)field = cJSON_IsTrue(value);
		return 0;
	case CONFIG_CHOICE_BOOL:
	case CONFIG_CHOICE_TEXT:
		return set_choice(key, value, field, why);
	case CONFIG_CUSTOM:
		return key->parse(value, c, why);
	}
	return -EINVAL;
}
