// /validate, new Pods: that what they ask for exists, agrees, and is to be had.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctrl/ipam/pod_selector.h"
#include "ctrl/manager/judge.h"

#define CODE_DENIED 403
#define CODE_ERROR 500

#define deny(a, ...) review_refuse(a, CODE_DENIED, __VA_ARGS__)

// ── What it asks for ───────────────────────────────────────────────────────────────────────────

struct looker {
	const struct facts *facts;
	struct pod_question *question;
};

static const struct network *look_network(void *arg, const char *name)
{
	const struct looker *l = arg;
	const struct network *n = (const void *)facts_find(l->facts, KIND_NETWORK, NULL, name);

	if (n == NULL)
		(void)snprintf(l->question->missing_network, NAME_MAX_LEN, "%s", name);
	l->question->network = n;
	return n;
}

static const struct subnet_obj *look_subnet(void *arg, const char *name)
{
	const struct looker *l = arg;

	return (const void *)facts_find(l->facts, KIND_SUBNET, NULL, name);
}

// Whether the IPInstance was the Pod's in a former life: its label may be a hash, so by the name.
static bool is_of(const struct ipinstance *i, const struct pod *pod)
{
	return !i->obj.meta.deleting &&
	       strcmp(i->obj.meta.namespace, pod->obj.meta.namespace) == 0 &&
	       strcmp(i->binding.pod_name, pod->obj.meta.name) == 0;
}

bool pod_ask(const struct judge_conf *conf, const struct pod *pod, const struct facts *f,
	struct pod_question *ret, char error[SELECTION_ERROR_MAX])
{
	struct looker looker = {.facts = f, .question = ret};
	const struct selection_lookup lookup = {look_network, look_subnet, &looker};
	const struct ipinstance **kept = calloc(f->n[KIND_IPINSTANCE] + 1, sizeof(*kept));
	size_t n = 0;

	*ret = (struct pod_question){0};
	if (kept == NULL) {
		(void)snprintf(error, SELECTION_ERROR_MAX, "out of memory");
		return false;
	}
	for (size_t i = 0; i < f->n[KIND_IPINSTANCE]; i++) {
		const struct ipinstance *ip = (const void *)f->objects[KIND_IPINSTANCE][i];
		// A machine's were asked for by its label.
		if (facts_vm_of(conf, pod) != NULL
				? !ip->obj.meta.deleting
				: selection_retains(&conf->selection, pod) && is_of(ip, pod))
			kept[n++] = ip;
	}
	bool ok = selection_make(&conf->selection, &lookup, pod,
		facts_find(f, KIND_NAMESPACE, NULL, pod->obj.meta.namespace), kept, n,
		&ret->selection, error);
	free(kept);
	return ok;
}

bool pod_is_ignored(const struct judge_conf *conf, const struct pod *pod)
{
	const char *value = key_values_get(&pod->obj.meta.labels, LABEL_WEBHOOK_IGNORE);

	if (value != NULL && (strcmp(value, "true") == 0 || strcmp(value, "TRUE") == 0))
		return true;
	return !pod_selector_matches(conf->selection.pod_selector, &pod->obj.meta.labels);
}

// ── That it agrees ─────────────────────────────────────────────────────────────────────────────

// selection's words into those of hybridnet's validation, where they differ.
static bool refuse_question(const struct pod *pod, const struct pod_question *q, const char *error,
	struct review_answer *a)
{
	const char *type = selection_said(&pod->obj, ANNOTATION_NETWORK_TYPE);
	enum network_type asked;

	if (q->missing_network[0] != '\0')
		return deny(a, "specified network %s not found", q->missing_network);
	if (q->network != NULL && type != NULL &&
		(!selection_parse_type(type, &asked) || asked != q->network->type))
		return review_refuse(a, CODE_ERROR,
			"specified network type mismatch, network-type %s, network %s", type,
			q->network->obj.meta.name);
	return deny(a, "%s", error);
}

