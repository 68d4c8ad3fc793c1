// The daemon's life: opens its parts in the order in which they need each other, runs the loop,
// closes them in reverse. What pods need to find again after a restart stays.
#include "ctrl/node/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <systemd/sd-daemon.h>

#include "ctrl/log.h"
#include "ctrl/node/attachment.h"
#include "ctrl/node/eal.h"
#include "ctrl/node/numa_place.h"
#include "ctrl/node/wires.h"

#define STOP_TIMEOUT_MS 5000 // for what is under way
#define STOP_PERIOD_MS 10
#define DRAIN_ROUNDS 300 // of 10 ms, for handles to close
#define SYNC_PERIOD_MS 5
// Of libuv's pool, where pods' ports are made and closed. Such a thread mostly waits for grace periods of the
// kernel, which are the same for all that wait at a time.
#define POOL_THREADS "16"

// What of the API server's this program looks at. Of Pods and Nodes only its own.
#define KUBE_KINDS                                                                              \
	(1U << KIND_NETWORK | 1U << KIND_SUBNET | 1U << KIND_IPINSTANCE | 1U << KIND_NODEINFO | \
		1U << KIND_POD | 1U << KIND_NODE | 1U << KIND_NAMESPACE)

// ── Stopping ───────────────────────────────────────────────────────────────────────────────────

static void on_stop_timer(uv_timer_t *timer)
{
	struct daemon *d = timer->data;

	if (d->cni == NULL || cni_idle(d->cni) || uv_now(&d->loop) >= d->stop_deadline)
		uv_stop(&d->loop);
}

static void stop(struct daemon *d)
{
	if (d->stopping)
		return;
	d->stopping = true;
	(void)sd_notify(0, "STOPPING=1");
	server_close(d->server);
	d->server = NULL;
	cni_stop(d->cni);
	d->stop_deadline = uv_now(&d->loop) + STOP_TIMEOUT_MS;
	(void)uv_timer_start(&d->stop_timer, on_stop_timer, 0, STOP_PERIOD_MS);
}

static void on_signal(uv_signal_t *signal, int number)
{
	struct daemon *d = signal->data;

	log_notice("stopping on %s", number == SIGTERM ? "SIGTERM" : "SIGINT");
	stop(d);
}

// ── Serving ────────────────────────────────────────────────────────────────────────────────────

static void on_watchdog(uv_timer_t *)
{
	(void)sd_notify(0, "WATCHDOG=1");
}

static void tell_systemd(struct daemon *d)
{
	uint64_t usec;

	(void)sd_notifyf(0, "READY=1\nSTATUS=serving %s", d->config.socket);
	if (sd_watchdog_enabled(0, &usec) > 0)
		(void)uv_timer_start(&d->watchdog, on_watchdog, 0, usec / 2000 + 1);
}

// All objects are known: the ports of before come back, then pods are attached. The socket is there
// before, so that a runtime hears what is waited for.
static int serve(struct daemon *d)
{
	int ret = cni_restore(d->cni);

	if (ret < 0)
		return ret;
	log_notice("node '%s' is up on %s", d->config.node_name, d->config.socket);
	tell_systemd(d);
	return 0;
}

static void on_sync_timer(uv_timer_t *timer)
{
	struct daemon *d = timer->data;

	if (d->stopping || !cache_synced(d->cache))
		return;
	(void)uv_timer_stop(timer);
	d->err = serve(d);
	if (d->err < 0)
		stop(d);
}

// ── Opening ────────────────────────────────────────────────────────────────────────────────────

int daemon_directories(const struct config *c)
{
	char dir[sizeof(c->socket)];
	const char *dirs[] = {c->run_dir, c->state_dir, dir};

	(void)snprintf(
		dir, sizeof(dir), "%.*s", (int)(strrchr(c->socket, '/') - c->socket), c->socket);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		int ret = dirs[i][0] != '\0' ? make_directories(dirs[i]) : 0;

		if (ret < 0)
			return log_err(ret, "cannot make directory %s", dirs[i]);
	}
	return 0;
}

