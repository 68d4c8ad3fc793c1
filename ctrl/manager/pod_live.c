// A pod that lives on a node: it gets what it had, what its pool says, or what is free. Each step does
// what is missing, so that a manager that died in the middle is carried on from.
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/ipam/mac.h"
#include "ctrl/manager/plan.h"
#include "ctrl/manager/pods.h"
#include "ctrl/manager/pools.h"

static bool is_v4(const struct ipinstance *ip)
{
	return ip_is_v4(&ip->address.ip.ip);
}

static bool has_family(const struct ipinstance *const *ip, size_t n, bool v4)
{
	for (size_t i = 0; i < n; i++) {
		if (is_v4(ip[i]) == v4)
			return true;
	}
	return false;
}

// ── What is said ───────────────────────────────────────────────────────────────────────────────

// Where a daemon without an API server looks while a runtime waits for its ADD.
static void write_condition(const struct look *l, bool ok, const char *reason, const char *message)
{
	const struct store_name pod = {
		.kind = KIND_POD, .namespace = l->namespace, .name = l->name};
	cJSON *status = status_copy(l->m, &pod);

	if (condition_set(status, CONDITION_IP_ALLOCATED, ok, reason, message))
		request_update_status(l->m, NULL, &pod, status);
	else
		cJSON_Delete(status);
}

static void fail(const struct look *l, const char *error)
{
	struct pod_state *s = l->s;

	s->failed = true;
	if (s->told != NULL && strcmp(s->told, error) == 0)
		return;
	free(s->told);
	s->told = strdup(error);
	report_allocation(l->m, l->owner.stateful, false, uv_now(l->m->loop) - s->began);
	if (l->m->remote)
		report_event(l->m, &l->pod->obj, true, "IPAllocationFail", "%s", error);
	else
		write_condition(l, false, "IPAllocationFail", error);
}

static void succeed(const struct look *l)
{
	const cJSON *json = cache_get_json(l->m->cache, KIND_POD, l->namespace, l->name);
	const char *verb = l->s->fresh == POD_FRESH_ASSIGNED ? "assign" : "allocate";
	char text[POD_IPS_MAX], message[POD_IPS_MAX + 64];

	l->s->failed = false;
	free(l->s->told);
	l->s->told = NULL;
	pod_ips_text(l->mine, l->n_mine, text);
	(void)snprintf(message, sizeof(message), "%s IPs %s successfully", verb, text);
	if (l->s->fresh != POD_FRESH_NOT) {
		report_allocation(l->m, l->owner.stateful, true, uv_now(l->m->loop) - l->s->began);
		if (l->m->remote)
			report_event(
				l->m, &l->pod->obj, false, "IPAllocationSucceed", "%s", message);
	}
	l->s->fresh = POD_FRESH_NOT;
	l->s->began = 0;
	// Said only to take a failure back.
	if (!l->m->remote && condition_get(cJSON_GetObjectItemCaseSensitive(json, "status"),
				     CONDITION_IP_ALLOCATED) == 0)
		write_condition(l, true, "IPAllocationSucceed", message);
}

// ── MAC addresses ──────────────────────────────────────────────────────────────────────────────

struct mac_search {
	const struct look *l;
	const char *network;
	const uint8_t *mac;
	const struct ipinstance *found; // another pod's
};

static bool find_mac(const struct object *obj, void *arg)
{
	struct mac_search *s = arg;
	const struct ipinstance *ip = (const void *)obj;
	char key[POD_KEY_MAX] = "";

	if (obj->meta.deleting || memcmp(ip->address.mac, s->mac, sizeof(ip->address.mac)) != 0 ||
		strcmp(ip->network, s->network) != 0)
		return true;
	(void)ipinstance_pod_key(ip, key);
	if (strcmp(key, s->l->s->key) != 0)
		s->found = ip;
	return s->found == NULL;
}

static bool mac_is_used(void *arg, const uint8_t mac[6])
{
	return macs_has(arg, mac);
}

// One for all addresses of the pod: its other family's, its pool's, or a new one.
static bool choose_mac(const struct look *l, const char *network, uint8_t ret_mac[6])
{
	const char *pool = key_values_get(&l->pod->obj.meta.annotations, ANNOTATION_MAC_POOL);
	const struct ipinstance *sibling = l->n_mine > 0                  ? l->mine[0]
					   : l->retain && l->n_others > 0 ? l->others[0]
									  : NULL;
	char error[POOL_ERROR_MAX + NAME_MAX_LEN], text[MAC_TEXT_MAX];

	if (sibling != NULL) {
		memcpy(ret_mac, sibling->address.mac, sizeof(sibling->address.mac));
		return true;
	}
	if (pool == NULL || pool[0] == '\0' || !l->owner.stateful || l->owner.vm) {
		if (mac_generate(ret_mac, mac_is_used, l->m) == 0)
			return true;
		fail(l, "no MAC address is free");
		return false;
	}
	if (!pool_mac(pool, pool_ordinal(l->name), ret_mac, error)) {
		fail(l, error);
		return false;
	}
	struct mac_search s = {.l = l, .network = network, .mac = ret_mac};
	cache_each(l->m->cache, KIND_IPINSTANCE, find_mac, &s);
	if (s.found == NULL)
		return true;
	(void)snprintf(error, sizeof(error),
		"specified mac address %s is in conflict with existing ip instance %s/%s",
		mac_text(ret_mac, text), s.found->obj.meta.namespace, s.found->obj.meta.name);
	fail(l, error);
	return false;
}

