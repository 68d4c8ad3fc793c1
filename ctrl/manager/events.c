// What the cache tells, into the books: addresses and MACs that are used, whose IPInstance is whose, which
// objects are bad.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/log.h"
#include "ctrl/manager/doubled.h"
#include "ctrl/manager/state.h"

// ── IPInstances in the books ───────────────────────────────────────────────────────────────────

static void book(struct manager *m, const struct ipinstance *i)
{
	char key[POD_KEY_MAX] = "";
	bool bound = ipinstance_pod_key(i, key);
	int ret = ipam_use(m->ipam, i->subnet, &i->address.ip.ip, bound ? key : i->obj.meta.name);

	if (ret < 0 && ret != -EEXIST)
		(void)log_warn(ret, "address of ipinstance '%s/%s' of subnet '%s'",
			i->obj.meta.namespace, i->obj.meta.name, i->subnet);
	blocked_forget(m, i->subnet, &i->address.ip.ip); // from now on the books have it
	macs_add(m, i->address.mac);
	if (bound)
		pod_state_add_instance(pod_state_get(m, key), i->obj.meta.name);
}

static void unbook(struct manager *m, const struct ipinstance *i, bool release)
{
	char key[POD_KEY_MAX];

	macs_del(m, i->address.mac);
	if (release) {
		ipam_release(m->ipam, i->subnet, &i->address.ip.ip);
		m->capacity_changed = true;
	}
	if (ipinstance_pod_key(i, key))
		pod_state_del_instance(pod_state_get(m, key), i->obj.meta.name);
}

static void reconcile_pod_of(struct manager *m, const struct ipinstance *i)
{
	char key[POD_KEY_MAX];

	if (ipinstance_pod_key(i, key))
		pod_reconcile(m, key);
}

// Our finalizer kept the object until its address was known to be free; it is released when the
// object is gone.
static void finish_deleting(struct manager *m, const struct ipinstance *i)
{
	char key[POD_KEY_MAX];
	cJSON *obj = object_copy(m, KIND_IPINSTANCE, i->obj.meta.namespace, i->obj.meta.name);

	if (obj == NULL)
		return;
	object_set_finalizer(obj, FINALIZER_IP_ALLOCATED, false);
	request_update(m, ipinstance_pod_key(i, key) ? key : NULL, obj);
}

static void ipinstance_event(struct manager *m, enum cache_event event, const struct ipinstance *i,
	const struct ipinstance *old)
{
	if (event == CACHE_DELETED) {
		unbook(m, i, true);
		doubled_inherit(m, i);
	} else {
		if (old != NULL) {
			bool moved = strcmp(old->subnet, i->subnet) != 0 ||
				     ip_cmp(&old->address.ip.ip, &i->address.ip.ip) != 0;
			unbook(m, old, moved);
			// A pod may wait for the end of another.
			m->capacity_changed |=
				strcmp(old->binding.node_name, i->binding.node_name) != 0;
		}
		book(m, i);
		if (i->obj.meta.deleting && object_has_finalizer(&i->obj, FINALIZER_IP_ALLOCATED) &&
			!(old != NULL && old->obj.meta.deleting))
			finish_deleting(m, i);
	}
	if (old != NULL)
		reconcile_pod_of(m, old);
	reconcile_pod_of(m, i);
}

// ── Events ─────────────────────────────────────────────────────────────────────────────────────

static void put_subnet(struct manager *m, const struct subnet_obj *s)
{
	char error[IPAM_ERROR_MAX];
	struct subnet_obj shown = *s; // its lists stay s's

	// What is to go gives no new addresses, nor does what is private.
	shown.private |= s->obj.meta.deleting || object_is_kept(&s->obj);
	int ret = ipam_put_subnet(m->ipam, &shown, error);
	if (ret < 0)
		(void)log_err(
			ret, "subnet '%s' cannot be allocated from: %s", s->obj.meta.name, error);
}

