// CNI ADD, second part: waiting for the pod's addresses, which the manager allots when it sees the
// Pod object. Nothing is polled: the cache's events drive this.
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "ctrl/model/condition.h"
#include "ctrl/node/cni_inner.h"

#define DEADLINE_PERIOD_MS 50

// ── Waiting ────────────────────────────────────────────────────────────────────────────────────

static void time_out(struct add *add)
{
	const struct cni_conf *conf = &add->op->cni->conf;
	const struct attachment *a = &add->op->slot->a;
	const char *remedy =
		add->wait != WAIT_POD
			? "is a manager active, and has it a Network and Subnet for this pod?"
		: conf->config->store_kube
			? "is the API server reachable, and is it this cluster's pod?"
			: "its Pod object is being deleted, or was not made by this runtime";

	if (add->wait == WAIT_POD)
		(void)cni_failure_set(&add->failure, CNI_NO_ADDRESS, remedy,
			"failed to get pod %s/%.200s: not seen within %u ms", a->namespace, a->pod,
			conf->config->attach_timeout_ms);
	else
		(void)cni_failure_set(&add->failure, CNI_NO_ADDRESS, remedy,
			"failed to wait for pod %s/%.150s to be coupled with ip, expect %zu and "
			"get %zu "
			"(no IPInstance within %u ms)",
			a->namespace, a->pod, add->n_expected, add->n_found,
			conf->config->attach_timeout_ms);
	add_fail(add);
}

static void on_timer(uv_timer_t *timer)
{
	struct cni *cni = timer->data;
	uint64_t now = uv_now(timer->loop);
	struct add *add, *next;

	DL_FOREACH_SAFE (cni->waiting, add, next) {
		if (now >= add->deadline)
			time_out(add);
	}
	if (cni->waiting == NULL)
		(void)uv_timer_stop(timer);
}

void add_wait_for(struct add *add, enum add_wait what)
{
	struct cni *cni = add->op->cni;

	if (add->wait == WAIT_NOTHING)
		DL_APPEND(cni->waiting, add);
	add->wait = what;
	if (!uv_is_active((uv_handle_t *)&cni->timer))
		(void)uv_timer_start(&cni->timer, on_timer, DEADLINE_PERIOD_MS, DEADLINE_PERIOD_MS);
}

void add_stop_waiting(struct add *add)
{
	if (add->wait == WAIT_NOTHING)
		return;
	DL_DELETE(add->op->cni->waiting, add);
	add->wait = WAIT_NOTHING;
}

// ── Addresses ──────────────────────────────────────────────────────────────────────────────────

// What the manager says about a pod that gets no address, or NULL.
static const char *refusal_of(const struct add *add)
{
	const struct attachment *a = &add->op->slot->a;
	const cJSON *json =
		cache_get_json(add->op->cni->conf.cache, KIND_POD, a->namespace, a->pod);
	const cJSON *status = cJSON_GetObjectItemCaseSensitive(json, "status");
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(
		condition_find(status, CONDITION_IP_ALLOCATED), "message"));

	if (condition_get(status, CONDITION_IP_ALLOCATED) == 0)
		return text != NULL ? text : "no address was allotted";
	return NULL;
}

static bool count_address(const struct ipinstance *, void *n)
{
	(*(size_t *)n)++;
	return true;
}

void add_address(struct add *add)
{
	const struct cni_conf *conf = &add->op->cni->conf;
	const struct attachment *a = &add->op->slot->a;
	const struct pod *pod =
		(const void *)cache_get(conf->cache, KIND_POD, a->namespace, a->pod);

	if (pod == NULL || pod->obj.meta.deleting || strcmp(pod->obj.meta.uid, a->uid) != 0) {
		add->moot = true;
		(void)cni_failure_set(&add->failure, CNI_TRY_AGAIN_LATER, NULL,
			"Pod '%s/%.200s' was deleted in between", a->namespace, a->pod);
		add_fail(add);
		return;
	}
	if (!add_family(conf, pod, &add->n_expected, &add->failure)) {
		add_fail(add);
		return;
	}
	add->n_found = 0;
	bindings_each(add->op->cni->bindings, a->uid, count_address, &add->n_found);
	const char *refusal = refusal_of(add);
	if (add->n_found >= add->n_expected) {
		add_lap(add, LAP_WAIT);
		add_checks(add);
	} else if (refusal != NULL) {
		(void)cni_failure_set(&add->failure, CNI_REFUSED, NULL, "pod '%s/%.100s': %.200s",
			a->namespace, a->pod, refusal);
		add_fail(add);
	} else {
		add_wait_for(add, WAIT_ADDRESS);
	}
}

void add_address_event(struct cni *cni, const struct ipinstance *i)
{
	struct add *add, *next;

	DL_FOREACH_SAFE (cni->waiting, add, next) {
		if (add->wait == WAIT_ADDRESS &&
			strcmp(i->binding.pod_uid, add->op->slot->a.uid) == 0) {
			add_stop_waiting(add);
			add_address(add);
		}
	}
}

void add_pod_event(struct cni *cni, const struct object *pod)
{
	struct add *add, *next;

	DL_FOREACH_SAFE (cni->waiting, add, next) {
		const struct attachment *a = &add->op->slot->a;

		if (strcmp(a->pod, pod->meta.name) != 0 ||
			strcmp(a->namespace, pod->meta.namespace) != 0)
			continue;
		bool for_pod = add->wait == WAIT_POD;

		add_stop_waiting(add);
		if (for_pod)
			add_object(add);
		else
			add_address(add);
	}
}
