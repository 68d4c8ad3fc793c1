// The levels of priority, one after the other; nothing of a lower level is looked at once a higher
// one has said anything.
#include "ctrl/ipam/selection.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

// What an object asks for, as text; NULL where it says nothing.
struct wish {
	const struct object *by;
	const char *network, *subnets, *type, *family;
};

__attribute__((format(printf, 2, 3))) static bool refuse(
	char error[SELECTION_ERROR_MAX], const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(error, SELECTION_ERROR_MAX, format, ap);
	va_end(ap);
	return false;
}

// ── Words ──────────────────────────────────────────────────────────────────────────────────────

bool selection_in_list(const char *list, const char *item)
{
	size_t len = strlen(item);

	for (const char *p = list != NULL ? list : ""; *p != '\0'; p += strspn(p, ", ")) {
		size_t n = strcspn(p, ", ");
		if (n == len && n > 0 && strncmp(p, item, n) == 0)
			return true;
		p += n;
	}
	return false;
}

bool selection_parse_bool(const char *text, bool *ret)
{
	bool on = selection_in_list("1,t,T,true,TRUE,True", text);

	if (!on && !selection_in_list("0,f,F,false,FALSE,False", text))
		return false;
	*ret = on;
	return true;
}

bool selection_is_stateful(const struct selection_conf *conf, const struct pod *pod)
{
	const struct owner_ref *o = pod_controller(pod);

	return o != NULL && o->kind != NULL && selection_in_list(conf->stateful_kinds, o->kind);
}

bool selection_retains(const struct selection_conf *conf, const struct pod *pod)
{
	const char *text = key_values_get(&pod->obj.meta.annotations, ANNOTATION_IP_RETAIN);
	bool retain = conf->ip_retain; // also if the text is no bool

	if (!selection_is_stateful(conf, pod))
		return false;
	if (text != NULL)
		(void)selection_parse_bool(text, &retain);
	return retain;
}

const char *selection_said(const struct object *obj, const char *key)
{
	const char *value = key_values_get(&obj->meta.annotations, key);

	if (value == NULL || value[0] == '\0')
		value = key_values_get(&obj->meta.labels, key);
	return value != NULL && value[0] != '\0' ? value : NULL;
}

const char *selection_type_text(enum network_type type)
{
	static const char *const texts[] = {
		[NETWORK_UNDERLAY] = "Underlay",
		[NETWORK_OVERLAY] = "Overlay",
		[NETWORK_GLOBAL_BGP] = "GlobalBGP",
	};

	return (size_t)type < sizeof(texts) / sizeof(texts[0]) ? texts[type] : "";
}

const char *selection_family_text(enum ip_family family)
{
	static const char *const texts[] = {
		[IP_FAMILY_IPV4] = "IPv4Only",
		[IP_FAMILY_IPV6] = "IPv6Only",
		[IP_FAMILY_DUAL_STACK] = "DualStack",
	};

	return texts[family];
}

bool selection_parse_type(const char *text, enum network_type *ret_type)
{
	for (enum network_type t = NETWORK_UNDERLAY; t <= NETWORK_GLOBAL_BGP; t++) {
		if (strcasecmp(text, selection_type_text(t)) != 0)
			continue;
		*ret_type = t;
		return true;
	}
	return false;
}

// ── Subnets ────────────────────────────────────────────────────────────────────────────────────

// The Subnets that are asked for, by name: one, or an IPv4 and an IPv6 one of the same Network.
static bool find_subnets(const struct selection_lookup *lookup, const char *text,
	const struct subnet_obj *ret[2], char error[SELECTION_ERROR_MAX])
{
	const char *slash = strchr(text, '/');
	char name[NAME_MAX_LEN];

	if (slash != NULL && strchr(slash + 1, '/') != NULL)
		return refuse(error, "cannot have more than two specified subnet in dualstack");
	for (int i = 0; i < (slash != NULL ? 2 : 1); i++) {
		const char *start = i == 0 ? text : slash + 1;
		(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(start, "/"), start);
		ret[i] = lookup->subnet(lookup->arg, name);
		if (ret[i] == NULL)
			return refuse(error, "specified subnet %s not found", name);
		if (slash != NULL && i == 0 && strcmp(ret[i]->range.version, "4") != 0)
			return refuse(error,
				"when both ipv4/ipv6 subnets are specified, the subnet name in "
				"front of the \"/\" should be an ipv4 subnet");
		if (i == 1 && strcmp(ret[i]->range.version, "6") != 0)
			return refuse(error,
				"when both ipv4/ipv6 subnets are specified, the subnet name "
				"after the \"/\" should be an ipv6 subnet");
		if (i == 1 && strcmp(ret[0]->network, ret[1]->network) != 0)
			return refuse(
				error, "the networks of ipv4/ipv6 subnets need to be the same");
	}
	return true;
}

// The kind as hybridnet names it: Go's GroupVersionKind, whose group is empty for the core's.
static bool conflict(const struct object *by, char error[SELECTION_ERROR_MAX])
{
	return refuse(error, "specified network and subnet conflict in /v1, Kind=%s %s/%s",
		kind_name(by->kind), by->meta.namespace, by->meta.name);
}

static bool take_subnets(const struct selection_lookup *lookup, const struct wish *w,
	const struct subnet_obj *subnets[2], struct selection *s, char error[SELECTION_ERROR_MAX])
{
	if (!find_subnets(lookup, w->subnets, subnets, error))
		return false;
	if (s->network[0] != '\0' && strcmp(s->network, subnets[0]->network) != 0)
		return conflict(w->by, error);
	(void)snprintf(s->network, sizeof(s->network), "%s", subnets[0]->network);
	(void)snprintf(s->subnets, sizeof(s->subnets), "%s", w->subnets);
	return true;
}

