// The end of a pod: its addresses are given back, or kept for its next life.
#include <string.h>
#include <time.h>

#include "ctrl/manager/pods.h"
#include "ctrl/model/timestamp.h"

// How long an address of a pod that is over waits for its port to go.
#define PORT_PATIENCE_MS 30000

void pod_ips_text(const struct ipinstance *const *ip, size_t n, char text[POD_IPS_MAX])
{
	char one[CIDR_TEXT_MAX];

	strcpy(text, "[");
	for (size_t i = 0; i < n && i < INSTANCES_MAX; i++) {
		strcat(text, i > 0 ? " " : "");
		strcat(text, cidr_text(&ip[i]->address.ip, one));
	}
	strcat(text, "]");
}

void pod_delete_instances(const struct look *l, const struct ipinstance *const *ip, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (ipinstance_is_ours(ip[i])) // what a person wrote is theirs
			request_delete(l->m, l->s->key, &ip[i]->obj);
	}
}

// The daemon wrote it for a container that is no more.
static void blank_status(const struct look *l, const struct ipinstance *ip)
{
	static const char *const fields[] = {"nodeName", "podName", "podNamespace", "sandboxID"};
	const struct store_name name = {
		.kind = KIND_IPINSTANCE, .namespace = l->namespace, .name = ip->obj.meta.name};
	char now[TIMESTAMP_MAX];
	cJSON *status;

	if (ip->status.node_name[0] == '\0' && ip->status.sandbox_id[0] == '\0')
		return;
	status = status_copy(l->m, &name);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		cJSON_DeleteItemFromObjectCaseSensitive(status, fields[i]);
	cJSON_DeleteItemFromObjectCaseSensitive(status, "updateTimestamp");
	(void)cJSON_AddStringToObject(status, "updateTimestamp", timestamp(time(NULL), now));
	request_update_status(l->m, l->s->key, &name, status);
}

static bool is_reserved(const struct ipinstance *ip)
{
	return ip->binding.node_name[0] == '\0' && ip->binding.pod_uid[0] == '\0';
}

static bool is_vms(const struct ipinstance *ip)
{
	return key_values_get(&ip->obj.meta.labels, ANNOTATION_PREFIX "vm") != NULL;
}

// The status goes first, alone: the two would be of one version and only one of them could be.
static bool reserve_instance(const struct look *l, const struct ipinstance *ip)
{
	unsigned int n = l->s->n_requests;
	cJSON *obj;

	if (is_reserved(ip))
		return false;
	blank_status(l, ip);
	if (l->s->n_requests > n)
		return false; // the next step
	obj = object_copy(l->m, KIND_IPINSTANCE, l->namespace, ip->obj.meta.name);
	if (obj == NULL)
		return false;
	ipinstance_reserve(obj, !is_vms(ip));
	request_update(l->m, l->s->key, obj);
	return true;
}

// Whether any of them was still bound.
static bool reserve_instances(const struct look *l, const struct ipinstance *const *ip, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < n; i++)
		any = reserve_instance(l, ip[i]) || any;
	return any;
}

void pod_set_finalizer(const struct look *l, bool present)
{
	cJSON *obj = object_copy(l->m, KIND_POD, l->namespace, l->name);

	if (obj == NULL)
		return;
	object_set_finalizer(obj, FINALIZER_IP_ALLOCATED, present);
	request_update(l->m, l->s->key, obj);
}

static bool is_stateful_kind(const struct look *l, const struct ipinstance *ip)
{
	const char *kind = ip->binding.referred_kind;

	if (is_vms(ip))
		return l->m->vm_retain;
	return kind[0] != '\0' && strcmp(kind, "Pod") != 0 && l->m->selection.ip_retain;
}

