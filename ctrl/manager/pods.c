// The pod controller: what a pod needs now, one step at a time. A step ends in requests; when they
// are back, or an object changes, the pod is looked at again, until there is nothing to do.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/ipam/mac.h"
#include "ctrl/log.h"
#include "ctrl/manager/plan.h"
#include "ctrl/manager/state.h"

#define CONDITION_IP_ALLOCATED "IPAllocated"
#define INSTANCES_MAX 8 // of one pod that are looked at; two are right

// ── States ─────────────────────────────────────────────────────────────────────────────────────

struct pod_state *pod_state_get(struct manager *m, const char *key)
{
	struct pod_state *s;

	HASH_FIND_STR(m->pods, key, s);
	if (s != NULL)
		return s;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		abort(); // an address could be given away twice
	(void)snprintf(s->key, sizeof(s->key), "%s", key);
	HASH_ADD_STR(m->pods, key, s);
	return s;
}

static void pod_state_free(struct manager *m, struct pod_state *s)
{
	HASH_DEL(m->pods, s);
	free(s->instances);
	free(s);
}

void pod_states_clear(struct manager *m)
{
	struct pod_state *s, *next;

	HASH_ITER (hh, m->pods, s, next) {
		pod_state_free(m, s);
	}
}

void pod_state_del_instance(struct pod_state *s, const char *name)
{
	for (size_t i = 0; i < s->n_instances; i++) {
		if (strcmp(s->instances[i], name) != 0)
			continue;
		memmove(s->instances[i], s->instances[s->n_instances - 1], sizeof(s->instances[i]));
		s->n_instances--;
		return;
	}
}

void pod_state_add_instance(struct pod_state *s, const char *name)
{
	pod_state_del_instance(s, name);
	char(*new)[64] = reallocarray(s->instances, s->n_instances + 1, sizeof(*new));
	if (new == NULL)
		abort();
	s->instances = new;
	(void)snprintf(new[s->n_instances++], sizeof(*new), "%s", name);
}

void split_key(const char *key, char namespace[64], char name[NAME_MAX_LEN])
{
	const char *slash = strchr(key, '/');

	(void)snprintf(namespace, 64, "%.*s", slash != NULL ? (int)(slash - key) : 0, key);
	(void)snprintf(name, NAME_MAX_LEN, "%s", slash != NULL ? slash + 1 : key);
}

// ── A look at a pod ────────────────────────────────────────────────────────────────────────────

// Everything a step is decided on.
struct look {
	struct manager *m;
	struct pod_state *s;
	char namespace[64], name[NAME_MAX_LEN];
	const struct pod *pod; // NULL: gone
	struct pod_owner owner;
	bool retain; // addresses outlive the pod
	const struct ipinstance *mine[INSTANCES_MAX]; // bound to this very pod
	const struct ipinstance
		*others[INSTANCES_MAX]; // reserved, or bound to an earlier pod of the name
	size_t n_mine, n_others;
	bool any_deleting;
};

static bool retains(const struct manager *m, const struct pod *pod)
{
	const char *text = key_values_get(&pod->obj.meta.annotations, ANNOTATION_IP_RETAIN);
	static const char *const trues[] = {"1", "t", "T", "true", "TRUE", "True"};
	static const char *const falses[] = {"0", "f", "F", "false", "FALSE", "False"};

	for (size_t i = 0; text != NULL && i < sizeof(trues) / sizeof(trues[0]); i++) {
		if (strcmp(text, trues[i]) == 0)
			return true;
		if (strcmp(text, falses[i]) == 0)
			return false;
	}
	return m->ip_retain;
}