// ── Addresses ──────────────────────────────────────────────────────────────────────────────────

static void create_instances(const struct look *l, const struct pod_plan *plan,
	const struct ipam_address *a, size_t n, const uint8_t mac[6])
{
	for (size_t i = 0; i < n; i++) {
		struct request_address back = {.ip = a[i].ip.ip, .used = true};
		cJSON *obj = ipinstance_make(l->pod, &l->owner, plan->network, &a[i], mac,
			plan->family == IP_FAMILY_DUAL_STACK);
		memcpy(back.mac, mac, sizeof(back.mac));
		memcpy(back.subnet, a[i].subnet, sizeof(back.subnet));
		request_create(l->m, l->s->key, obj, &back);
	}
	status_schedule(l->m);
}

static void allocate(const struct look *l, const struct pod_plan *plan)
{
	enum ip_family family = plan->family;
	const char *subnet4 = plan->subnet4[0] != '\0' ? plan->subnet4 : NULL;
	const char *subnet6 = plan->subnet6[0] != '\0' ? plan->subnet6 : NULL;
	struct ipam_address a[2];
	char error[IPAM_ERROR_MAX];
	uint8_t mac[6];
	size_t n;

	if (family == IP_FAMILY_DUAL_STACK && has_family(l->mine, l->n_mine, true)) {
		family = IP_FAMILY_IPV6; // the other one is there
		subnet4 = NULL;
	} else if (family == IP_FAMILY_DUAL_STACK && has_family(l->mine, l->n_mine, false)) {
		family = IP_FAMILY_IPV4;
		subnet6 = NULL;
	}
	if (!choose_mac(l, plan->network, mac))
		return;
	if (ipam_allocate(l->m->ipam, plan->network, family, subnet4, subnet6, l->s->key, a, &n,
		    error) < 0) {
		fail(l, error);
		return;
	}
	l->s->fresh = POD_FRESH_ALLOCATED;
	create_instances(l, plan, a, n, mac);
}

// Binds what was kept for this name, one of each family, to the pod that bears it now; what is too
// many goes.
static void recouple(const struct look *l)
{
	for (size_t i = 0; i < l->n_others; i++) {
		const struct ipinstance *ip = l->others[i];

		if (has_family(l->mine, l->n_mine, is_v4(ip)) ||
			has_family(l->others, i, is_v4(ip))) {
			pod_delete_instances(l, &ip, 1);
			continue;
		}
		cJSON *obj = object_copy(l->m, KIND_IPINSTANCE, l->namespace, ip->obj.meta.name);
		if (obj == NULL)
			continue;
		ipinstance_bind(obj, l->pod, &l->owner);
		request_update(l->m, l->s->key, obj);
		if (l->s->fresh == POD_FRESH_NOT)
			l->s->fresh = POD_FRESH_ASSIGNED;
	}
}

// ── Pools ──────────────────────────────────────────────────────────────────────────────────────

struct pool {
	struct in6_addr ip[2];
	size_t n;
};

static bool pool_has(const struct pool *p, const struct ipinstance *ip)
{
	for (size_t i = 0; i < p->n; i++) {
		if (ip_cmp(&p->ip[i], &ip->address.ip.ip) == 0)
			return true;
	}
	return false;
}

static bool pool_fits(
	const struct pool *p, enum ip_family family, const char *text, char error[IPAM_ERROR_MAX])
{
	bool both = family == IP_FAMILY_DUAL_STACK;

	if (both && (p->n != 2 || !ip_is_v4(&p->ip[0]) || ip_is_v4(&p->ip[1])))
		(void)snprintf(error, IPAM_ERROR_MAX,
			"must assign two IPs when DualStack family, but %.128s", text);
	else if (!both && (p->n != 1 || ip_is_v4(&p->ip[0]) != (family == IP_FAMILY_IPV4)))
		(void)snprintf(error, IPAM_ERROR_MAX,
			"must assign only one IP when %s family, but %.128s",
			family == IP_FAMILY_IPV4 ? "IPv4" : "IPv6", text);
	else
		return true;
	return false;
}