// One Subnet alone goes to the family that was asked for: IPAM says so if it is not of that.
static void assign_subnets(struct selection *s, const struct subnet_obj *const subnets[2])
{
	bool six = s->family == IP_FAMILY_IPV6;

	if (subnets[0] == NULL)
		return;
	if (subnets[1] == NULL && s->family == IP_FAMILY_DUAL_STACK)
		six = strcmp(subnets[0]->range.version, "6") == 0;
	if (subnets[1] != NULL)
		six = false;
	(void)snprintf(
		six ? s->subnet6 : s->subnet4, NAME_MAX_LEN, "%s", subnets[0]->obj.meta.name);
	if (subnets[1] != NULL)
		(void)snprintf(s->subnet6, NAME_MAX_LEN, "%s", subnets[1]->obj.meta.name);
}

// ── The levels ─────────────────────────────────────────────────────────────────────────────────

static struct wish wish_of(const struct object *obj)
{
	const char *family = key_values_get(&obj->meta.annotations, ANNOTATION_IP_FAMILY);

	return (struct wish){
		.by = obj,
		.network = selection_said(obj, ANNOTATION_SPECIFIED_NETWORK),
		.subnets = selection_said(obj, ANNOTATION_SPECIFIED_SUBNET),
		.type = selection_said(obj, ANNOTATION_NETWORK_TYPE),
		.family = family != NULL && family[0] != '\0' ? family : NULL,
	};
}

static bool says_anything(const struct wish *w)
{
	return w->network != NULL || w->subnets != NULL || w->type != NULL || w->family != NULL;
}

// Level 1: what there is already says Network and family.
static bool take_kept(const struct pod *pod, const struct ipinstance *const *kept, size_t n,
	struct selection *s, char error[SELECTION_ERROR_MAX])
{
	unsigned int n4 = 0, n6 = 0;

	for (size_t i = 0; i < n; i++) {
		if (ip_is_v4(&kept[i]->address.ip.ip))
			n4++;
		else
			n6++;
	}
	if (n > 2)
		return refuse(error, "more than two reserve ip exist for list options %s=%s", "pod",
			pod->obj.meta.name);
	if (n == 2 && n4 != 1)
		return refuse(error,
			"more than two ip instances are of the same family type, ipv4 count %u, "
			"ipv6 count %u",
			n4, n6);
	s->retained = true;
	s->family = n == 2 ? IP_FAMILY_DUAL_STACK : n4 == 1 ? IP_FAMILY_IPV4 : IP_FAMILY_IPV6;
	(void)snprintf(s->network, sizeof(s->network), "%s", kept[0]->network);
	return true;
}

// Levels 2 and 3: all values are one object's; nothing of the Namespace's if the pod says anything.
static bool take_wish(const struct selection_lookup *lookup, const struct pod *pod,
	const struct object *namespace, struct wish *ret_wish, const struct subnet_obj *subnets[2],
	struct selection *s, char error[SELECTION_ERROR_MAX])
{
	struct wish w = wish_of(&pod->obj);

	if (!says_anything(&w) && namespace != NULL)
		w = wish_of(namespace);
	if (w.network != NULL)
		(void)snprintf(s->network, sizeof(s->network), "%s", w.network);
	if (w.subnets != NULL && !take_subnets(lookup, &w, subnets, s, error))
		return false;
	*ret_wish = w;
	return true;
}

static bool take_type(const struct selection_conf *conf, const struct selection_lookup *lookup,
	const char *text, struct selection *s, char error[SELECTION_ERROR_MAX])
{
	const char *fallback = conf->network_type != NULL && conf->network_type[0] != '\0'
				       ? conf->network_type
				       : "Underlay";
	bool known = selection_parse_type(text != NULL ? text : fallback, &s->type);

	if (s->network[0] != '\0') {
		const struct network *n = lookup->network(lookup->arg, s->network);
		if (n == NULL)
			return refuse(error,
				"failed to get network %s: Network.networking.alibaba.com \"%s\" "
				"not found",
				s->network, s->network);
		if (text != NULL && (!known || s->type != n->type))
			return refuse(error, "specified network %s does not match network type %s",
				s->network, known ? selection_type_text(s->type) : text);
		s->type = n->type;
		s->node_selector = &n->node_selector;
		known = selection_type_text(n->type)[0] != '\0';
	}
	return known ||
	       refuse(error, "unrecognized network type %s", text != NULL ? text : fallback);
}

static bool take_family(const struct selection_conf *conf, const char *text, struct selection *s,
	char error[SELECTION_ERROR_MAX])
{
	if (s->retained)
		return true;
	if (text == NULL)
		text = conf->ip_family != NULL && conf->ip_family[0] != '\0' ? conf->ip_family
									     : "IPv4";
	return ip_family_parse(text, &s->family) == 0 ||
	       refuse(error, "unrecognized ip family %s", text);
}

bool selection_make(const struct selection_conf *conf, const struct selection_lookup *lookup,
	const struct pod *pod, const struct object *namespace, const struct ipinstance *const *kept,
	size_t n_kept, struct selection *ret_selection, char error[SELECTION_ERROR_MAX])
{
	const struct subnet_obj *subnets[2] = {NULL, NULL};
	struct selection s = {0};
	struct wish w = {0};
	bool ok = n_kept > 0 ? take_kept(pod, kept, n_kept, &s, error)
			     : take_wish(lookup, pod, namespace, &w, subnets, &s, error);

	if (!ok || !take_type(conf, lookup, w.type, &s, error) ||
		!take_family(conf, w.family, &s, error))
		return false;
	assign_subnets(&s, subnets);
	*ret_selection = s;
	return true;
}
