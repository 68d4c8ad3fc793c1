// The manager: election, the cache's events, and a timer each for statuses and second tries.
#include "ctrl/manager/manager.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "ctrl/log.h"
#include "ctrl/manager/state.h"

#define ELECT_MS 500
// After the lock is ours, whatever its last holder wrote is in the queue of our watch: one turn of
// the loop reads it, before we decide anything.
#define TAKEOVER_MS 20

bool manager_active(const struct manager *m)
{
	return m->active;
}

// ── IPInstances in the books ───────────────────────────────────────────────────────────────────

static void book(struct manager *m, const struct ipinstance *i)
{
	char key[POD_KEY_MAX] = "";
	bool bound = ipinstance_pod_key(i, key);
	int ret = ipam_use(m->ipam, i->subnet, &i->address.ip.ip, bound ? key : i->obj.meta.name);

	if (ret < 0 && ret != -EEXIST)
		(void)log_warn(ret, "address of ipinstance '%s/%s' of subnet '%s'",
			i->obj.meta.namespace, i->obj.meta.name, i->subnet);
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
	object_set_finalizer(obj, false);
	request_update(m, ipinstance_pod_key(i, key) ? key : NULL, obj);
}

static void ipinstance_event(struct manager *m, enum cache_event event, const struct ipinstance *i,
	const struct ipinstance *old)
{
	if (event == CACHE_DELETED) {
		unbook(m, i, true);
	} else {
		if (old != NULL) {
			bool moved = strcmp(old->subnet, i->subnet) != 0 ||
				     ip_cmp(&old->address.ip.ip, &i->address.ip.ip) != 0;
			unbook(m, old, moved);
		}
		book(m, i);
		if (i->obj.meta.deleting && object_has_finalizer(&i->obj) &&
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

static void network_event(struct manager *m, enum cache_event event, const struct object *obj,
	const struct object *old)
{
	if (is_same(event, obj, old))
		return;
	m->capacity_changed = true;
	if (event == CACHE_DELETED)
		ipam_del_network(m->ipam, obj->meta.name);
	else if (ipam_put_network(m->ipam, (const void *)obj) < 0)
		(void)log_err(-ENOMEM, "network '%s'", obj->meta.name);
}

static void subnet_event(struct manager *m, enum cache_event event, const struct object *obj,
	const struct object *old)
{
	if (is_same(event, obj, old))
		return;
	m->capacity_changed = true;
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

static void on_bad(void *arg, enum kind kind, const char *key, const char *message)
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
	if (m->active)
		status_schedule(m);
}

static void activate_soon(struct manager *m);

static void on_event(void *arg, enum kind kind, enum cache_event event, const struct object *obj,
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
		m->capacity_changed = true;
		break;
	case KIND_POD:
		meta_key(&obj->meta, key, sizeof(key));
		pod_reconcile(m, key);
		return; // nothing that statuses count
	case KIND_NAMESPACE:
	case KIND_COUNT:
		return;
	}
	status_schedule(m);
}

// ── Becoming active ────────────────────────────────────────────────────────────────────────────

static bool load_network(const struct object *obj, const cJSON *, void *arg)
{
	network_event(arg, CACHE_PUT, obj, NULL);
	return true;
}

static bool load_subnet(const struct object *obj, const cJSON *, void *arg)
{
	put_subnet(arg, (const void *)obj);
	return true;
}

static bool load_ipinstance(const struct object *obj, const cJSON *, void *arg)
{
	struct manager *m = arg;
	const struct ipinstance *i = (const void *)obj;

	book(m, i);
	if (obj->meta.deleting && object_has_finalizer(obj))
		finish_deleting(m, i);
	return true;
}

static bool load_pod(const struct object *obj, const cJSON *, void *arg)
{
	char key[POD_KEY_MAX];

	meta_key(&obj->meta, key, sizeof(key));
	(void)pod_state_get(arg, key);
	return true;
}

static bool is_any(const struct object *, const cJSON *, void *arg)
{
	*(bool *)arg = true;
	return false;
}

static void create_defaults(struct manager *m)
{
	static const char network[] = "{\"apiVersion\":\"" API_VERSION "\",\"kind\":\"Network\","
				      "\"metadata\":{\"name\":\"network-0\"},"
				      "\"spec\":{\"type\":\"Overlay\",\"netID\":4}}";
	static const char subnet[] =
		"{\"apiVersion\":\"" API_VERSION "\",\"kind\":\"Subnet\","
		"\"metadata\":{\"name\":\"subnet-0-network-0\"},"
		"\"spec\":{\"network\":\"network-0\",\"range\":{\"version\":\"4\","
		"\"cidr\":\"100.64.0.0/16\",\"gateway\":\"100.64.0.1\"}}}";
	bool any = false;
	struct bad_object *b, *next;

	cache_each(m->cache, KIND_NETWORK, is_any, &any);
	HASH_ITER (hh, m->bads, b, next) {
		any |= b->kind == KIND_NETWORK; // somebody tried
	}
	if (any || !m->create_defaults)
		return;
	log_notice("there is no network: creating 'network-0' and 'subnet-0-network-0'");
	request_create(m, NULL, cJSON_Parse(network), NULL);
	request_create(m, NULL, cJSON_Parse(subnet), NULL);
}

static void activate(struct manager *m)
{
	m->ipam = ipam_new();
	if (m->ipam == NULL) {
		(void)log_err(-ENOMEM, "the manager cannot start");
		return;
	}
	m->active = true;
	cache_each(m->cache, KIND_NETWORK, load_network, m);
	cache_each(m->cache, KIND_SUBNET, load_subnet, m);
	cache_each(m->cache, KIND_IPINSTANCE, load_ipinstance, m);
	cache_each(m->cache, KIND_POD, load_pod, m);
	create_defaults(m);
	pods_retry(m, false);
	status_schedule(m);
}

static void on_takeover(uv_timer_t *t)
{
	struct manager *m = t->data;

	if (!m->active && cache_synced(m->cache))
		activate(m);
}

static void activate_soon(struct manager *m)
{
	(void)uv_timer_start(&m->elect_timer, on_takeover, TAKEOVER_MS, 0);
}

static void on_elect(uv_timer_t *t)
{
	struct manager *m = t->data;

	if (m->lock_fd < 0)
		m->lock_fd = open(m->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (m->lock_fd < 0) {
		(void)log_err(-errno, "cannot open the manager's lock '%s'", m->lock_path);
		return; // tried again
	}
	if (flock(m->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return;
	m->locked = true;
	(void)uv_timer_stop(t);
	if (cache_synced(m->cache))
		activate_soon(m);
}

// ── Timers ─────────────────────────────────────────────────────────────────────────────────────

static void on_work(uv_timer_t *t)
{
	struct manager *m = t->data;

	if (m->capacity_changed) {
		m->capacity_changed = false;
		pods_retry(m, true);
	}
	kept_tend(m);
	status_write_all(m);
}

void status_schedule(struct manager *m)
{
	if (m->active && !uv_is_active((uv_handle_t *)&m->work_timer))
		(void)uv_timer_start(&m->work_timer, on_work, STATUS_DELAY_MS, 0);
}

static void on_retry(uv_timer_t *t)
{
	struct manager *m = t->data;
	struct pod_state *s, *next;

	if (!m->active)
		return;
	HASH_ITER (hh, m->pods, s, next) {
		if (!s->retry)
			continue;
		s->retry = false;
		pod_reconcile(m, s->key);
	}
}

// ── Life ───────────────────────────────────────────────────────────────────────────────────────

static void manager_release(struct manager *m)
{
	struct bad_object *b, *next;

	HASH_ITER (hh, m->bads, b, next) {
		HASH_DEL(m->bads, b);
		free(b->message);
		free(b);
	}
	pod_states_clear(m);
	macs_clear(m);
	ipam_free(m->ipam);
	free(m->network_type);
	free(m->ip_family);
	free(m->stateful_kinds);
	free(m->lock_path);
	free(m);
}

static int copy_conf(struct manager *m, const struct manager_conf *conf)
{
	m->network_type =
		strdup(conf->default_network_type != NULL ? conf->default_network_type : "");
	m->ip_family = strdup(conf->default_ip_family != NULL ? conf->default_ip_family : "");
	m->stateful_kinds = strdup(conf->stateful_kinds != NULL ? conf->stateful_kinds : "");
	m->lock_path = conf->lock_path != NULL ? strdup(conf->lock_path) : NULL;
	m->ip_retain = conf->default_ip_retain;
	m->create_defaults = conf->create_defaults;
	bool ok = m->network_type != NULL && m->ip_family != NULL && m->stateful_kinds != NULL &&
		  (conf->lock_path == NULL || m->lock_path != NULL);
	return ok ? 0 : -ENOMEM;
}

int manager_new(uv_loop_t *loop, struct store *store, struct cache *cache,
	const struct manager_conf *conf, struct manager **ret_manager)
{
	struct manager *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return -ENOMEM;
	m->loop = loop;
	m->store = store;
	m->cache = cache;
	m->lock_fd = -1;
	if (copy_conf(m, conf) < 0) {
		manager_release(m);
		return -ENOMEM;
	}
	(void)uv_timer_init(loop, &m->elect_timer);
	(void)uv_timer_init(loop, &m->work_timer);
	(void)uv_timer_init(loop, &m->retry_timer);
	m->elect_timer.data = m->work_timer.data = m->retry_timer.data = m;
	(void)uv_timer_start(&m->retry_timer, on_retry, RETRY_MS, RETRY_MS);
	m->sub = (struct cache_subscriber){.event = on_event, .bad = on_bad, .arg = m};
	cache_subscribe(cache, &m->sub);
	m->locked = m->lock_path == NULL;
	if (m->locked && cache_synced(cache))
		activate_soon(m);
	else if (!m->locked)
		(void)uv_timer_start(&m->elect_timer, on_elect, 0, ELECT_MS);
	*ret_manager = m;
	return 0;
}

static void on_closed(uv_handle_t *h)
{
	struct manager *m = h->data;

	if (--m->n_handles == 0)
		manager_release(m);
}

void manager_free(struct manager *m)
{
	if (m == NULL)
		return;
	uv_handle_t *handles[] = {(uv_handle_t *)&m->elect_timer, (uv_handle_t *)&m->work_timer,
		(uv_handle_t *)&m->retry_timer};

	cache_unsubscribe(m->cache, &m->sub);
	requests_forget(m);
	m->active = false;
	if (m->lock_fd >= 0)
		(void)close(m->lock_fd); // the next one may have it
	for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++) {
		m->n_handles++;
		uv_close(handles[i], on_closed);
	}
}
