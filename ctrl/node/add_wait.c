// CNI ADD, second part: waiting for the pod's addresses, which the manager allots when it sees the
// Pod object. Nothing is polled: the cache's events drive this.
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "ctrl/node/cni_inner.h"

#define DEADLINE_PERIOD_MS 50
#define CONDITION_ALLOCATED "IPAllocated"

// ── Waiting ────────────────────────────────────────────────────────────────────────────────────

static void time_out(struct add *add)
{
	const struct cni_conf *conf = &add->op->cni->conf;
	const struct attachment *a = &add->op->slot->a;
	const char *remedy =
		add->wait == WAIT_POD
			? "its Pod object is being deleted, or was not made by this runtime"
			: "is a manager active, and has it a Network and Subnet for this pod?";

	(void)cni_failure_set(&add->failure, CNI_NO_ADDRESS, remedy,
		"no IPInstance for pod '%s/%.200s' within %u ms", a->namespace, a->pod,
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

// How many addresses the pod is to have.
static size_t n_expected(const struct add *add, const struct pod *pod)
{
	const char *family = key_values_get(&pod->obj.meta.annotations, ANNOTATION_IP_FAMILY);

	if (family == NULL)
		family = add->op->cni->conf.config->manager.default_ip_family;
	return strcmp(family, "DualStack") == 0 ? 2 : 1;
}

// What the manager says about a pod that gets no address, or NULL.
static const char *refusal_of(const struct add *add)
{
	const struct attachment *a = &add->op->slot->a;
	const cJSON *json =
		cache_get_json(add->op->cni->conf.cache, KIND_POD, a->namespace, a->pod);
	const cJSON *status = cJSON_GetObjectItemCaseSensitive(json, "status");
	const cJSON *condition;

	cJSON_ArrayForEach (condition, cJSON_GetObjectItemCaseSensitive(status, "conditions")) {
		const char *type =
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(condition, "type"));
		const char *value =
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(condition, "status"));
		const char *text = cJSON_GetStringValue(
			cJSON_GetObjectItemCaseSensitive(condition, "message"));

		if (type != NULL && value != NULL && strcmp(type, CONDITION_ALLOCATED) == 0 &&
			strcmp(value, "False") == 0)
			return text != NULL ? text : "no address was allotted";
	}
	return NULL;
}

struct count {
	const struct add *add;
	size_t n;
};

static bool count_address(const struct object *obj, const cJSON *, void *arg)
{
	struct count *c = arg;
	const struct ipinstance *i = (const void *)obj;

	if (!obj->meta.deleting && strcmp(i->binding.pod_uid, c->add->op->slot->a.uid) == 0 &&
		strcmp(i->binding.node_name, c->add->op->cni->conf.config->node_name) == 0)
		c->n++;
	return true;
}

void add_address(struct add *add)
{
	const struct cni_conf *conf = &add->op->cni->conf;
	const struct attachment *a = &add->op->slot->a;
	const struct pod *pod =
		(const void *)cache_get(conf->cache, KIND_POD, a->namespace, a->pod);
	struct count count = {.add = add};

	if (pod == NULL || pod->obj.meta.deleting || strcmp(pod->obj.meta.uid, a->uid) != 0) {
		(void)cni_failure_set(&add->failure, CNI_TRY_AGAIN_LATER, NULL,
			"Pod '%s/%.200s' was deleted in between", a->namespace, a->pod);
		add_fail(add);
		return;
	}
	cache_each(conf->cache, KIND_IPINSTANCE, count_address, &count);
	const char *refusal = refusal_of(add);
	if (count.n >= n_expected(add, pod)) {
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
