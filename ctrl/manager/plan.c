// The selection made real: which Network of the type that was chosen the pod's node is in. The same
// rules whether a webhook has seen the pod or not; if one has and it said otherwise, that is an error.
#include "ctrl/manager/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 4))) static bool refuse(
	const struct manager *m, char error[SELECTION_ERROR_MAX], const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	int n = vsnprintf(error, SELECTION_ERROR_MAX, format, ap);
	va_end(ap);
	// What a webhook would have refused; without an API server there is none.
	if (m->remote && n > 0 && n < SELECTION_ERROR_MAX)
		(void)snprintf(error + n, SELECTION_ERROR_MAX - (size_t)n,
			", should check webhook liveness");
	return false;
}

struct looker {
	const struct manager *m;
	char missing[NAME_MAX_LEN]; // a Network that was looked for and is not there
};

static const struct network *get_network(void *arg, const char *name)
{
	struct looker *l = arg;
	const struct network *n = (const void *)cache_get(l->m->cache, KIND_NETWORK, NULL, name);

	if (n == NULL)
		(void)snprintf(l->missing, sizeof(l->missing), "%s", name);
	return n;
}

static const struct subnet_obj *get_subnet(void *arg, const char *name)
{
	const struct looker *l = arg;
	return (const void *)cache_get(l->m->cache, KIND_SUBNET, NULL, name);
}

struct search {
	const struct manager *m;
	const struct object *node; // NULL: not known (yet)
	enum network_type type;
	const struct network *found;
};

static bool match(const struct object *obj, void *arg)
{
	struct search *s = arg;
	const struct network *n = (const void *)obj;

	if (n->type != s->type || obj->meta.deleting || object_is_kept(obj))
		return true;
	if (s->type == NETWORK_UNDERLAY && (s->node == NULL || !network_has_node(s->m, n, s->node)))
		return true;
	s->found = n;
	return false;
}

// The Network of that type that the pod's node is in.
static const struct network *node_network(
	const struct manager *m, const struct pod *pod, enum network_type type)
{
	struct search s = {.m = m,
		.node = cache_get(m->cache, m->node_kind, NULL, pod->node_name),
		.type = type};

	cache_each(m->cache, KIND_NETWORK, match, &s);
	return s.found;
}

static bool find_network(const struct manager *m, const struct pod *pod,
	const struct selection *sel, struct pod_plan *plan, char error[SELECTION_ERROR_MAX])
{
	const struct network *found = node_network(m, pod, sel->type);

	if (found == NULL && sel->network[0] != '\0' && !m->remote)
		return refuse(m, error, "specified network %s has no node %s", sel->network,
			pod->node_name);
	if (found == NULL && sel->type == NETWORK_UNDERLAY)
		return refuse(
			m, error, "unable to find underlay network for node %s", pod->node_name);
	if (found == NULL) {
		(void)snprintf(error, SELECTION_ERROR_MAX, "unable to find %s network",
			sel->type == NETWORK_OVERLAY ? "overlay" : "global bgp");
		return false;
	}
	const struct object *node = cache_get(m->cache, m->node_kind, NULL, pod->node_name);
	if (found->type == NETWORK_GLOBAL_BGP &&
		(node == NULL || !network_has_node(m, found, node)))
		return refuse(m, error, "node %s has not attached bgp network", pod->node_name);
	if (sel->network[0] != '\0' && strcmp(sel->network, found->obj.meta.name) != 0 &&
		!m->remote)
		return refuse(m, error, "specified network %s has no node %s", sel->network,
			pod->node_name);
	if (sel->network[0] != '\0' && strcmp(sel->network, found->obj.meta.name) != 0)
		return refuse(m, error,
			"different network selection between controller(%s) and webhook(%s)",
			found->obj.meta.name, sel->network);
	(void)snprintf(plan->network, sizeof(plan->network), "%s", found->obj.meta.name);
	return true;
}

bool pod_plan_make(const struct manager *m, const struct pod *pod,
	const struct ipinstance *const *kept, size_t n_kept, struct pod_plan *ret_plan,
	char error[SELECTION_ERROR_MAX])
{
	struct looker looker = {.m = m};
	const struct selection_lookup lookup = {
		.network = get_network, .subnet = get_subnet, .arg = &looker};
	const struct object *namespace =
		cache_get(m->cache, KIND_NAMESPACE, NULL, pod->obj.meta.namespace);
	struct pod_plan plan = {0};
	struct selection sel;

	bool ok = selection_make(&m->selection, &lookup, pod, namespace, kept, n_kept, &sel, error);
	if (!ok && looker.missing[0] != '\0')
		return refuse(m, error, "specified network %s not found", looker.missing);
	if (!ok || !find_network(m, pod, &sel, &plan, error))
		return false;
	plan.family = sel.family;
	memcpy(plan.subnet4, sel.subnet4, sizeof(plan.subnet4));
	memcpy(plan.subnet6, sel.subnet6, sizeof(plan.subnet6));
	*ret_plan = plan;
	return true;
}
