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
#define SWEEP_MS 10000
// After the lock is ours, whatever its last holder wrote is in the queue of our watch: one turn of
// the loop reads it, before we decide anything.
#define TAKEOVER_MS 20

bool manager_active(const struct manager *m)
{
	return m->active;
}

// ── Becoming active ────────────────────────────────────────────────────────────────────────────

static bool is_any(const struct object *, void *arg)
{
	*(bool *)arg = true;
	return false;
}

static const struct {
	enum kind kind;
	const char *name, *text;
} defaults[] = {
	{KIND_NETWORK, "network-0",
		"{\"apiVersion\":\"" API_VERSION "\",\"kind\":\"Network\","
		"\"metadata\":{\"name\":\"network-0\"},"
		"\"spec\":{\"type\":\"Overlay\",\"netID\":4}}"},
	{KIND_SUBNET, "subnet-0-network-0",
		"{\"apiVersion\":\"" API_VERSION "\",\"kind\":\"Subnet\","
		"\"metadata\":{\"name\":\"subnet-0-network-0\"},"
		"\"spec\":{\"network\":\"network-0\",\"range\":{\"version\":\"4\","
		"\"cidr\":\"100.64.0.0/16\",\"gateway\":\"100.64.0.1\"}}}"},
};
#define N_DEFAULTS (sizeof(defaults) / sizeof(defaults[0]))

static bool default_exists(const struct manager *m, size_t i)
{
	return cache_get(m->cache, defaults[i].kind, NULL, defaults[i].name) != NULL;
}

static bool any_network(const struct manager *m)
{
	struct bad_object *b, *next;
	bool any = false;

	cache_each(m->cache, KIND_NETWORK, is_any, &any);
	HASH_ITER (hh, m->bads, b, next) {
		any |= b->kind == KIND_NETWORK; // somebody tried
	}
	return any;
}

// Makes what a first start is to make and that is not there: again and again, for the webhooks that
// admit it are our own, and the API server may not reach them yet.
static void create_defaults(struct manager *m)
{
	bool network = default_exists(m, 0);

	// Done, or somebody has made another.
	if (!m->defaults_due || default_exists(m, 1) || (!network && any_network(m))) {
		m->defaults_due = false;
		return;
	}
	for (size_t i = network ? 1 : 0; i < N_DEFAULTS; i++) {
		if (!request_is_pending(m, defaults[i].kind, defaults[i].name))
			request_create(m, NULL, cJSON_Parse(defaults[i].text), NULL);
	}
}