static bool same_ips(const struct in6_addr *a, size_t n_a, const struct in6_addr *b, size_t n_b)
{
	return n_a == n_b && (n_a == 0 || memcmp(a, b, n_a * sizeof(*a)) == 0);
}

static bool same_subnet(const struct subnet_obj *a, const struct subnet_obj *b)
{
	return strcmp(a->network, b->network) == 0 && a->has_net_id == b->has_net_id &&
	       a->net_id == b->net_id && strcmp(a->range.version, b->range.version) == 0 &&
	       strcmp(a->range.cidr_text, b->range.cidr_text) == 0 &&
	       strcmp(a->range.start_text, b->range.start_text) == 0 &&
	       strcmp(a->range.end_text, b->range.end_text) == 0 &&
	       strcmp(a->range.gateway_text, b->range.gateway_text) == 0 &&
	       same_ips(a->range.reserved, a->range.n_reserved, b->range.reserved,
		       b->range.n_reserved) &&
	       same_ips(a->range.excluded, a->range.n_excluded, b->range.excluded,
		       b->range.n_excluded) &&
	       a->private == b->private && a->obj.meta.deleting == b->obj.meta.deleting &&
	       object_is_kept(&a->obj) == object_is_kept(&b->obj);
}

static bool same_network(const struct network *a, const struct network *b)
{
	if (a->type != b->type || a->mode != b->mode || a->has_net_id != b->has_net_id ||
		a->net_id != b->net_id || a->node_selector.n != b->node_selector.n)
		return false;
	for (size_t i = 0; i < a->node_selector.n; i++) {
		const struct key_value *x = &a->node_selector.kv[i], *y = &b->node_selector.kv[i];
		if (strcmp(x->key, y->key) != 0 || strcmp(x->value, y->value) != 0)
			return false;
	}
	return true;
}

// Whether only the status changed: that we write ourselves, and its cursors are older than ours.
static bool is_same(enum cache_event event, const struct object *obj, const struct object *old)
{
	if (event == CACHE_DELETED || old == NULL)
		return false;
	return obj->kind == KIND_SUBNET ? same_subnet((const void *)obj, (const void *)old)
					: same_network((const void *)obj, (const void *)old);
}

// An object of hybridnet's cluster that is being deleted waits for a manager to take its series out
// of the metrics: ours go with the object.
static void finish_metrics(struct manager *m, const struct object *obj)
{
	if (!obj->meta.deleting || !object_has_finalizer(obj, FINALIZER_METRICS))
		return;
	cJSON *copy = object_copy(m, obj->kind, NULL, obj->meta.name);
	if (copy == NULL)
		return;
	object_set_finalizer(copy, FINALIZER_METRICS, false);
	request_update(m, NULL, copy);
}

// Tends the series and finalizer of a Network or Subnet; returns whether the books must follow it.
static bool definition_event(struct manager *m, enum cache_event event, const struct object *obj,
	const struct object *old)
{
	if (event == CACHE_DELETED)
		report_gone(m, obj);
	else
		finish_metrics(m, obj);
	if (is_same(event, obj, old))
		return false;
	m->capacity_changed = true;
	return true;
}

static void network_event(struct manager *m, enum cache_event event, const struct object *obj,
	const struct object *old)
{
	if (!definition_event(m, event, obj, old))
		return;
	if (event == CACHE_DELETED)
		ipam_del_network(m->ipam, obj->meta.name);
	else if (ipam_put_network(m->ipam, (const void *)obj) < 0)
		(void)log_err(-ENOMEM, "network '%s'", obj->meta.name);
}

static void subnet_event(struct manager *m, enum cache_event event, const struct object *obj,
	const struct object *old)
{
	if (!definition_event(m, event, obj, old))
		return;
	if (event == CACHE_DELETED)
		ipam_del_subnet(m->ipam, obj->meta.name);
	else
		put_subnet(m, (const void *)obj);
}