static bool names_subnet(const char *subnets, const char *name)
{
	const char *slash = strchr(subnets, '/');
	size_t len = strlen(name);

	if (slash == NULL)
		return strcmp(subnets, name) == 0;
	return ((size_t)(slash - subnets) == len && strncmp(subnets, name, len) == 0) ||
	       strcmp(slash + 1, name) == 0;
}

// What the Pod was given in a former life goes with what it asks for now.
static bool agrees_with_former(const struct judge_conf *conf, const struct pod *pod,
	const struct facts *f, struct review_answer *a)
{
	const char *network = selection_said(&pod->obj, ANNOTATION_SPECIFIED_NETWORK);
	const char *subnets = selection_said(&pod->obj, ANNOTATION_SPECIFIED_SUBNET);

	// Addresses that it does not keep are in nobody's way (hybridnet refuses here, too).
	if (selection_is_stateful(&conf->selection, pod) &&
		!selection_retains(&conf->selection, pod))
		return true;
	for (size_t i = 0; i < f->n[KIND_IPINSTANCE]; i++) {
		const struct ipinstance *ip = (const void *)f->objects[KIND_IPINSTANCE][i];
		char text[CIDR_TEXT_MAX];

		if (!is_of(ip, pod))
			continue;
		(void)cidr_text(&ip->address.ip, text);
		if (network != NULL && strcmp(network, ip->network) != 0)
			return deny(a,
				"pod has assigned ip %s of network %s, cannot assign to another "
				"network %s",
				text, ip->network, network);
		if (subnets != NULL && !names_subnet(subnets, ip->subnet))
			return deny(a,
				"pod has assigend ip %s of subnet %s, cannot assign to another "
				"subnet by specified string %s",
				text, ip->subnet, subnets);
	}
	return true;
}

// ── Pools ──────────────────────────────────────────────────────────────────────────────────────

// Copies the next element of a list at *text into element, and moves on; false at its end. One that
// is too long is cut: it is no address either way.
static bool next_element(const char **text, char separator, char element[MODEL_TEXT_MAX])
{
	const char *end;

	if (*text == NULL)
		return false;
	end = strchr(*text, separator);
	size_t len = end != NULL ? (size_t)(end - *text) : strlen(*text);
	(void)snprintf(element, MODEL_TEXT_MAX, "%.*s",
		(int)(len < MODEL_TEXT_MAX ? len : MODEL_TEXT_MAX - 1), *text);
	*text = end != NULL ? end + 1 : NULL;
	return true;
}

static bool ip_pool_is_good(const struct pod *pod, struct review_answer *a)
{
	const char *pool = key_values_get(&pod->obj.meta.annotations, ANNOTATION_IP_POOL);
	char element[MODEL_TEXT_MAX], ip[MODEL_TEXT_MAX];
	struct in6_addr parsed;

	if (pool == NULL || pool[0] == '\0')
		return true;
	if (selection_said(&pod->obj, ANNOTATION_SPECIFIED_NETWORK) == NULL &&
		selection_said(&pod->obj, ANNOTATION_SPECIFIED_SUBNET) == NULL)
		return deny(a, "ip pool and network(subnet) must be specified at the same time");
	for (int i = 0; next_element(&pool, ',', element); i++) {
		const char *families = element;

		if (element[0] == '\0')
			return deny(a, "the %d ip in ip pool is empty", i);
		while (next_element(&families, '/', ip)) {
			if (ip_parse(ip, &parsed) < 0)
				return deny(a, "ip pool has an invalid ip %s", ip);
		}
	}
	return true;
}

