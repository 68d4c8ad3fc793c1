// The sweeper: looks now and then for addresses that are lost or given twice. Nothing should be: the
// controllers act on every event. It is there for what no event tells of: objects written by others,
// a version with a bug, a cache that missed something.
#include "ctrl/manager/sweep.h"

#include <stdlib.h>
#include <string.h>

#include "ctrl/log.h"
#include "ctrl/manager/doubled.h"
#include "ctrl/manager/state.h"

// A leaked address is given back when it has been seen so in every run for so long.
#define GRACE_MS 30000

struct finding { // an IPInstance that is not good
	char key[POD_KEY_MAX]; // "namespace/name"
	enum sweep_verdict verdict;
	uint64_t since; // loop time
	bool seen; // in this run
	UT_hash_handle hh;
};

struct sweep {
	struct manager *m;
	struct finding *findings; // owned
	size_t n[SWEEP_DOUBLED + 1]; // of this run
};

enum sweep_verdict sweep_judge(const struct ipinstance *i, const struct pod *pod)
{
	bool bound = i->binding.node_name[0] != '\0';

	if (bound && !i->obj.meta.deleting &&
		(pod == NULL || strcmp(pod->obj.meta.uid, i->binding.pod_uid) != 0))
		return SWEEP_LEAKED;
	return SWEEP_GOOD;
}

static struct finding *find(struct sweep *s, const struct object *obj, enum sweep_verdict verdict)
{
	char key[POD_KEY_MAX];
	struct finding *f;

	meta_key(&obj->meta, key, sizeof(key));
	HASH_FIND_STR(s->findings, key, f);
	if (f == NULL) {
		f = calloc(1, sizeof(*f));
		if (f == NULL)
			return NULL; // the next run
		(void)snprintf(f->key, sizeof(f->key), "%s", key);
		HASH_ADD_STR(s->findings, key, f);
	}
	if (f->verdict != verdict) {
		f->verdict = verdict;
		f->since = uv_now(s->m->loop);
	}
	f->seen = true;
	s->n[verdict]++;
	return f;
}

static const struct pod *pod_of(const struct manager *m, const struct ipinstance *i)
{
	return (const void *)cache_get(
		m->cache, KIND_POD, i->obj.meta.namespace, i->binding.pod_name);
}

// ── In force ───────────────────────────────────────────────────────────────────────────────────

static bool check(const struct object *obj, void *arg)
{
	struct sweep *s = arg;
	const struct ipinstance *i = (const void *)obj;
	char key[POD_KEY_MAX], ip[CIDR_TEXT_MAX];
	struct finding *f;

	if (!ipinstance_is_ours(i) || sweep_judge(i, pod_of(s->m, i)) != SWEEP_LEAKED)
		return true;
	f = find(s, obj, SWEEP_LEAKED);
	if (f == NULL || uv_now(s->m->loop) - f->since < GRACE_MS)
		return true;
	f->since = uv_now(s->m->loop); // not again at once
	report_event(s->m, obj, true, "IPLeaked",
		"address %s is bound to pod %s, which is no more: it is given back",
		cidr_text(&i->address.ip, ip), i->binding.pod_name);
	report_swept(s->m);
	if (ipinstance_pod_key(i, key))
		pod_reconcile(s->m, key); // keeps it if it is one to be kept
	else
		request_delete(s->m, NULL, obj);
	return true;
}

// ── Not in force ───────────────────────────────────────────────────────────────────────────────

// Nobody counts on an address that is not in force: its finalizer has nothing to wait for.
static void let_go(struct manager *m, const struct ipinstance *i, const cJSON *json)
{
	cJSON *patch = cJSON_CreateObject(), *list = NULL;
	cJSON *copy = cJSON_Duplicate(json, true);

	object_set_finalizer(copy, FINALIZER_IP_ALLOCATED, false);
	list = cJSON_DetachItemFromObjectCaseSensitive(
		cJSON_GetObjectItemCaseSensitive(copy, "metadata"), "finalizers");
	cJSON *meta = cJSON_AddObjectToObject(patch, "metadata");
	(void)cJSON_AddItemToObject(meta, "finalizers", list != NULL ? list : cJSON_CreateArray());
	(void)cJSON_AddStringToObject(meta, "resourceVersion", i->obj.meta.resource_version);
	m->store->ops->patch(m->store,
		&(struct store_name){.kind = KIND_IPINSTANCE,
			.namespace = i->obj.meta.namespace,
			.name = i->obj.meta.name},
		patch, false, NULL, NULL);
	cJSON_Delete(patch);
	cJSON_Delete(copy);
}

static bool check_refused(const cJSON *json, const char *, void *arg)
{
	struct sweep *s = arg;
	char error[MODEL_ERROR_MAX];
	struct object *obj;

	if (object_decode(json, &obj, error) < 0)
		return true; // its condition says so
	const struct ipinstance *i = OBJECT_AS(ipinstance, obj);
	const struct ipinstance *found = cache_ipinstance_at(s->m->cache, &i->address.ip.ip);
	struct finding *f = NULL;

	if (obj->meta.deleting && ipinstance_is_ours(i) &&
		(found == NULL || doubled_are_two(found, i)))
		let_go(s->m, i, json);
	else if (doubled_are_two(found, i)) // else it is a new version of what is in force
		f = find(s, obj, SWEEP_DOUBLED);
	if (f != NULL)
		doubled_settle(s->m, NULL, found, i, f->since != uv_now(s->m->loop));
	object_free(obj);
	return true;
}

// ── Life ───────────────────────────────────────────────────────────────────────────────────────

void sweep_run(struct manager *m)
{
	struct finding *f, *next;

	if (m->sweep == NULL)
		m->sweep = calloc(1, sizeof(*m->sweep));
	if (m->sweep == NULL)
		return;
	m->sweep->m = m;
	memset(m->sweep->n, 0, sizeof(m->sweep->n));
	cache_each(m->cache, KIND_IPINSTANCE, check, m->sweep);
	cache_each_refused(m->cache, KIND_IPINSTANCE, check_refused, m->sweep);
	HASH_ITER (hh, m->sweep->findings, f, next) {
		if (!f->seen) {
			HASH_DEL(m->sweep->findings, f);
			free(f);
			continue;
		}
		f->seen = false;
	}
	report_sweep(m, m->sweep->n[SWEEP_LEAKED], m->sweep->n[SWEEP_DOUBLED]);
}

void sweep_free(struct sweep *s)
{
	struct finding *f, *next;

	if (s == NULL)
		return;
	HASH_ITER (hh, s->findings, f, next) {
		HASH_DEL(s->findings, f);
		free(f);
	}
	free(s);
}
