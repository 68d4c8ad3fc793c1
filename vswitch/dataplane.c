// The data plane as a whole: opens and closes it, and carries packets and messages between its
// workers and the control thread. Ports are in ports.c.
#include "vswitch/dataplane.h"

#include "pmd/pool.h"
#include "pmd/ring.h"
#include "vswitch/counter.h"
#include "vswitch/ports.h"
#include "vswitch/rcu.h"
#include "vswitch/rebalance.h"
#include "vswitch/worker.h"

#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define INJECT_RING_SIZE 512
#define PUNTS_PER_POLL 1024 // taken from one worker before the event loop gets its turn again

struct dataplane {
	struct rcu *rcu;
	struct tables *tables;
	struct rte_mempool *pool;
	struct port *inject; // the ring into which control's own frames go; owned by ports
	int punt_fd;
	atomic_bool listening; // control: sets, workers: clear
	uint16_t n_workers;
	uint16_t n_launched;
	struct worker *worker[RTE_MAX_LCORE];
	struct ports ports;
	struct rebalance rebalance;
};

// ── Ports ──────────────────────────────────────────────────────────────────────────────────────

int dataplane_add_port(struct dataplane *dp, struct vport *vport)
{
	return ports_add(&dp->ports, vport);
}

int dataplane_set_port(struct dataplane *dp, const struct vport *vport)
{
	return ports_set(&dp->ports, vport);
}

void dataplane_del_port(struct dataplane *dp, uint16_t index, port_retired *retired, void *arg)
{
	ports_del(&dp->ports, index, retired, arg);
}

void dataplane_port_counters(
	const struct dataplane *dp, uint16_t index, struct port_counters *ret_counters)
{
	ports_counters(&dp->ports, index, ret_counters);
}

int dataplane_move_queue(struct dataplane *dp, uint16_t port, uint16_t queue, uint16_t worker)
{
	int ret = ports_move_queue(&dp->ports, port, queue, worker);

	if (dp->ports.n_moving > 0)
		(void)eventfd_write(dp->punt_fd, 1); // see dataplane_poll
	return ret;
}

int dataplane_queue_info(
	const struct dataplane *dp, uint16_t port, uint16_t queue, struct queue_info *ret_info)
{
	return ports_queue_info(&dp->ports, port, queue, ret_info);
}

// ── Packets and messages ───────────────────────────────────────────────────────────────────────

void dataplane_send(struct dataplane *dp, const void *frame, uint16_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(dp->pool);
	if (m == NULL)
		return;
	char *data = rte_pktmbuf_append(m, len);
	if (data != NULL)
		memcpy(data, frame, len);
	if (data == NULL || ring_feed(dp->inject, &m, 1) == 0)
		rte_pktmbuf_free(m);
}

int dataplane_punt_fd(const struct dataplane *dp)
{
	return dp->punt_fd;
}

void dataplane_poll(struct dataplane *dp, void (*punt)(const struct punt *p, void *arg), void *arg)
{
	eventfd_t count;
	struct punt p;
	bool more = false;

	(void)eventfd_read(dp->punt_fd, &count); // EAGAIN: called by a timer
	// From now on a worker that punts writes the descriptor, see settle_punts() in worker.c.
	(void)atomic_exchange_explicit(&dp->listening, true, memory_order_acq_rel);
	for (uint16_t i = 0; i < dp->n_workers; i++) {
		struct punt_ring *ring = &dp->worker[i]->punts;
		for (unsigned n = 0; n < PUNTS_PER_POLL && punt_ring_get(ring, &p); n++)
			punt(&p, arg);
		more = more || !punt_ring_is_empty(ring);
	}
	ports_poll(&dp->ports);
	rebalance_poll(&dp->rebalance, &dp->ports);
	(void)rcu_poll(dp->rcu);
	// A queue that nobody polls cannot wait for the caller's timer.
	if (more || dp->ports.n_moving > 0)
		(void)eventfd_write(dp->punt_fd, 1);
}

void dataplane_worker_counters(
	const struct dataplane *dp, uint16_t worker, struct worker_counters *ret_counters)
{
	const struct worker *w = dp->worker[worker];
	const struct poll_list *list = atomic_load_explicit(&w->list, memory_order_relaxed);

	*ret_counters = (struct worker_counters){
		.lcore = w->lcore,
		.rounds = counter_read(&w->rounds),
		.busy_rounds = counter_read(&w->busy_rounds),
		.packets = counter_read(&w->packets),
		.sleeps = counter_read(&w->sleeps),
		.punts_lost = counter_read(&w->punts.lost),
		.cycles_busy = counter_read(&w->cycles_busy),
		.cycles_idle = counter_read(&w->cycles_idle),
		.numa_node = (int16_t)rte_lcore_to_socket_id(w->lcore),
		.load = dp->ports.interval > 0
				? (unsigned)(dp->rebalance.load[worker] * 1000 / dp->ports.interval)
				: 0,
	};
	for (uint32_t i = 0; i < list->n; i++)
		ret_counters->n_queues += list->queue[i].id != 0;
}

struct tables *dataplane_tables(struct dataplane *dp)
{
	return dp->tables;
}

struct rte_mempool *dataplane_pool(struct dataplane *dp)
{
	return dp->pool;
}