static bool mac_pool_is_good(const struct pod *pod, struct review_answer *a)
{
	const char *pool = key_values_get(&pod->obj.meta.annotations, ANNOTATION_MAC_POOL);
	char element[MODEL_TEXT_MAX];
	uint8_t mac[6];

	if (pool == NULL || pool[0] == '\0')
		return true;
	for (int i = 0; next_element(&pool, ',', element); i++) {
		if (element[0] == '\0')
			return deny(a, "the %d mac addr in mac pool is empty", i);
		if (mac_parse(element, mac) < 0)
			return deny(a, "the %d mac address %s is not valid", i, element);
	}
	return true;
}

// ── That it is to be had ───────────────────────────────────────────────────────────────────────

// A Subnet whose status is not written yet has all its addresses.
static bool has_free(const struct subnet_obj *s)
{
	return s->status.count.total == 0 || s->status.count.available > 0;
}

static void find_free(const struct facts *f, const struct selection *s, const char *network,
	bool *ret_v4, bool *ret_v6)
{
	for (size_t i = 0; i < f->n[KIND_SUBNET]; i++) {
		const struct subnet_obj *subnet = (const void *)f->objects[KIND_SUBNET][i];
		const char *name = subnet->obj.meta.name;
		bool *ret = strcmp(subnet->range.version, "4") == 0 ? ret_v4 : ret_v6;
		const char *named = ret == ret_v4 ? s->subnet4 : s->subnet6;

		if (strcmp(subnet->network, network) != 0 || !has_free(subnet))
			continue;
		// A private one is for those that name it.
		if (named[0] != '\0' ? strcmp(named, name) == 0 : !subnet->private)
			*ret = true;
	}
}

static const struct network *network_of(const struct facts *f, const struct selection *s)
{
	if (s->network[0] != '\0')
		return (const void *)facts_find(f, KIND_NETWORK, NULL, s->network);
	for (size_t i = 0; i < f->n[KIND_NETWORK]; i++) {
		const struct network *n = (const void *)f->objects[KIND_NETWORK][i];
		if (n->type == s->type)
			return n;
	}
	return NULL;
}

// An Underlay Pod is kept off nodes without addresses by its node selector; others are everywhere.
static bool is_to_be_had(const struct pod *pod, const struct facts *f, const struct selection *s,
	struct review_answer *a)
{
	const char *type = selection_type_text(s->type);
	const char *pool = key_values_get(&pod->obj.meta.annotations, ANNOTATION_IP_POOL);
	bool v4 = false, v6 = false;

	if (s->type == NETWORK_UNDERLAY)
		return true;
	const struct network *n = network_of(f, s);
	if (n == NULL)
		return deny(a, "no network found by type %s", type);
	// Kept and assigned addresses are the Pod's, however few are left.
	if (s->retained || (pool != NULL && pool[0] != '\0'))
		return true;
	find_free(f, s, n->obj.meta.name, &v4, &v6);
	if (s->family == IP_FAMILY_IPV4 && !v4)
		return deny(a, "lacking ipv4 addresses by network type %s", type);
	if (s->family == IP_FAMILY_IPV6 && !v6)
		return deny(a, "lacking ipv6 addresses by network type %s", type);
	if (s->family == IP_FAMILY_DUAL_STACK && (!v4 || !v6))
		return deny(a, "lacking dual stack addresses by network type %s", type);
	return true;
}

void judge_pod(const struct judge_conf *conf, const struct review *r, const struct facts *f,
	struct review_answer *a)
{
	const struct pod *pod = (const void *)r->object;
	char error[SELECTION_ERROR_MAX];
	struct pod_question q;

	// The API server judges Pods by itself; one that we cannot read is not ours to refuse.
	if (pod == NULL || pod->host_network || pod_is_ignored(conf, pod))
		return;
	if (!pod_ask(conf, pod, f, &q, error)) {
		(void)refuse_question(pod, &q, error, a);
		return;
	}
	(void)(agrees_with_former(conf, pod, f, a) && ip_pool_is_good(pod, a) &&
		mac_pool_is_good(pod, a) && is_to_be_had(pod, f, &q.selection, a));
}