static void forget_bad(struct manager *m, const struct object *obj)
{
	char key[POD_KEY_MAX + 2], name[POD_KEY_MAX];
	struct bad_object *b;

	meta_key(&obj->meta, name, sizeof(name));
	(void)snprintf(key, sizeof(key), "%u/%s", (unsigned int)obj->kind, name);
	HASH_FIND_STR(m->bads, key, b);
	if (b == NULL)
		return;
	HASH_DEL(m->bads, b);
	free(b->message);
	free(b);
}

void on_cache_bad(void *arg, enum kind kind, const char *key, const char *message)
{
	struct manager *m = arg;
	char k[POD_KEY_MAX + 2];
	struct bad_object *b;

	// A file is not an object, and the conditions of Pods and NodeInfos are others'.
	if (kind != KIND_NETWORK && kind != KIND_SUBNET && kind != KIND_IPINSTANCE)
		return;
	if (strchr(key, '/') == NULL && kind_namespaced(kind))
		return;
	(void)snprintf(k, sizeof(k), "%u/%s", (unsigned int)kind, key);
	HASH_FIND_STR(m->bads, k, b);
	if (b == NULL) {
		b = calloc(1, sizeof(*b));
		if (b == NULL)
			return;
		(void)snprintf(b->key, sizeof(b->key), "%s", k);
		b->kind = kind;
		HASH_ADD_STR(m->bads, key, b);
	}
	free(b->message);
	b->message = strdup(message);
	b->written = false;
	report_refused(m, kind);
	if (m->active)
		status_schedule(m);
}

void on_cache_event(void *arg, enum kind kind, enum cache_event event, const struct object *obj,
	const struct object *old)
{
	struct manager *m = arg;
	char key[POD_KEY_MAX];

	if (event == CACHE_SYNCED) {
		if (cache_synced(m->cache) && m->locked && !m->active)
			activate_soon(m);
		return;
	}
	forget_bad(m, obj);
	if (!m->active)
		return;
	switch (kind) {
	case KIND_NETWORK:
		network_event(m, event, obj, old);
		break;
	case KIND_SUBNET:
		subnet_event(m, event, obj, old);
		break;
	case KIND_IPINSTANCE:
		ipinstance_event(m, event, (const void *)obj, (const void *)old);
		break;
	case KIND_NODEINFO:
	case KIND_NODE:
	case KIND_NAMESPACE:
		m->capacity_changed = true;
		break;
	case KIND_POD:
		meta_key(&obj->meta, key, sizeof(key));
		pod_state_get(m, key)->gone = event == CACHE_DELETED;
		pod_reconcile(m, key);
		return; // nothing that statuses count
	case KIND_COUNT:
		return;
	}
	status_schedule(m);
}

void bads_clear(struct manager *m)
{
	struct bad_object *b, *next;

	HASH_ITER (hh, m->bads, b, next) {
		HASH_DEL(m->bads, b);
		free(b->message);
		free(b);
	}
}

// ── All at once ────────────────────────────────────────────────────────────────────────────────

static bool load_network(const struct object *obj, void *arg)
{
	network_event(arg, CACHE_PUT, obj, NULL);
	return true;
}

static bool load_subnet(const struct object *obj, void *arg)
{
	subnet_event(arg, CACHE_PUT, obj, NULL);
	return true;
}

static bool load_ipinstance(const struct object *obj, void *arg)
{
	struct manager *m = arg;
	const struct ipinstance *i = (const void *)obj;

	book(m, i);
	if (obj->meta.deleting && object_has_finalizer(obj, FINALIZER_IP_ALLOCATED))
		finish_deleting(m, i);
	return true;
}

static bool load_pod(const struct object *obj, void *arg)
{
	char key[POD_KEY_MAX];

	meta_key(&obj->meta, key, sizeof(key));
	(void)pod_state_get(arg, key);
	return true;
}

void books_load(struct manager *m)
{
	cache_each(m->cache, KIND_NETWORK, load_network, m);
	cache_each(m->cache, KIND_SUBNET, load_subnet, m);
	cache_each(m->cache, KIND_IPINSTANCE, load_ipinstance, m);
	cache_each(m->cache, KIND_POD, load_pod, m);
}