static void activate(struct manager *m)
{
	m->ipam = ipam_new();
	if (m->ipam == NULL) {
		(void)log_err(-ENOMEM, "the manager cannot start");
		return;
	}
	m->active = true;
	books_load(m);
	m->defaults_due = m->create_defaults && !any_network(m);
	if (m->defaults_due)
		log_notice("there is no network: creating '%s' and '%s'", defaults[0].name,
			defaults[1].name);
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

static void on_taken_over(void *arg)
{
	struct manager *m = arg;

	takeover_close(m->takeover);
	m->takeover = NULL;
	if (!m->active && m->locked && cache_synced(m->cache))
		activate(m);
}

void activate_soon(struct manager *m)
{
	if (m->remote) {
		if (m->takeover == NULL && !m->active)
			(void)takeover_start(
				m->loop, m->store, m->cache, on_taken_over, m, &m->takeover);
		return;
	}
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
	if (!m->remote)
		kept_tend(m); // an API server's objects are their owners' to delete
	m->status_again = m->n_status_requests + m->n_label_requests > 0;
	if (!m->status_again)
		status_write_all(m);
	if (!m->status_again && m->remote)
		node_labels_write(m);
	report_usage(m);
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
	requests_retry(m);
	blocked_check(m);
	create_defaults(m);
	HASH_ITER (hh, m->pods, s, next) {
		if (!s->retry)
			continue;
		s->retry = false;
		pod_reconcile(m, s->key);
	}
}

static void on_sweep(uv_timer_t *t)
{
	struct manager *m = t->data;

	if (m->active)
		sweep_run(m);
}

// ── Life ───────────────────────────────────────────────────────────────────────────────────────

static void manager_release(struct manager *m)
{
	bads_clear(m);
	sweep_free(m->sweep);
	free(m->report);
	pod_states_clear(m);
	macs_clear(m);
	blocked_clear(m);
	ipam_free(m->ipam);
	free(m->network_type);
	free(m->ip_family);
	free(m->stateful_kinds);
	free(m->pod_selector);
	free(m->lock_path);
	free(m);
}

static int copy_conf(struct manager *m, const struct manager_conf *conf)
{
	m->network_type =
		strdup(conf->default_network_type != NULL ? conf->default_network_type : "");
	m->ip_family = strdup(conf->default_ip_family != NULL ? conf->default_ip_family : "");
	m->pod_selector = strdup(conf->pod_selector != NULL ? conf->pod_selector : "");
	m->stateful_kinds = strdup(conf->stateful_kinds != NULL ? conf->stateful_kinds : "");
	m->lock_path = conf->lock_path != NULL ? strdup(conf->lock_path) : NULL;
	m->create_defaults = conf->create_defaults;
	m->vm_retain = conf->vm_ip_retain;
	m->selection = (struct selection_conf){.network_type = m->network_type,
		.ip_family = m->ip_family,
		.stateful_kinds = m->stateful_kinds,
		.pod_selector = m->pod_selector,
		.ip_retain = conf->default_ip_retain};
	bool ok = m->network_type != NULL && m->ip_family != NULL && m->stateful_kinds != NULL &&
		  m->pod_selector != NULL && (conf->lock_path == NULL || m->lock_path != NULL);
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
	m->remote = strcmp(store->backend, "kube") == 0;
	m->node_kind = m->remote ? KIND_NODE : KIND_NODEINFO;
	m->lock_fd = -1;
	m->report = conf->metrics != NULL ? report_new(conf->metrics) : NULL;
	if (copy_conf(m, conf) < 0) {
		manager_release(m);
		return -ENOMEM;
	}
	(void)uv_timer_init(loop, &m->elect_timer);
	(void)uv_timer_init(loop, &m->work_timer);
	(void)uv_timer_init(loop, &m->retry_timer);
	(void)uv_timer_init(loop, &m->sweep_timer);
	m->elect_timer.data = m->work_timer.data = m->retry_timer.data = m->sweep_timer.data = m;
	(void)uv_timer_start(&m->sweep_timer, on_sweep, SWEEP_MS, SWEEP_MS);
	(void)uv_timer_start(&m->retry_timer, on_retry, RETRY_MS, RETRY_MS);
	m->sub = (struct cache_subscriber){.event = on_cache_event, .bad = on_cache_bad, .arg = m};
	cache_subscribe(cache, &m->sub);
	m->locked = m->lock_path == NULL && !conf->await_election;
	if (m->locked && cache_synced(cache))
		activate_soon(m);
	else if (m->lock_path != NULL)
		(void)uv_timer_start(&m->elect_timer, on_elect, 0, ELECT_MS);
	*ret_manager = m;
	return 0;
}

void manager_elected(struct manager *m)
{
	m->locked = true;
	if (cache_synced(m->cache))
		activate_soon(m);
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
		(uv_handle_t *)&m->retry_timer, (uv_handle_t *)&m->sweep_timer};

	cache_unsubscribe(m->cache, &m->sub);
	requests_forget(m);
	takeover_close(m->takeover);
	m->active = false;
	if (m->lock_fd >= 0)
		(void)close(m->lock_fd); // the next one may have it
	for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++) {
		m->n_handles++;
		uv_close(handles[i], on_closed);
	}
}