uint16_t dataplane_n_workers(const struct dataplane *dp)
{
	return dp->n_workers;
}

// ── Opening and closing ────────────────────────────────────────────────────────────────────────

static void worker_free(struct worker *w)
{
	pollset_fini(&w->poll);
	free((void *)(uintptr_t)atomic_load_explicit(&w->list, memory_order_relaxed));
	rte_free(w);
}

static struct worker *worker_new(
	struct dataplane *dp, unsigned lcore, const struct dataplane_conf *conf)
{
	struct worker *w = rte_zmalloc_socket(
		"worker", sizeof(*w), RTE_CACHE_LINE_SIZE, (int)rte_lcore_to_socket_id(lcore));
	if (w == NULL)
		return NULL;

	w->number = dp->n_workers;
	w->lcore = lcore;
	w->tables = dp->tables;
	w->rcu = dp->rcu;
	w->punt_fd = dp->punt_fd;
	w->listening = &dp->listening;
	struct poll_list *list = calloc(1, sizeof(*list)); // empty
	atomic_init(&w->list, list);
	if (pollset_init(&w->poll, conf->busy, conf->idle_pause_us) < 0 || list == NULL) {
		worker_free(w);
		return NULL;
	}
	return w;
}

static int workers_new(struct dataplane *dp, const struct dataplane_conf *conf)
{
	unsigned lcore;

	RTE_LCORE_FOREACH_WORKER(lcore)
	{
		if (dp->n_workers == conf->n_workers)
			break;
		struct worker *w = worker_new(dp, lcore, conf);
		if (w == NULL)
			return -ENOMEM;
		dp->worker[dp->n_workers++] = w;
	}
	return 0;
}

static int workers_launch(struct dataplane *dp)
{
	for (; dp->n_launched < dp->n_workers; dp->n_launched++) {
		struct worker *w = dp->worker[dp->n_launched];
		int ret = rte_eal_remote_launch(worker_main, w, w->lcore);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int open_inject(struct dataplane *dp)
{
	struct vport vport = {.kind = VPORT_CONTROL, .name = "control"};

	dp->inject = ring_open("control", dp->pool, INJECT_RING_SIZE, false);
	if (dp->inject == NULL)
		return -ENOMEM;
	vport.dev = dp->inject;
	// The last number, so that those of ports that users see begin at 0.
	int ret = ports_add_at(&dp->ports, &vport, VPORT_MAX - 1);
	if (ret < 0)
		dp->inject->ops->close(dp->inject);
	return ret;
}

int dataplane_open(const struct dataplane_conf *conf, struct dataplane **ret_dp)
{
	int ret = -ENOMEM;

	if (conf->n_workers == 0 || conf->n_workers >= rte_lcore_count())
		return -EINVAL;
	struct dataplane *dp = calloc(1, sizeof(*dp));
	if (dp == NULL)
		return -ENOMEM;
	atomic_init(&dp->listening, true);
	dp->punt_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (dp->punt_fd < 0) {
		ret = -errno;
		goto close;
	}
	dp->rcu = rcu_new(conf->n_workers);
	if (dp->rcu == NULL)
		goto close;
	dp->tables = tables_new(conf->n_routes, dp->rcu);
	if (dp->tables == NULL)
		goto close;
	dp->pool = pool_new("packets", conf->n_buffers, sizeof(struct pkt), conf->numa_node);
	if (dp->pool == NULL)
		dp->pool = pool_new("packets", conf->n_buffers, sizeof(struct pkt), SOCKET_ID_ANY);
	if (dp->pool == NULL) {
		ret = -rte_errno;
		goto close;
	}
	ret = workers_new(dp, conf);
	if (ret < 0)
		goto close;
	dp->ports = (struct ports){
		.rcu = dp->rcu,
		.tables = dp->tables,
		.worker = dp->worker,
		.n_workers = dp->n_workers,
	};
	rebalance_init(&dp->rebalance, &conf->rebalance);
	ret = open_inject(dp);
	if (ret < 0)
		goto close;
	ret = workers_launch(dp);
	if (ret < 0)
		goto close;
	*ret_dp = dp;
	return 0;
close:
	dataplane_close(dp);
	return ret;
}

static void workers_stop(struct dataplane *dp)
{
	for (uint16_t i = 0; i < dp->n_launched; i++) {
		atomic_store_explicit(&dp->worker[i]->stop, true, memory_order_relaxed);
		pollset_wake(&dp->worker[i]->poll);
	}
	for (uint16_t i = 0; i < dp->n_launched; i++)
		(void)rte_eal_wait_lcore(dp->worker[i]->lcore);
}

void dataplane_close(struct dataplane *dp)
{
	if (dp == NULL)
		return;
	workers_stop(dp);
	ports_abandon(&dp->ports);
	if (dp->rcu != NULL)
		rcu_flush(dp->rcu); // closes the ports that were being removed
	ports_fini(&dp->ports);
	for (uint16_t i = 0; i < dp->n_workers; i++)
		worker_free(dp->worker[i]);
	tables_free(dp->tables);
	rcu_free(dp->rcu);
	rte_mempool_free(dp->pool);
	if (dp->punt_fd >= 0)
		(void)close(dp->punt_fd);
	free(dp);
}
