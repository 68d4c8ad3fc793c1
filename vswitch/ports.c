// A poll list is never edited: workers get a new one, with the queue in a free place or without it.
#include "vswitch/ports.h"

#include "vswitch/counter.h"
#include "vswitch/rcu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// ── Poll lists ─────────────────────────────────────────────────────────────────────────────────

// New poll lists, one for each worker that needs one, built before any of them is published.
struct new_lists {
	struct poll_list *list[RTE_MAX_LCORE];
};

static const struct poll_list *list_of(const struct worker *w)
{
	return atomic_load_explicit(&w->list, memory_order_relaxed);
}

// A copy with n places.
static struct poll_list *list_new(const struct poll_list *from, uint32_t n, uint64_t version)
{
	struct poll_list *list = calloc(1, sizeof(*list) + n * sizeof(list->queue[0]));
	if (list == NULL)
		return NULL;
	list->version = version;
	list->n = n;
	memcpy(list->queue, from->queue, from->n * sizeof(list->queue[0]));
	return list;
}

static void lists_free(struct ports *ps, struct new_lists *lists)
{
	for (uint16_t i = 0; i < ps->n_workers; i++)
		free(lists->list[i]);
}

static void lists_publish(struct ports *ps, struct new_lists *lists)
{
	for (uint16_t i = 0; i < ps->n_workers; i++) {
		struct worker *w = ps->worker[i];
		const struct poll_list *old = list_of(w);

		if (lists->list[i] == NULL)
			continue;
		atomic_store_explicit(&w->list, lists->list[i], memory_order_release);
		rcu_defer(ps->rcu, free, (void *)(uintptr_t)old);
		pollset_wake(&w->poll);
	}
}

// The list that will be worker i's: a copy of the current one with room for `extra` more queues.
static struct poll_list *editable(
	struct ports *ps, struct new_lists *lists, uint16_t i, uint32_t extra)
{
	const struct poll_list *from =
		lists->list[i] != NULL ? lists->list[i] : list_of(ps->worker[i]);

	if (lists->list[i] != NULL && extra == 0)
		return lists->list[i];
	struct poll_list *list = list_new(from, from->n + extra, ++ps->list_version);
	if (list == NULL)
		return NULL;
	free(lists->list[i]);
	lists->list[i] = list;
	return list;
}

static int list_add(
	struct ports *ps, struct new_lists *lists, uint16_t worker, struct poll_queue queue)
{
	const struct poll_list *from =
		lists->list[worker] != NULL ? lists->list[worker] : list_of(ps->worker[worker]);
	uint32_t place = 0;

	while (place < from->n && from->queue[place].id != 0)
		place++;
	if (place == POLL_QUEUES_MAX)
		return -ENOSPC;
	struct poll_list *list = editable(ps, lists, worker, place == from->n ? 1 : 0);
	if (list == NULL)
		return -ENOMEM;
	list->queue[place] = queue;
	return 0;
}

// ── Which worker polls what ────────────────────────────────────────────────────────────────────

// How many queues the worker has of ports of that kind, and in all.
static uint32_t load_of(const struct ports *ps, uint16_t worker, enum vport_kind kind)
{
	uint32_t same_kind = 0;
	uint32_t all = 0;

	for (uint16_t i = 0; i < VPORT_MAX; i++) {
		const struct port_entry *e = &ps->port[i];
		if (e->state != PORT_PUBLISHED)
			continue;
		for (uint16_t q = 0; q < e->dev->n_rxq; q++) {
			all += e->worker[q] == worker;
			same_kind += e->worker[q] == worker && e->kind == kind;
		}
	}
	return same_kind * VPORT_MAX * PORT_QUEUES_MAX + all;
}

// Queues of a kind are spread evenly, since those of an uplink carry more than those of pods. The
// control thread's few packets are the first worker's. `given` is what workers get besides.
static uint16_t choose_worker(const struct ports *ps, enum vport_kind kind, const uint32_t *given)
{
	uint16_t best = 0;
	uint64_t best_load = UINT64_MAX;

	if (kind == VPORT_CONTROL)
		return 0;
	for (uint16_t i = 0; i < ps->n_workers; i++) {
		uint64_t load =
			load_of(ps, i, kind) + (uint64_t)given[i] * VPORT_MAX * PORT_QUEUES_MAX;
		if (load < best_load) {
			best = i;
			best_load = load;
		}
	}
	return best;
}

// Builds the lists that give every queue of the port to a worker. 0 or -errno.
static int distribute(struct ports *ps, struct port_entry *e, struct new_lists *lists)
{
	uint32_t given[RTE_MAX_LCORE] = {0};
	int ret = 0;

	for (uint16_t q = 0; q < e->dev->n_rxq && ret == 0; q++) {
		uint16_t worker = choose_worker(ps, e->kind, given);
		given[worker]++;
		e->worker[q] = worker;
		const struct poll_queue queue = {
			.dev = e->dev, .id = ++ps->last_queue_id, .vport = e->index, .queue = q};
		ret = list_add(ps, lists, worker, queue);
	}
	if (ret < 0)
		lists_free(ps, lists);
	return ret;
}