// The Pod object is gone: what was its goes too, unless it is kept for its next life. An API server
// is asked first, unless its watch said so: a cache may know an IPInstance and not its pod yet.
void pod_step_gone(const struct look *l)
{
	l->s->failed = false;
	if (l->m->remote && !l->s->gone && l->n_others > 0) {
		if (!l->s->asking) {
			l->s->asking = true;
			request_look(l->m, l->s->key, KIND_POD, l->name);
		}
		return;
	}
	for (size_t i = 0; i < l->n_others; i++) {
		const struct ipinstance *ip = l->others[i];
		if (!ipinstance_is_ours(ip) || ip->binding.node_name[0] == '\0')
			continue; // a person's, or reserved
		if (is_stateful_kind(l, ip))
			(void)reserve_instance(l, ip);
		else
			pod_delete_instances(l, &ip, 1);
	}
}

// A pod that lost its controller is what its IPInstances say it was: hybridnet's issue 353.
static bool was_stateful(const struct look *l)
{
	if (pod_controller(l->pod) != NULL)
		return false;
	for (size_t i = 0; i < l->n_mine + l->n_others; i++) {
		const struct ipinstance *ip = i < l->n_mine ? l->mine[i] : l->others[i - l->n_mine];
		if (selection_in_list(l->m->selection.stateful_kinds, ip->binding.referred_kind))
			return true;
	}
	return false;
}

static void release_all(const struct look *l)
{
	pod_delete_instances(l, l->mine, l->n_mine);
	pod_delete_instances(l, l->others, l->n_others);
}

static void end_stateful(const struct look *l, bool orphan)
{
	// What a pool says is said of the next pod, too.
	bool kept = l->retain || l->pool != NULL || (orphan && l->m->selection.ip_retain);

	if (!kept || l->vm_gone) {
		release_all(l);
		return;
	}
	bool any = reserve_instances(l, l->mine, l->n_mine);
	if (!l->owner.vm)
		any = reserve_instances(l, l->others, l->n_others) || any;
	if (any)
		report_event(l->m, &l->pod->obj, false, "IPReserveSucceed",
			"reserve all IPs successfully");
}

static void end_normal(const struct look *l)
{
	char text[POD_IPS_MAX];

	// A terminating pod without our finalizer keeps its addresses until it is gone: its
	// containers may still be running.
	if (l->pod->obj.meta.deleting &&
		!object_has_finalizer(&l->pod->obj, FINALIZER_IP_ALLOCATED))
		return;
	if (l->n_mine == 0 && l->n_others == 0)
		return;
	pod_ips_text(l->mine, l->n_mine, text);
	release_all(l);
	report_event(
		l->m, &l->pod->obj, false, "IPReleaseSucceed", "pre decouple all IPs successfully");
}

// A kubelet says that a pod is over before it takes the pod's network down, and an evicted pod's
// status names no container: what it has may still send. The node's daemon takes its sandbox out
// of the IPInstance's status when the port is gone; one that never comes to that is not waited for.
static bool has_port(const struct look *l)
{
	struct pod_state *s = l->s;
	bool any = false;

	if (strcmp(l->pod->phase, "Failed") != 0 && strcmp(l->pod->phase, "Succeeded") != 0)
		return false;
	for (size_t i = 0; i < l->n_mine; i++)
		any |= l->mine[i]->status.sandbox_id[0] != '\0';
	if (!any)
		return false;
	if (s->over == 0)
		s->over = uv_now(l->m->loop);
	return uv_now(l->m->loop) - s->over < PORT_PATIENCE_MS;
}

void pod_step_end(const struct look *l)
{
	bool orphan = !l->owner.stateful && was_stateful(l);

	l->s->failed = false;
	if (has_port(l)) {
		l->s->retry = true;
		return;
	}
	if (l->owner.stateful || orphan) {
		// What still runs still has its address, however long its preStop hook takes.
		if (l->pod->any_container_running)
			return;
		end_stateful(l, orphan);
	} else {
		end_normal(l);
	}
	if (l->s->n_requests == 0 && !l->any_deleting &&
		object_has_finalizer(&l->pod->obj, FINALIZER_IP_ALLOCATED))
		pod_set_finalizer(l, false);
}