static void look_at(struct manager *m, struct pod_state *s, struct look *l)
{
	*l = (struct look){.m = m, .s = s};
	split_key(s->key, l->namespace, l->name);
	l->pod = (const void *)cache_get(m->cache, KIND_POD, l->namespace, l->name);
	if (l->pod != NULL) {
		l->owner = pod_owner_of(m, l->pod);
		l->retain = l->owner.stateful && retains(m, l->pod);
	}
	for (size_t i = 0; i < s->n_instances; i++) {
		const struct ipinstance *ip = (const void *)cache_get(
			m->cache, KIND_IPINSTANCE, l->namespace, s->instances[i]);
		if (ip == NULL)
			continue;
		if (ip->obj.meta.deleting)
			l->any_deleting = true;
		else if (l->pod != NULL && ip->binding.node_name[0] != '\0' &&
			 strcmp(ip->binding.pod_uid, l->pod->obj.meta.uid) == 0 &&
			 l->n_mine < INSTANCES_MAX)
			l->mine[l->n_mine++] = ip;
		else if (l->n_others < INSTANCES_MAX)
			l->others[l->n_others++] = ip;
	}
}

static bool is_stateful_kind(const struct look *l, const struct ipinstance *ip)
{
	return strcmp(ip->binding.referred_kind, "Pod") != 0 && l->m->ip_retain;
}

static void delete_instance(const struct look *l, const struct ipinstance *ip)
{
	if (ipinstance_is_ours(ip)) // what a person wrote is theirs
		request_delete(l->m, l->s->key, KIND_IPINSTANCE, l->namespace, ip->obj.meta.name);
}

static void reserve_instance(const struct look *l, const struct ipinstance *ip)
{
	if (ip->binding.node_name[0] == '\0' && ip->binding.pod_uid[0] == '\0')
		return;
	cJSON *obj = object_copy(l->m, KIND_IPINSTANCE, l->namespace, ip->obj.meta.name);
	if (obj == NULL)
		return;
	ipinstance_reserve(obj);
	request_update(l->m, l->s->key, obj);
}

static void delete_instances(const struct look *l, const struct ipinstance *const *ip, size_t n)
{
	for (size_t i = 0; i < n; i++)
		delete_instance(l, ip[i]);
}

static void reserve_instances(const struct look *l, const struct ipinstance *const *ip, size_t n)
{
	for (size_t i = 0; i < n; i++)
		reserve_instance(l, ip[i]);
}

static void set_pod_finalizer(const struct look *l, bool present)
{
	cJSON *obj = object_copy(l->m, KIND_POD, l->namespace, l->name);

	if (obj == NULL)
		return;
	object_set_finalizer(obj, present);
	request_update(l->m, l->s->key, obj);
}

// ── The end of a pod ───────────────────────────────────────────────────────────────────────────

// The Pod object is gone: what was its goes too, unless it is kept for its next life.
static void step_gone(const struct look *l)
{
	l->s->failed = false;
	for (size_t i = 0; i < l->n_others; i++) {
		const struct ipinstance *ip = l->others[i];
		if (!ipinstance_is_ours(ip))
			continue;
		if (ip->binding.node_name[0] == '\0')
			continue; // reserved
		if (is_stateful_kind(l, ip))
			reserve_instance(l, ip);
		else
			delete_instance(l, ip);
	}
}

static bool has_ended(const struct pod *pod)
{
	return pod->obj.meta.deleting ||
	       (strcmp(pod->phase, "Failed") == 0 && strcmp(pod->reason, "Evicted") == 0) ||
	       (strcmp(pod->phase, "Succeeded") == 0 && pod->all_containers_have_status);
}

static void step_end(const struct look *l)
{
	l->s->failed = false;
	if (!l->owner.stateful) {
		// A terminating pod without our finalizer keeps its addresses until it is gone: its
		// containers may still be running.
		if (l->pod->obj.meta.deleting && !object_has_finalizer(&l->pod->obj))
			return;
		delete_instances(l, l->mine, l->n_mine);
		delete_instances(l, l->others, l->n_others);
	} else {
		if (l->pod->any_container_running)
			return;
		if (l->retain) {
			reserve_instances(l, l->mine, l->n_mine);
			reserve_instances(l, l->others, l->n_others);
		} else {
			delete_instances(l, l->mine, l->n_mine);
			delete_instances(l, l->others, l->n_others);
		}
	}
	if (l->s->n_requests == 0 && !l->any_deleting && object_has_finalizer(&l->pod->obj))
		set_pod_finalizer(l, false);
}