static void queue_moved(const struct queue_move *m, void *daemon)
{
	struct daemon *d = daemon;
	const struct vport *vport = dataplane_tables(d->dp)->vports[m->port];

	d->n_moves++;
	log_notice("queue %u of port %u '%s' (%u %% of a CPU) moves from worker %u to worker %u",
		m->queue, m->port, vport->name, m->load, m->from, m->to);
}

static void say_numa(const char *text, void *)
{
	log_notice("%s", text);
}

static void judge_numa(const struct daemon *d)
{
	struct numa_cpu workers[PORT_QUEUES_MAX];
	struct numa_layout l = {.device = numa_device_node(d->config.uplink_device),
		.pool = (int16_t)dataplane_pool(d->dp)->socket_id,
		.workers = workers};

	for (; l.n_workers < d->config.n_worker_cpus; l.n_workers++) {
		uint16_t cpu = d->config.worker_cpus[l.n_workers];
		workers[l.n_workers] = (struct numa_cpu){.cpu = cpu, .node = numa_cpu_node(cpu)};
	}
	numa_judge(&l, say_numa, NULL);
}

static int open_dataplane(struct daemon *d, struct fib_conf *ret_conf)
{
	const struct dataplane_conf conf = {
		.n_workers = (uint16_t)d->config.n_worker_cpus,
		.busy = d->config.busy,
		.n_buffers = d->config.n_buffers,
		.numa_node = numa_pool_node(&d->config),
		.n_routes = ROUTES_MAX,
		.rebalance = {.interval_ms = d->config.rebalance_interval * 1000,
			.load = d->config.rebalance_load,
			.gain = d->config.rebalance_gain,
			.n_intervals = d->config.rebalance_times,
			.moved = queue_moved,
			.arg = d},
	};

	int ret = dataplane_open(&conf, &d->dp);
	if (ret < 0)
		return log_err(ret, "the data plane does not start; is workers.memory too small?");
	judge_numa(d);
	d->has_wires = true;
	return wires_open(&d->config, d->dp, ret_conf);
}

// Of the IPInstances of other nodes only the tables want something.
static bool is_elsewhere(const struct object *obj, void *arg)
{
	const struct daemon *d = arg;
	const struct ipinstance *i = (const void *)obj;

	return obj->kind == KIND_IPINSTANCE &&
	       strcmp(i->binding.node_name, d->config.node_name) != 0;
}

static int open_store(struct daemon *d)
{
	char message[MODEL_ERROR_MAX];
	const struct config *c = &d->config;
	const struct store_kube_conf kube = {
		.kubeconfig = c->kubeconfig[0] != '\0' ? c->kubeconfig : NULL,
		.component = "vswitchd",
		.node_name = c->node_name,
		.kinds = KUBE_KINDS,
		.from_cache = true,
	};

	int ret = c->store_kube ? store_kube_open(&d->loop, &kube, &d->store, message)
				: store_dir_open(&d->loop, c->store_dir, &d->store, message);
	if (ret < 0)
		return log_err(ret, "store: %s", message);
	d->cache = cache_new(d->store);
	if (d->cache == NULL)
		return log_err(-ENOMEM, "cache");
	if (c->store_kube) {
		cache_set_kinds(d->cache, KUBE_KINDS);
		cache_set_lean(d->cache, is_elsewhere, d);
	}
	return 0;
}

