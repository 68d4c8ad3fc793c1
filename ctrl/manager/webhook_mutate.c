// /mutate: what a new Pod is told of its network, and onto which nodes it may be scheduled (section
// 3.9 of hybridnet's behaviour), as a JSON patch (RFC 6902).
#include <stdio.h>
#include <string.h>

#include "ctrl/manager/judge.h"

#define CODE_ERROR 500
#define PATH_MAX_LEN 320 // of a key in a map; a label's key has 317 characters at most
#define ATTACHMENT(network) ANNOTATION_PREFIX network "-network-attachment"
#define QUOTA(family) ANNOTATION_PREFIX family "-address-quota"
#define TAINT_UNAVAILABLE "node.kubernetes.io/network-unavailable"

struct patch {
	cJSON *ops;
	const cJSON *pod;
	bool failed; // no memory, or a key that is none
};

static const cJSON *at(const cJSON *obj, const char *a, const char *b)
{
	return cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(obj, a), b);
}

static cJSON *op(struct patch *p, const char *path)
{
	cJSON *item = cJSON_CreateObject();

	if (item == NULL || !cJSON_AddItemToArray(p->ops, item)) {
		cJSON_Delete(item);
		p->failed = true;
		return NULL;
	}
	if (cJSON_AddStringToObject(item, "op", "add") == NULL ||
		cJSON_AddStringToObject(item, "path", path) == NULL)
		p->failed = true;
	return item;
}

static void add_value(struct patch *p, const char *path, cJSON *value)
{
	cJSON *item = op(p, path);

	if (value == NULL || item == NULL || !cJSON_AddItemToObject(item, "value", value)) {
		cJSON_Delete(value);
		p->failed = true;
	}
}

// A map that things can be added to.
static void need_map(struct patch *p, const char *path, const cJSON *there)
{
	if (!cJSON_IsObject(there))
		add_value(p, path, cJSON_CreateObject());
}

// RFC 6901, section 4.
static void set(struct patch *p, const char *map, const char *key, const char *value)
{
	char path[PATH_MAX_LEN * 2 + 64];
	size_t n = (size_t)snprintf(path, sizeof(path), "%s/", map);

	if (strlen(key) > PATH_MAX_LEN) {
		p->failed = true;
		return;
	}
	for (const char *c = key; *c != '\0'; c++) {
		if (*c == '~' || *c == '/')
			path[n++] = '~';
		path[n++] = *c == '~' ? '0' : *c == '/' ? '1' : *c;
	}
	path[n] = '\0';
	add_value(p, path, cJSON_CreateString(value));
}

// ── What is added ──────────────────────────────────────────────────────────────────────────────

static void add_annotations(struct patch *p, const struct selection *s)
{
	static const char map[] = "/metadata/annotations";

	need_map(p, map, at(p->pod, "metadata", "annotations"));
	if (s->network[0] != '\0')
		set(p, map, ANNOTATION_SPECIFIED_NETWORK, s->network);
	if (s->subnets[0] != '\0')
		set(p, map, ANNOTATION_SPECIFIED_SUBNET, s->subnets);
	set(p, map, ANNOTATION_NETWORK_TYPE, selection_type_text(s->type));
	set(p, map, ANNOTATION_IP_FAMILY, selection_family_text(s->family));
	set(p, map, ANNOTATION_HANDLED_BY_WEBHOOK, "true");
}

static const char *quota_key(enum ip_family family)
{
	static const char *const keys[] = {
		[IP_FAMILY_IPV4] = QUOTA("ipv4"),
		[IP_FAMILY_IPV6] = QUOTA("ipv6"),
		[IP_FAMILY_DUAL_STACK] = QUOTA("dualstack"),
	};

	return keys[family];
}

static void add_node_selector(struct patch *p, const struct selection *s)
{
	static const char map[] = "/spec/nodeSelector";
	const struct key_values *selector = s->node_selector;

	need_map(p, map, at(p->pod, "spec", "nodeSelector"));
	switch (s->type) {
	case NETWORK_OVERLAY:
		set(p, map, ATTACHMENT("overlay"), "true");
		return;
	case NETWORK_GLOBAL_BGP:
		set(p, map, ATTACHMENT("bgp"), "true");
		return;
	case NETWORK_UNDERLAY:
	case NETWORK_TYPE_OTHER:
		break;
	}
	if (s->network[0] == '\0')
		set(p, map, ATTACHMENT("underlay"), "true");
	for (size_t i = 0; selector != NULL && i < selector->n; i++)
		set(p, map, selector->kv[i].key, selector->kv[i].value);
	// Addresses that it keeps are there, whatever is left for others.
	if (!s->retained)
		set(p, map, quota_key(s->family), "nonempty");
}

static bool tolerates(const cJSON *tolerations)
{
	const cJSON *t;

	cJSON_ArrayForEach (t, tolerations) {
		const char *key = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(t, "key"));
		const char *effect =
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(t, "effect"));
		const char *how =
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(t, "operator"));

		if (key != NULL && strcmp(key, TAINT_UNAVAILABLE) == 0 && how != NULL &&
			strcmp(how, "Exists") == 0 &&
			(effect == NULL || effect[0] == '\0' || strcmp(effect, "NoSchedule") == 0))
			return true;
	}
	return false;
}

// A Pod on its node's own network may start where there is no other yet.
static void add_toleration(struct patch *p)
{
	const cJSON *there = at(p->pod, "spec", "tolerations");
	cJSON *t;

	if (tolerates(there))
		return;
	t = cJSON_CreateObject();
	if (cJSON_AddStringToObject(t, "key", TAINT_UNAVAILABLE) == NULL ||
		cJSON_AddStringToObject(t, "operator", "Exists") == NULL ||
		cJSON_AddStringToObject(t, "effect", "NoSchedule") == NULL)
		p->failed = true;
	if (!cJSON_IsArray(there))
		add_value(p, "/spec/tolerations", cJSON_CreateArray());
	add_value(p, "/spec/tolerations/-", t);
}

static void mutate(const struct judge_conf *conf, const struct pod *pod, const struct facts *f,
	struct patch *p, struct review_answer *a)
{
	char error[SELECTION_ERROR_MAX];
	struct pod_question q;

	if (pod->host_network) {
		add_toleration(p);
	} else if (!pod_ask(conf, pod, f, &q, error)) {
		(void)review_refuse(
			a, CODE_ERROR, "unable to parse network config for pod: %s", error);
	} else {
		add_annotations(p, &q.selection);
		add_node_selector(p, &q.selection);
	}
	if (p->failed && a->allowed)
		(void)review_refuse(a, CODE_ERROR, "cannot make the patch");
}

void judge_mutate(const struct judge_conf *conf, const struct review *r, const struct facts *f,
	struct review_answer *ret_answer)
{
	struct review_answer a = {.allowed = true};
	const struct pod *pod = (const void *)r->object;
	struct patch p = {.pod = r->raw};

	if (r->kind == KIND_POD && r->subresource[0] == '\0' && r->operation == REVIEW_CREATE &&
		pod != NULL && !pod_is_ignored(conf, pod)) {
		p.ops = cJSON_CreateArray();
		p.failed = p.ops == NULL;
		mutate(conf, pod, f, &p, &a);
		if (a.allowed && cJSON_GetArraySize(p.ops) > 0)
			a.patch = p.ops;
		else
			cJSON_Delete(p.ops);
	}
	*ret_answer = a;
}