// ── A pod that lives ───────────────────────────────────────────────────────────────────────────

// Writes the outcome where the daemon looks while a runtime waits for its ADD.
static void write_condition(const struct look *l, bool ok, const char *reason, const char *message)
{
	const cJSON *json = cache_get_json(l->m->cache, KIND_POD, l->namespace, l->name);
	cJSON *obj = status_object(
		KIND_POD, l->namespace, l->name, cJSON_GetObjectItemCaseSensitive(json, "status"));

	if (condition_set(cJSON_GetObjectItemCaseSensitive(obj, "status"), CONDITION_IP_ALLOCATED,
		    ok, reason, message))
		request_update_status(l->m, NULL, obj);
	else
		cJSON_Delete(obj);
}

static void fail(const struct look *l, const char *error)
{
	l->s->failed = true;
	write_condition(l, false, "IPAllocationFail", error);
}

static void succeed(const struct look *l)
{
	const cJSON *json = cache_get_json(l->m->cache, KIND_POD, l->namespace, l->name);
	char message[2 * CIDR_TEXT_MAX + 64] = "allocate IPs [", text[CIDR_TEXT_MAX];

	l->s->failed = false;
	l->s->n_expected = 0;
	if (condition_get(
		    cJSON_GetObjectItemCaseSensitive(json, "status"), CONDITION_IP_ALLOCATED) != 0)
		return; // said only to take a failure back
	for (size_t i = 0; i < l->n_mine && i < 2; i++) {
		strcat(message, i > 0 ? " " : "");
		strcat(message, cidr_text(&l->mine[i]->address.ip, text));
	}
	strcat(message, "] successfully");
	write_condition(l, true, "IPAllocationSucceed", message);
}

static bool mac_is_used(void *arg, const uint8_t mac[6])
{
	return macs_has(arg, mac);
}

static void create_instances(const struct look *l, const struct pod_plan *plan,
	const struct ipam_address *a, size_t n, const uint8_t mac[6])
{
	for (size_t i = 0; i < n; i++) {
		struct request_address back = {.ip = a[i].ip.ip, .used = true};
		cJSON *obj = ipinstance_make(l->pod, &l->owner, plan->network, &a[i], mac);
		memcpy(back.mac, mac, sizeof(back.mac));
		memcpy(back.subnet, a[i].subnet, sizeof(back.subnet));
		request_create(l->m, l->s->key, obj, &back);
	}
	l->s->n_expected = n;
	l->s->expected_until = uv_now(l->m->loop) + SETTLE_MS;
	status_schedule(l->m);
}

static void allocate(const struct look *l, const struct pod_plan *plan)
{
	struct ipam_address a[2];
	char error[IPAM_ERROR_MAX];
	uint8_t mac[6];
	size_t n;
	int ret = mac_generate(mac, mac_is_used, l->m);

	if (ret < 0) {
		fail(l, "no MAC address is free");
		return;
	}
	ret = ipam_allocate(l->m->ipam, plan->network, plan->family,
		plan->subnet4[0] != '\0' ? plan->subnet4 : NULL,
		plan->subnet6[0] != '\0' ? plan->subnet6 : NULL, l->s->key, a, &n, error);
	if (ret < 0)
		fail(l, error);
	else
		create_instances(l, plan, a, n, mac);
}

// Binds what was kept for this name to the pod that bears it now.
static void recouple(const struct look *l)
{
	for (size_t i = 0; i < l->n_others; i++) {
		cJSON *obj = object_copy(
			l->m, KIND_IPINSTANCE, l->namespace, l->others[i]->obj.meta.name);
		if (obj == NULL)
			continue;
		ipinstance_bind(obj, l->pod);
		request_update(l->m, l->s->key, obj);
	}
}

