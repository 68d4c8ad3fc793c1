#include "ctrl/manager/doubled.h"

#include <string.h>

#include "ctrl/manager/pods.h"

enum doubled_verdict doubled_judge(bool holder_runs, bool rival_runs)
{
	if (!rival_runs)
		return DOUBLED_HOLDER_KEEPS;
	return holder_runs ? DOUBLED_BOTH_RUN : DOUBLED_RIVAL_TAKES;
}

bool doubled_are_two(const struct ipinstance *holder, const struct ipinstance *i)
{
	return holder != NULL &&
	       (strcmp(holder->obj.meta.name, i->obj.meta.name) != 0 ||
		       strcmp(holder->obj.meta.namespace, i->obj.meta.namespace) != 0);
}

static const struct pod *pod_of(const struct manager *m, const struct ipinstance *i)
{
	return (const void *)cache_get(
		m->cache, KIND_POD, i->obj.meta.namespace, i->binding.pod_name);
}

// A container runs only once its pod's address is there, whoever wrote that into a status or not.
static bool runs(const struct manager *m, const struct ipinstance *i)
{
	const struct pod *pod = pod_of(m, i);

	return pod != NULL && strcmp(pod->obj.meta.uid, i->binding.pod_uid) == 0 &&
	       (i->status.sandbox_id[0] != '\0' || pod->any_container_running);
}

static void say(struct manager *m, const struct ipinstance *loser, const struct ipinstance *owner,
	const char *remedy)
{
	const struct object *about[] = {&loser->obj, NULL};
	const struct pod *pod = pod_of(m, loser);
	char ip[CIDR_TEXT_MAX];

	(void)cidr_text(&loser->address.ip, ip);
	if (pod != NULL)
		about[1] = &pod->obj;
	for (size_t i = 0; i < 2 && about[i] != NULL; i++)
		report_event(m, about[i], true, "IPDoubled",
			"address %s is that of ipinstance %s/%s%s", ip, owner->obj.meta.namespace,
			owner->obj.meta.name, remedy);
}

void doubled_settle(struct manager *m, const char *pod, const struct ipinstance *holder,
	const struct ipinstance *rival, bool again)
{
	switch (doubled_judge(runs(m, holder), runs(m, rival))) {
	case DOUBLED_HOLDER_KEEPS:
		if (!again)
			say(m, rival, holder, "");
		if (ipinstance_is_ours(rival)) // else it is a person's
			request_delete(m, pod, &rival->obj);
		break;
	case DOUBLED_RIVAL_TAKES:
		if (!again)
			say(m, holder, rival, ", whose pod runs with it");
		else if (ipinstance_is_ours(holder) && !holder->obj.meta.deleting)
			request_delete(m, NULL, &holder->obj);
		break;
	case DOUBLED_BOTH_RUN:
		if (!again)
			say(m, rival, holder, ", and both pods run with it: delete one of them");
		break;
	}
}

// ── Of a pod ───────────────────────────────────────────────────────────────────────────────────

struct rivals {
	const struct look *l;
	bool any;
};

static bool find_rival(const cJSON *json, const char *, void *arg)
{
	struct rivals *r = arg;
	const struct look *l = r->l;
	char error[MODEL_ERROR_MAX];
	struct object *obj;

	if (object_decode(json, &obj, error) < 0)
		return true;
	const struct ipinstance *i = OBJECT_AS(ipinstance, obj);
	const struct ipinstance *holder = cache_ipinstance_at(l->m->cache, &i->address.ip.ip);
	bool mine = !obj->meta.deleting && ipinstance_is_ours(i) &&
		    strcmp(i->binding.pod_uid, l->pod->obj.meta.uid) == 0;

	if (mine && doubled_are_two(holder, i)) {
		r->any = true;
		if (doubled_judge(runs(l->m, holder), runs(l->m, i)) == DOUBLED_HOLDER_KEEPS)
			doubled_settle(l->m, l->s->key, holder, i, false);
	}
	object_free(obj);
	return true;
}

bool pod_has_rival(const struct look *l)
{
	struct rivals r = {.l = l};

	cache_each_refused(l->m->cache, KIND_IPINSTANCE, find_rival, &r);
	l->s->retry |= r.any;
	return r.any;
}

// ── The heir ───────────────────────────────────────────────────────────────────────────────────

struct search {
	struct manager *m;
	const struct ipinstance *gone;
};

static bool inherit(const cJSON *json, const char *, void *arg)
{
	const struct search *s = arg;
	char error[MODEL_ERROR_MAX], key[POD_KEY_MAX];
	struct request_address address = {.ip = s->gone->address.ip.ip, .used = true};
	struct object *obj;

	if (object_decode(json, &obj, error) < 0)
		return true;
	const struct ipinstance *i = OBJECT_AS(ipinstance, obj);
	bool is_heir = !obj->meta.deleting && strcmp(i->subnet, s->gone->subnet) == 0 &&
		       ip_cmp(&i->address.ip.ip, &address.ip) == 0;
	if (is_heir) {
		const char *owner = ipinstance_pod_key(i, key) ? key : obj->meta.name;
		(void)ipam_use(s->m->ipam, i->subnet, &address.ip, owner);
		(void)snprintf(address.subnet, sizeof(address.subnet), "%s", i->subnet);
		blocked_add(s->m, obj->meta.namespace, obj->meta.name, &address);
	}
	object_free(obj);
	return !is_heir;
}

void doubled_inherit(struct manager *m, const struct ipinstance *gone)
{
	cache_each_refused(
		m->cache, KIND_IPINSTANCE, inherit, &(struct search){.m = m, .gone = gone});
}
