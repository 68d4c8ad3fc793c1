// The pod controller: what a pod needs now, one step at a time. A step ends in requests; when they
// are back, or an object changes, the pod is looked at again, until there is nothing to do.
#include "ctrl/manager/pods.h"

#include <stdlib.h>
#include <string.h>

#include "ctrl/ipam/pod_selector.h"

static void sort_instance(struct look *l, const struct ipinstance *ip)
{
	bool bound = ip->binding.node_name[0] != '\0';

	if (ip->obj.meta.deleting)
		l->any_deleting = true;
	else if (bound && l->pod != NULL &&
		 strcmp(ip->binding.pod_uid, l->pod->obj.meta.uid) == 0 &&
		 l->n_mine < INSTANCES_MAX)
		l->mine[l->n_mine++] = ip;
	else if (l->n_others < INSTANCES_MAX)
		l->others[l->n_others++] = ip;
}

// A virtual machine's addresses are found by its label: its pods have a new name each.
struct search {
	struct look *l;
	const char *vm;
};

static bool find_vms(const struct object *obj, void *arg)
{
	const struct search *s = arg;
	const struct ipinstance *ip = (const void *)obj;
	const char *vm = key_values_get(&obj->meta.labels, ANNOTATION_PREFIX "vm");

	if (vm == NULL || strcmp(vm, s->vm) != 0 ||
		strcmp(obj->meta.namespace, s->l->namespace) != 0)
		return true;
	if (ip->binding.node_name[0] == '\0')
		sort_instance(s->l, ip);
	else
		s->l->vm_elsewhere |= strcmp(ip->binding.pod_uid, s->l->pod->obj.meta.uid) != 0;
	return true;
}

// False if it is not known yet whose the pod is.
static bool look_at_owner(struct look *l)
{
	struct pod_owner vm;

	l->owner = pod_owner_of(l->m, l->pod);
	l->retain = selection_retains(&l->m->selection, l->pod);
	if (l->owner.stateful || !l->m->vm_retain)
		return true;
	switch (vm_owner(l->m, l->s, l->pod, &vm, &l->vm_gone)) {
	case VM_ASKING:
		return false;
	case VM_OWNED:
		l->owner = vm;
		l->retain = true;
		if (!l->vm_gone && !l->pod->obj.meta.deleting)
			cache_each(l->m->cache, KIND_IPINSTANCE, find_vms,
				&(struct search){.l = l, .vm = vm.name});
		return true;
	case VM_NONE:
		break;
	}
	return true;
}

// Of stateful workloads only: another pod has no ordinal.
static const char *pool_of(const struct look *l)
{
	const char *pool = key_values_get(&l->pod->obj.meta.annotations, ANNOTATION_IP_POOL);
	bool counts = l->owner.stateful && !l->owner.vm && pool != NULL && pool[0] != '\0';

	return counts ? pool : NULL;
}

static bool look_at(struct manager *m, struct pod_state *s, struct look *l)
{
	*l = (struct look){.m = m, .s = s};
	split_key(s->key, l->namespace, l->name);
	l->pod = (const void *)cache_get(m->cache, KIND_POD, l->namespace, l->name);
	if (l->pod != NULL && !look_at_owner(l))
		return false;
	if (l->pod != NULL)
		l->pool = pool_of(l);
	for (size_t i = 0; i < s->n_instances; i++) {
		const struct ipinstance *ip = (const void *)cache_get(
			m->cache, KIND_IPINSTANCE, l->namespace, s->instances[i]);
		if (ip != NULL)
			sort_instance(l, ip);
	}
	return true;
}

static bool has_ended(const struct pod *pod)
{
	return pod->obj.meta.deleting ||
	       (strcmp(pod->phase, "Failed") == 0 && strcmp(pod->reason, "Evicted") == 0) ||
	       (strcmp(pod->phase, "Succeeded") == 0 && pod->all_containers_have_status);
}

// A pod that has an address stays ours, whatever becomes of its labels.
static bool is_cared_for(const struct look *l)
{
	return l->n_mine > 0 ||
	       pod_selector_matches(l->m->selection.pod_selector, &l->pod->obj.meta.labels);
}

void pod_reconcile(struct manager *m, const char *key)
{
	struct pod_state *s = pod_state_get(m, key);
	struct look l;

	if (!m->active || s->n_requests > 0)
		return; // their end comes back here
	if (pod_is_waiting(m, s) || !look_at(m, s, &l))
		return;
	if (l.pod == NULL || !has_ended(l.pod))
		s->over = 0;
	if (l.pod == NULL)
		pod_step_gone(&l);
	else if (l.pod->host_network)
		return;
	else if (has_ended(l.pod))
		pod_step_end(&l);
	else if (l.pod->node_name[0] != '\0' && is_cared_for(&l))
		pod_step_live(&l);
	if (l.pod == NULL && s->n_instances == 0 && s->n_requests == 0 && !s->asking)
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
		const struct object *pod = cache_get(m->cache, KIND_POD, namespace, name);
		(void)snprintf(list[n].key, sizeof(list[n].key), "%s", s->key);
		(void)snprintf(list[n].time, sizeof(list[n].time), "%s",
			pod != NULL ? pod->meta.creation_time : "");
		n++;
	}
	qsort(list, n, sizeof(*list), by_age);
	for (size_t i = 0; i < n; i++)
		pod_reconcile(m, list[i].key);
	free(list);
}
