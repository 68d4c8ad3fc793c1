// A poll list is never edited: workers get a new one, with the queue in a free place or without it.
#include "vswitch/seats.h"

#include "vswitch/counter.h"
#include "vswitch/rcu.h"

#include <rte_lcore.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// ── Poll lists ─────────────────────────────────────────────────────────────────────────────────

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

void lists_free(struct ports *ps, struct new_lists *lists)
{
	for (uint16_t i = 0; i < ps->n_workers; i++)
		free(lists->list[i]);
}

void lists_publish(struct ports *ps, struct new_lists *lists)
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

// Puts a queue into a free place of a worker's list, and says in its seat where.
static int list_add(struct ports *ps, struct new_lists *lists, struct poll_queue queue,
	uint16_t worker, struct seat *seat)
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
	seat->worker = worker;
	seat->place = (uint16_t)place;
	return 0;
}

static int list_del(struct ports *ps, struct new_lists *lists, const struct seat *seat)
{
	struct poll_list *list = editable(ps, lists, seat->worker, 0);

	if (list == NULL)
		return -ENOMEM;
	list->queue[seat->place] = (struct poll_queue){0};
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
			all += e->seat[q].worker == worker;
			same_kind += e->seat[q].worker == worker && e->kind == kind;
		}
	}
	return same_kind * VPORT_MAX * PORT_QUEUES_MAX + all;
}

static int16_t node_of(const struct worker *w)
{
	return (int16_t)rte_lcore_to_socket_id(w->lcore);
}

// A port's queues are spread over the workers, of which `given` have got some; then those of a kind, since an
// uplink's carry more than a pod's; all over the workers of the device's NUMA node if there are any. The control
// thread's few packets are the first worker's.
static uint16_t choose_worker(
	const struct ports *ps, const struct port_entry *e, const uint32_t *given)
{
	uint64_t best_load = UINT64_MAX;
	bool best_near = false;
	uint16_t best = 0;

	if (e->kind == VPORT_CONTROL)
		return 0;
	for (uint16_t i = 0; i < ps->n_workers; i++) {
		bool near = node_of(ps->worker[i]) == e->dev->numa_node;
		uint64_t load = (uint64_t)given[i] << 32 | load_of(ps, i, e->kind);
		if (near > best_near || (near == best_near && load < best_load)) {
			best = i;
			best_load = load;
			best_near = near;
		}
	}
	return best;
}

// ── Counters ───────────────────────────────────────────────────────────────────────────────────

static struct queue_counters place_counters(const struct ports *ps, const struct seat *seat)
{
	const struct queue_count *count = &ps->worker[seat->worker]->queue[seat->place];

	return (struct queue_counters){
		.packets = counter_read(&count->packets), .cycles = counter_read(&count->cycles)};
}

struct queue_counters seat_counters(const struct ports *ps, const struct seat *seat)
{
	struct queue_counters sum = seat->before;

	if (seat->state == SEAT_TAKEN) {
		const struct queue_counters here = place_counters(ps, seat);
		sum.packets += here.packets;
		sum.cycles += here.cycles;
	}
	return sum;
}

// The queue begins to be counted at its place, which may have been another's.
static void counters_begin(const struct ports *ps, struct seat *seat)
{
	const struct queue_counters here = place_counters(ps, seat);

	seat->before.packets -= here.packets;
	seat->before.cycles -= here.cycles;
	seat->state = SEAT_TAKEN;
}

// ── Giving and taking ──────────────────────────────────────────────────────────────────────────

static struct poll_queue new_queue(struct ports *ps, const struct port_entry *e, uint16_t q)
{
	return (struct poll_queue){
		.dev = e->dev, .id = ++ps->last_queue_id, .vport = e->index, .queue = q};
}

int seats_give(struct ports *ps, struct port_entry *e, struct new_lists *lists)
{
	uint32_t given[RTE_MAX_LCORE] = {0};
	int ret = 0;

	for (uint16_t q = 0; q < e->dev->n_rxq && ret == 0; q++) {
		uint16_t worker = choose_worker(ps, e, given);
		given[worker]++;
		e->seat[q] = (struct seat){0};
		ret = list_add(ps, lists, new_queue(ps, e, q), worker, &e->seat[q]);
		if (ret == 0)
			counters_begin(ps, &e->seat[q]);
	}
	if (ret < 0)
		lists_free(ps, lists);
	return ret;
}

int seats_take(struct ports *ps, struct port_entry *e, struct new_lists *lists)
{
	for (uint16_t q = 0; q < e->dev->n_rxq; q++) {
		if (e->seat[q].state == SEAT_TAKEN && list_del(ps, lists, &e->seat[q]) < 0) {
			lists_free(ps, lists);
			return -ENOMEM;
		}
	}
	for (uint16_t q = 0; q < e->dev->n_rxq; q++)
		ps->n_moving -= e->seat[q].state == SEAT_WAITING;
	return 0;
}

// ── Moving ─────────────────────────────────────────────────────────────────────────────────────

// A queue on its way.
struct move {
	struct ports *ps;
	struct port_entry *port;
	uint16_t queue;
	uint16_t to;
};

// Puts the queue on its new worker's list, now or when there is memory.
static void seat_arrive(struct ports *ps, struct port_entry *e, uint16_t q)
{
	struct seat *seat = &e->seat[q];
	struct new_lists lists = {0};

	seat->state = SEAT_WAITING;
	if (list_add(ps, &lists, new_queue(ps, e, q), seat->worker, seat) < 0)
		return;
	counters_begin(ps, seat);
	lists_publish(ps, &lists);
	ps->n_moving--;
}

// Its former worker does not know the queue any more. The port may have been removed meanwhile, but is
// not closed: that is deferred as well, and later.
static void move_end(void *obj)
{
	struct move *move = obj;
	struct port_entry *e = move->port;

	e->seat[move->queue].worker = move->to;
	if (e->state == PORT_PUBLISHED)
		seat_arrive(move->ps, e, move->queue);
	else
		move->ps->n_moving--;
	free(move);
}

int seat_move(struct ports *ps, struct port_entry *e, uint16_t queue, uint16_t to)
{
	struct seat *seat = &e->seat[queue];
	struct new_lists lists = {0};

	if (seat->state != SEAT_TAKEN)
		return -EBUSY;
	if (seat->worker == to)
		return 0;
	struct move *move = malloc(sizeof(*move));
	if (move == NULL || list_del(ps, &lists, seat) < 0) {
		free(move);
		return -ENOMEM;
	}
	*move = (struct move){.ps = ps, .port = e, .queue = queue, .to = to};
	lists_publish(ps, &lists);
	ps->n_moving++;
	seat->before = seat_counters(ps, seat);
	seat->state = SEAT_LEAVING;
	seat->n_moves++;
	rcu_defer(ps->rcu, move_end, move);
	return 0;
}

void seats_poll(struct ports *ps)
{
	if (ps->n_moving == 0)
		return;
	for (uint16_t i = 0; i < VPORT_MAX; i++) {
		struct port_entry *e = &ps->port[i];
		for (uint16_t q = 0; e->state == PORT_PUBLISHED && q < e->dev->n_rxq; q++) {
			if (e->seat[q].state == SEAT_WAITING)
				seat_arrive(ps, e, q);
		}
	}
}