// Whether the pod has all it needs. A manager that died between two creates left one of two; what
// is kept from a former life is what it was then.
static bool is_complete(const struct look *l)
{
	struct pod_plan plan;
	char error[IPAM_ERROR_MAX];

	if (l->n_mine >= 2 || l->retain || l->s->checked)
		return true;
	l->s->checked = true;
	return !pod_plan_make(l->m, l->pod, &plan, error) || plan.family != IP_FAMILY_DUAL_STACK;
}

static void step_live(const struct look *l)
{
	struct pod_state *s = l->s;
	struct pod_plan plan;
	char error[IPAM_ERROR_MAX];

	if (l->n_mine > 0 && l->n_mine >= s->n_expected) {
		if (is_complete(l)) {
			delete_instances(l, l->others, l->retain ? 0 : l->n_others);
			succeed(l);
		} else {
			delete_instances(l, l->mine, l->n_mine);
		}
		return;
	}
	if (s->n_expected > 0 && uv_now(l->m->loop) < s->expected_until) {
		s->retry = true; // they are on their way
		return;
	}
	s->n_expected = 0;
	if (l->owner.stateful && !object_has_finalizer(&l->pod->obj)) {
		set_pod_finalizer(l, true); // before there is anything to release
		return;
	}
	if (l->retain && l->n_others > 0) {
		recouple(l);
		return;
	}
	// Another pod's of the same name: not waited for, except that the new must not get them.
	delete_instances(l, l->others, l->n_others);
	if (!pod_plan_make(l->m, l->pod, &plan, error)) {
		fail(l, error);
		return;
	}
	allocate(l, &plan);
}

void pod_reconcile(struct manager *m, const char *key)
{
	struct pod_state *s = pod_state_get(m, key);
	struct look l;

	if (!m->active || s->n_requests > 0)
		return; // their end comes back here
	look_at(m, s, &l);
	if (l.pod == NULL)
		step_gone(&l);
	else if (l.pod->host_network)
		return;
	else if (has_ended(l.pod))
		step_end(&l);
	else if (l.pod->node_name[0] != '\0')
		step_live(&l);
	if (l.pod == NULL && s->n_instances == 0 && s->n_requests == 0)
		pod_state_free(m, s);
}

// ── All pods ───────────────────────────────────────────────────────────────────────────────────

struct aged { // a pod and its time of creation
	char key[POD_KEY_MAX], time[40];
};

static int by_age(const void *pa, const void *pb)
{
	const struct aged *a = pa, *b = pb;
	int cmp = strcmp(a->time, b->time);
	return cmp != 0 ? cmp : strcmp(a->key, b->key);
}

void pods_retry(struct manager *m, bool failed)
{
	struct aged *list = calloc(HASH_COUNT(m->pods) + 1, sizeof(*list));
	struct pod_state *s, *next;
	char namespace[64], name[NAME_MAX_LEN];
	size_t n = 0;

	if (list == NULL)
		return;
	HASH_ITER (hh, m->pods, s, next) {
		if (failed && !s->failed)
			continue;
		split_key(s->key, namespace, name);
		const cJSON *meta = cJSON_GetObjectItemCaseSensitive(
			cache_get_json(m->cache, KIND_POD, namespace, name), "metadata");
		const char *time = cJSON_GetStringValue(
			cJSON_GetObjectItemCaseSensitive(meta, "creationTimestamp"));
		(void)snprintf(list[n].key, sizeof(list[n].key), "%s", s->key);
		(void)snprintf(list[n].time, sizeof(list[n].time), "%s", time != NULL ? time : "");
		n++;
	}
	qsort(list, n, sizeof(*list), by_age);
	for (size_t i = 0; i < n; i++)
		pod_reconcile(m, list[i].key);
	free(list);
}