// Takes the addresses of the pool that the pod does not have: all or none.
static bool assign(const struct look *l, const struct pod_plan *plan, const struct pool *p,
	struct ipam_address a[2], size_t *ret_n, char error[IPAM_ERROR_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++) {
		const char *subnet = ip_is_v4(&p->ip[i]) ? plan->subnet4 : plan->subnet6;

		if (has_family(l->mine, l->n_mine, ip_is_v4(&p->ip[i])))
			continue;
		if (ipam_assign(l->m->ipam, plan->network, subnet[0] != '\0' ? subnet : NULL,
			    &p->ip[i], l->s->key, &a[n], error) < 0) {
			while (n-- > 0)
				ipam_release(l->m->ipam, a[n].subnet, &a[n].ip.ip);
			return false;
		}
		n++;
	}
	*ret_n = n;
	return true;
}

// What is kept and in the pool stays the pod's, with its MAC; what is not in it goes, and only then
// the rest is taken: one address is never two objects.
static void take_from_pool(const struct look *l, const struct pod_plan *plan)
{
	struct ipam_address a[2];
	char error[IPAM_ERROR_MAX];
	struct look kept = *l;
	struct pool p;
	uint8_t mac[6];
	size_t n;

	if (!pool_ips(l->pool, pool_ordinal(l->name), p.ip, &p.n, error) ||
		!pool_fits(&p, plan->family, l->pool, error)) {
		fail(l, error);
		return;
	}
	kept.n_others = 0;
	for (size_t i = 0; i < l->n_others; i++) {
		if (pool_has(&p, l->others[i]))
			kept.others[kept.n_others++] = l->others[i];
		else
			pod_delete_instances(l, &l->others[i], 1);
	}
	recouple(&kept);
	if (l->s->n_requests > 0 || l->any_deleting)
		return; // and then again
	if (!choose_mac(l, plan->network, mac))
		return;
	if (!assign(l, plan, &p, a, &n, error)) {
		fail(l, error);
		return;
	}
	l->s->fresh = POD_FRESH_ASSIGNED;
	create_instances(l, plan, a, n, mac);
}

// ── The step ───────────────────────────────────────────────────────────────────────────────────

static bool wants_both(const struct ipinstance *const *ip, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *family =
			key_values_get(&ip[i]->obj.meta.annotations, ANNOTATION_FAMILY);
		if (family != NULL && strcmp(family, "DualStack") == 0)
			return true;
	}
	return false;
}

// Whether the pod has all it needs. A manager that died between two creates left one of two: the
// object says so if we made it, else what the pod asks for does.
static bool is_complete(const struct look *l)
{
	char error[SELECTION_ERROR_MAX];
	struct pod_plan plan;

	if (has_family(l->mine, l->n_mine, true) && has_family(l->mine, l->n_mine, false))
		return true;
	if (l->n_mine == 0 || wants_both(l->mine, l->n_mine))
		return false;
	for (size_t i = 0; l->retain && i < l->n_others; i++) {
		if (!has_family(l->mine, l->n_mine, is_v4(l->others[i])))
			return false; // kept, and not bound yet
	}
	if (l->retain || l->s->checked)
		return true;
	l->s->checked = true;
	return !pod_plan_make(l->m, l->pod, NULL, 0, &plan, error) ||
	       plan.family != IP_FAMILY_DUAL_STACK;
}

static bool plan_for(const struct look *l, struct pod_plan *plan, char error[SELECTION_ERROR_MAX])
{
	const struct ipinstance *kept[2 * INSTANCES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < l->n_mine; i++)
		kept[n++] = l->mine[i];
	for (size_t i = 0; i < l->n_others; i++)
		kept[n++] = l->others[i];
	if (!pod_plan_make(l->m, l->pod, kept, l->retain ? n : 0, plan, error))
		return false;
	// One of two is no sign that one is enough.
	if (wants_both(l->mine, l->n_mine))
		plan->family = IP_FAMILY_DUAL_STACK;
	return true;
}

static void get_addresses(const struct look *l)
{
	char error[SELECTION_ERROR_MAX];
	struct pod_plan plan;

	if (l->retain && l->n_others > 0 && l->pool == NULL) {
		recouple(l);
		return;
	}
	// Another pod's of the same name: not waited for, except that the new must not get them.
	if (l->pool == NULL)
		pod_delete_instances(l, l->others, l->n_others);
	if (!plan_for(l, &plan, error))
		fail(l, error);
	else if (l->pool != NULL)
		take_from_pool(l, &plan);
	else
		allocate(l, &plan);
}

void pod_step_live(const struct look *l)
{
	struct pod_state *s = l->s;

	if (is_complete(l)) {
		pod_delete_instances(l, l->others, l->n_others);
		succeed(l);
		return;
	}
	if (pod_has_rival(l))
		return;
	if (s->began == 0)
		s->began = uv_now(l->m->loop);
	if (l->owner.stateful && !object_has_finalizer(&l->pod->obj, FINALIZER_IP_ALLOCATED))
		pod_set_finalizer(l, true); // before there is anything to release
	else if (l->vm_elsewhere && l->n_mine == 0)
		fail(l, "the addresses of the virtual machine are in use by another pod of it: "
			"assigned ip is not available");
	else
		get_addresses(l);
}
