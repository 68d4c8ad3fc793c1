#include "ctrl/manager/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

// What the pod says, as text; NULL where it says nothing.
struct wish {
	const char *network, *subnets, *type, *family;
};

static bool refuse(char error[IPAM_ERROR_MAX], const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static bool refuse(char error[IPAM_ERROR_MAX], const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(error, IPAM_ERROR_MAX, format, ap);
	va_end(ap);
	return false;
}

// An annotation, or else a label of that key.
static const char *said(const struct pod *pod, const char *key)
{
	const char *value = key_values_get(&pod->obj.meta.annotations, key);

	if (value == NULL || value[0] == '\0')
		value = key_values_get(&pod->obj.meta.labels, key);
	return value != NULL && value[0] != '\0' ? value : NULL;
}

static const struct network *get_network(const struct manager *m, const char *name)
{
	return (const void *)cache_get(m->cache, KIND_NETWORK, NULL, name);
}

static const struct subnet_obj *get_subnet(const struct manager *m, const char *name)
{
	return (const void *)cache_get(m->cache, KIND_SUBNET, NULL, name);
}

static bool parse_type(const char *text, enum network_type *ret)
{
	static const char *const names[] = {
		[NETWORK_UNDERLAY] = "Underlay",
		[NETWORK_OVERLAY] = "Overlay",
		[NETWORK_GLOBAL_BGP] = "GlobalBGP",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcasecmp(text, names[i]) != 0)
			continue;
		*ret = (enum network_type)i;
		return true;
	}
	return false;
}

// "subnet" or "v4/v6" into the plan, and the Network they belong to into *network.
static bool plan_subnets(const struct manager *m, const char *text, struct pod_plan *plan,
	const char **network, char error[IPAM_ERROR_MAX])
{
	char first[NAME_MAX_LEN], second[NAME_MAX_LEN] = "";
	const char *slash = strchr(text, '/');
	const struct subnet_obj *a, *b = NULL;

	if (slash != NULL && strchr(slash + 1, '/') != NULL)
		return refuse(error, "cannot have more than two specified subnet in dualstack");
	(void)snprintf(first, sizeof(first), "%.*s",
		slash != NULL ? (int)(slash - text) : NAME_MAX_LEN - 1, text);
	if (slash != NULL)
		(void)snprintf(second, sizeof(second), "%s", slash + 1);
	a = get_subnet(m, first);
	if (a == NULL)
		return refuse(error, "specified subnet %s not found", first);
	if (slash != NULL) {
		b = get_subnet(m, second);
		if (b == NULL)
			return refuse(error, "specified subnet %s not found", second);
		if (strcmp(a->range.version, "4") != 0)
			return refuse(error,
				"when both ipv4/ipv6 subnets are specified, the subnet name in "
				"front of the \"/\" should be an ipv4 subnet");
		if (strcmp(b->range.version, "6") != 0)
			return refuse(error,
				"when both ipv4/ipv6 subnets are specified, the subnet name "
				"after the \"/\" should be an ipv6 subnet");
		if (strcmp(a->network, b->network) != 0)
			return refuse(
				error, "the networks of ipv4/ipv6 subnets need to be the same");
	}
	if (*network != NULL && strcmp(*network, a->network) != 0)
		return refuse(error, "specified network and subnet conflict in %s %s/%s", *network,
			first, second);
	*network = a->network;
	// One alone goes to the family that was asked for: IPAM says so if it is not of that.
	bool six = slash == NULL &&
		   (plan->family == IP_FAMILY_IPV6 || (plan->family == IP_FAMILY_DUAL_STACK &&
							      strcmp(a->range.version, "6") == 0));
	(void)snprintf(six ? plan->subnet6 : plan->subnet4, NAME_MAX_LEN, "%s", first);
	if (slash != NULL)
		(void)snprintf(plan->subnet6, NAME_MAX_LEN, "%s", second);
	return true;
}

struct search {
	const struct nodeinfo *node; // NULL: not known (yet)
	enum network_type type;
	const struct network *found;
};

static bool match(const struct object *obj, const cJSON *, void *arg)
{
	struct search *s = arg;
	const struct network *n = (const void *)obj;

	if (n->type != s->type || obj->meta.deleting || object_is_kept(obj))
		return true;
	if (s->type == NETWORK_UNDERLAY && (s->node == NULL || !network_has_node(n, s->node)))
		return true;
	s->found = n;
	return false;
}

static const struct nodeinfo *get_node(const struct manager *m, const struct pod *pod)
{
	return (const void *)cache_get(m->cache, KIND_NODEINFO, NULL, pod->node_name);
}

static bool plan_by_type(const struct manager *m, const struct pod *pod, enum network_type type,
	struct pod_plan *plan, char error[IPAM_ERROR_MAX])
{
	struct search s = {.node = get_node(m, pod), .type = type};

	cache_each(m->cache, KIND_NETWORK, match, &s);
	if (s.found == NULL && type == NETWORK_UNDERLAY)
		return refuse(error, "unable to find underlay network for node %s", pod->node_name);
	if (s.found == NULL)
		return refuse(error, "unable to find %s network",
			type == NETWORK_OVERLAY ? "overlay" : "global bgp");
	(void)snprintf(plan->network, sizeof(plan->network), "%s", s.found->obj.meta.name);
	return true;
}

static bool plan_specified(const struct manager *m, const struct pod *pod, const char *name,
	const char *type_text, struct pod_plan *plan, char error[IPAM_ERROR_MAX])
{
	const struct network *n = get_network(m, name);
	const struct nodeinfo *node = get_node(m, pod);
	enum network_type type;

	if (n == NULL)
		return refuse(error, "specified network %s not found", name);
	if (type_text != NULL && parse_type(type_text, &type) && type != n->type)
		return refuse(error, "specified network %s does not match network type %s", name,
			type_text);
	if (n->type == NETWORK_UNDERLAY && (node == NULL || !network_has_node(n, node)))
		return refuse(error, "specified network %s has no node %s", name, pod->node_name);
	(void)snprintf(plan->network, sizeof(plan->network), "%s", name);
	return true;
}

bool pod_plan_make(const struct manager *m, const struct pod *pod, struct pod_plan *ret_plan,
	char error[IPAM_ERROR_MAX])
{
	const struct wish wish = {
		.network = said(pod, ANNOTATION_SPECIFIED_NETWORK),
		.subnets = said(pod, ANNOTATION_SPECIFIED_SUBNET),
		.type = said(pod, ANNOTATION_NETWORK_TYPE),
		.family = key_values_get(&pod->obj.meta.annotations, ANNOTATION_IP_FAMILY),
	};
	const char *family =
		wish.family != NULL && wish.family[0] != '\0' ? wish.family : m->ip_family;
	const char *type_text = wish.type != NULL ? wish.type : m->network_type;
	const char *network = wish.network;
	enum network_type type = NETWORK_UNDERLAY;
	struct pod_plan plan = {.family = IP_FAMILY_IPV4};

	if (family[0] != '\0' && ip_family_parse(family, &plan.family) < 0)
		return refuse(error, "unrecognized ip family %s", family);
	if (type_text[0] != '\0' && !parse_type(type_text, &type))
		return refuse(error, "unrecognized network type %s", type_text);
	if (wish.subnets != NULL && !plan_subnets(m, wish.subnets, &plan, &network, error))
		return false;
	bool ok = network != NULL ? plan_specified(m, pod, network, wish.type, &plan, error)
				  : plan_by_type(m, pod, type, &plan, error);
	if (ok)
		*ret_plan = plan;
	return ok;
}