// ── Ports ──────────────────────────────────────────────────────────────────────────────────────

static void sum_counters(const struct ports *ps, uint16_t index, struct port_counters *ret_sum)
{
	struct port_counters sum = {0};

	for (uint16_t i = 0; i < ps->n_workers; i++) {
		const struct port_count *count = &ps->worker[i]->count[index];
		sum.rx_packets += counter_read(&count->rx_packets);
		sum.rx_bytes += counter_read(&count->rx_bytes);
		sum.tx_packets += counter_read(&count->tx_packets);
		sum.tx_bytes += counter_read(&count->tx_bytes);
		for (unsigned why = 0; why < DROP_REASON_COUNT; why++)
			sum.drops[why] += counter_read(&count->drops[why]);
	}
	*ret_sum = sum;
}

int ports_add_at(struct ports *ps, struct vport *vport, uint16_t index)
{
	struct port_entry *e = &ps->port[index];
	struct new_lists lists = {0};
	struct vport numbered = *vport;
	int ret;

	e->dev = vport->dev;
	e->index = index;
	e->kind = vport->kind;
	e->closed = NULL;
	ret = distribute(ps, e, &lists);
	if (ret < 0)
		return ret;
	numbered.index = index;
	ret = tables_set_vport(ps->tables, &numbered);
	if (ret < 0) {
		lists_free(ps, &lists);
		return ret;
	}
	sum_counters(ps, index, &e->before);
	e->state = PORT_PUBLISHED;
	lists_publish(ps, &lists);
	vport->index = index;
	return 0;
}

int ports_add(struct ports *ps, struct vport *vport)
{
	for (uint16_t i = 0; i < VPORT_MAX; i++) {
		if (ps->port[i].state == PORT_FREE)
			return ports_add_at(ps, vport, i);
	}
	return -ENOSPC;
}

static bool is_published(const struct ports *ps, uint16_t index)
{
	return index < VPORT_MAX && ps->port[index].state == PORT_PUBLISHED;
}

int ports_set(struct ports *ps, const struct vport *vport)
{
	if (!is_published(ps, vport->index))
		return -ENOENT;
	struct vport same_dev = *vport;
	same_dev.dev = ps->port[vport->index].dev;
	same_dev.kind = ps->port[vport->index].kind;
	return tables_set_vport(ps->tables, &same_dev);
}

// No worker knows the port any more.
static void port_gone(void *obj)
{
	struct port_entry *e = obj;

	e->dev->ops->close(e->dev);
	e->dev = NULL;
	e->state = PORT_FREE;
	if (e->closed != NULL)
		e->closed(e->closed_arg);
}

// Takes the port off the poll lists. Without memory for new lists it stays there, and is tried
// again later: workers skip a port that is not in the tables.
static void unlist(struct ports *ps, struct port_entry *e)
{
	struct new_lists lists = {0};

	for (uint16_t q = 0; q < e->dev->n_rxq; q++) {
		struct poll_list *list = editable(ps, &lists, e->worker[q], 0);
		if (list == NULL) {
			lists_free(ps, &lists);
			return;
		}
		for (uint32_t i = 0; i < list->n; i++) {
			if (list->queue[i].dev == e->dev && list->queue[i].queue == q)
				list->queue[i] = (struct poll_queue){0};
		}
	}
	lists_publish(ps, &lists);
	e->state = PORT_CLOSING;
	rcu_defer(ps->rcu, port_gone, e);
}

void ports_del(struct ports *ps, uint16_t index, void (*closed)(void *arg), void *arg)
{
	if (!is_published(ps, index))
		return;
	struct port_entry *e = &ps->port[index];
	e->closed = closed;
	e->closed_arg = arg;
	e->state = PORT_LISTED;
	tables_del_vport(ps->tables, index);
	unlist(ps, e);
}

void ports_counters(const struct ports *ps, uint16_t index, struct port_counters *ret_counters)
{
	struct port_counters now = {0};

	if (is_published(ps, index)) {
		const struct port_counters *before = &ps->port[index].before;
		sum_counters(ps, index, &now);
		now.rx_packets -= before->rx_packets;
		now.rx_bytes -= before->rx_bytes;
		now.tx_packets -= before->tx_packets;
		now.tx_bytes -= before->tx_bytes;
		for (unsigned why = 0; why < DROP_REASON_COUNT; why++)
			now.drops[why] -= before->drops[why];
	}
	*ret_counters = now;
}

void ports_poll(struct ports *ps)
{
	for (uint16_t i = 0; i < VPORT_MAX; i++) {
		if (ps->port[i].state == PORT_LISTED)
			unlist(ps, &ps->port[i]);
	}
}

void ports_fini(struct ports *ps)
{
	for (uint16_t i = 0; i < VPORT_MAX; i++) {
		if (ps->port[i].state != PORT_FREE)
			port_gone(&ps->port[i]);
	}
}