// The FIB hears of each change first, so that who comes later finds the tables in line with it.
static int open_control(struct daemon *d, const struct fib_conf *conf)
{
	char why[SERVER_WHY_MAX];

	int ret = fib_new(&d->loop, d->dp, d->cache, conf, &d->fib);

	if (ret < 0)
		return log_err(ret, "the FIB does not start");
	// In Kubernetes strata-manager does that.
	if (d->config.manager_enabled && !d->config.store_kube)
		ret = manager_new(&d->loop, d->store, d->cache, &d->config.manager, &d->manager);
	if (ret < 0)
		return log_err(ret, "the manager does not start");
	const struct nodeinfo_writer_conf writer = {
		.loop = &d->loop,
		.store = d->store,
		.cache = d->cache,
		.config = &d->config,
		.fib = d->fib,
	};
	ret = nodeinfo_writer_new(&writer, &d->nodeinfo);
	if (ret < 0)
		return log_err(ret, "the NodeInfo is not written");
	const struct cni_conf cni = {
		.loop = &d->loop,
		.config = &d->config,
		.dp = d->dp,
		.store = d->store,
		.cache = d->cache,
		.fib = d->fib,
		.ended = metering_cni,
		.ended_arg = d,
	};
	ret = cni_new(&cni, &d->cni);
	if (ret < 0)
		return log_err(ret, "the CNI server does not start");
	request_init(d);
	ret = server_open(&d->loop, d->config.socket, request_handle, d, &d->server, why);
	if (ret < 0)
		return log_err(ret, "%s", why);
	ret = metering_open(d);
	if (ret < 0)
		return ret;
	ret = cache_start(d->cache);
	return ret < 0 ? log_err(ret, "the store's objects cannot be read") : 0;
}

static void init_handle(uv_handle_t *handle, struct daemon *d)
{
	handle->data = d;
}

static int open_loop(struct daemon *d)
{
	(void)setenv("UV_THREADPOOL_SIZE", POOL_THREADS, 0); // before its first use
	int ret = uv_loop_init(&d->loop);

	if (ret < 0)
		return ret;
	(void)uv_signal_init(&d->loop, &d->sigterm);
	(void)uv_signal_init(&d->loop, &d->sigint);
	(void)uv_timer_init(&d->loop, &d->watchdog);
	(void)uv_timer_init(&d->loop, &d->stop_timer);
	(void)uv_timer_init(&d->loop, &d->sync_timer);
	init_handle((uv_handle_t *)&d->sigterm, d);
	init_handle((uv_handle_t *)&d->sigint, d);
	init_handle((uv_handle_t *)&d->watchdog, d);
	init_handle((uv_handle_t *)&d->stop_timer, d);
	init_handle((uv_handle_t *)&d->sync_timer, d);
	(void)uv_signal_start(&d->sigterm, on_signal, SIGTERM);
	(void)uv_signal_start(&d->sigint, on_signal, SIGINT);
	return uv_timer_start(&d->sync_timer, on_sync_timer, 0, SYNC_PERIOD_MS);
}

// ── Closing ────────────────────────────────────────────────────────────────────────────────────

static void drain(struct daemon *d)
{
	for (int i = 0; i < DRAIN_ROUNDS && uv_loop_alive(&d->loop); i++) {
		if (uv_run(&d->loop, UV_RUN_NOWAIT) != 0)
			uv_sleep(STOP_PERIOD_MS);
	}
	if (uv_loop_close(&d->loop) < 0)
		log_debug("something is still open");
}

static void close_all(struct daemon *d)
{
	server_close(d->server);
	metering_close(d);
	nodeinfo_writer_free(d->nodeinfo);
	manager_free(d->manager);
	if (d->store != NULL)
		d->store->ops->close(d->store);
	fib_free(d->fib);
	uv_close((uv_handle_t *)&d->sigterm, NULL);
	uv_close((uv_handle_t *)&d->sigint, NULL);
	uv_close((uv_handle_t *)&d->watchdog, NULL);
	uv_close((uv_handle_t *)&d->stop_timer, NULL);
	uv_close((uv_handle_t *)&d->sync_timer, NULL);
	drain(d);
	cni_free(d->cni);
	cache_free(d->cache);
	dataplane_close(d->dp);
	if (d->has_wires)
		wires_remove(&d->config);
}

int daemon_run(struct daemon *d)
{
	struct fib_conf conf;

	d->started = time(NULL);
	int ret = open_loop(d);
	if (ret < 0)
		return log_err(ret, "event loop");
	ret = open_dataplane(d, &conf);
	if (ret == 0)
		ret = open_store(d);
	if (ret == 0)
		ret = open_control(d, &conf);
	if (ret == 0) {
		(void)uv_run(&d->loop, UV_RUN_DEFAULT);
		ret = d->err;
	}
	close_all(d);
	return ret;
}
