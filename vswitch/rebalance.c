// The loads of an interval, a placement that would spread them better, and the thresholds that keep queues
// where they are as long as the difference is small or short. As Open vSwitch does it, but that a gain has to
// last, and that no worker stops for a move.
#include "vswitch/rebalance.h"

#include "vswitch/counter.h"
#include "vswitch/placement.h"
#include "vswitch/seats.h"

#include <rte_cycles.h>

#include <stdlib.h>

// A seat in what is handed to placement.c.
struct candidate {
	struct port_entry *port;
	uint16_t queue;
};

// All queues that are polled.
struct scene {
	uint32_t n;
	struct placement_queue *queue; // owned, as the next
	struct candidate *who;
};

void rebalance_init(struct rebalance *r, const struct rebalance_conf *conf)
{
	*r = (struct rebalance){.conf = *conf,
		.interval = conf->interval_ms * (rte_get_tsc_hz() / 1000),
		.last = rte_rdtsc()};
}

// ── Loads ──────────────────────────────────────────────────────────────────────────────────────

typedef void seat_fn(struct ports *ps, struct port_entry *e, uint16_t queue, void *arg);

static void each_seat(struct ports *ps, seat_fn *f, void *arg)
{
	for (uint16_t i = 0; i < VPORT_MAX; i++) {
		struct port_entry *e = &ps->port[i];
		for (uint16_t q = 0; e->state == PORT_PUBLISHED && q < e->dev->n_rxq; q++)
			f(ps, e, q, arg);
	}
}

// Cycles of the interval as counted; adds them up by worker.
static void take_cycles(struct ports *ps, struct port_entry *e, uint16_t q, void *sums)
{
	struct seat *seat = &e->seat[q];
	uint64_t cycles = seat_counters(ps, seat).cycles;

	seat->load = cycles - seat->seen;
	seat->seen = cycles;
	((uint64_t *)sums)[seat->worker] += seat->load;
}

// What a worker did for all its queues at once, sending above all, is shared out.
static void scale(struct ports *, struct port_entry *e, uint16_t q, void *factors)
{
	struct seat *seat = &e->seat[q];

	seat->load = (uint64_t)((double)seat->load * ((double *)factors)[seat->worker]);
}

// Sets the load of each seat. Returns that of the busiest worker.
static uint64_t measure(struct rebalance *r, struct ports *ps)
{
	uint64_t sums[RTE_MAX_LCORE] = {0}, max = 0;
	double factors[RTE_MAX_LCORE] = {0};

	each_seat(ps, take_cycles, sums);
	for (uint16_t w = 0; w < ps->n_workers; w++) {
		uint64_t busy = counter_read(&ps->worker[w]->cycles_busy);
		uint64_t spent = busy - r->busy[w];
		r->busy[w] = busy;
		r->load[w] = spent;
		factors[w] = sums[w] > 0 ? (double)spent / (double)sums[w] : 0;
		max = RTE_MAX(max, spent);
	}
	each_seat(ps, scale, factors);
	return max;
}

// ── Moves ──────────────────────────────────────────────────────────────────────────────────────

static void count_seat(struct ports *, struct port_entry *, uint16_t, void *n)
{
	(*(uint32_t *)n)++;
}

static void add_candidate(struct ports *, struct port_entry *e, uint16_t q, void *scene)
{
	struct scene *s = scene;
	const struct seat *seat = &e->seat[q];

	s->who[s->n] = (struct candidate){.port = e, .queue = q};
	s->queue[s->n++] = (struct placement_queue){.load = seat->load,
		.worker = seat->worker,
		.numa_node = e->dev->numa_node,
		.pinned = e->kind == VPORT_CONTROL};
}

static bool scene_init(struct scene *s, struct ports *ps)
{
	uint32_t n = 0;

	each_seat(ps, count_seat, &n);
	*s = (struct scene){
		.queue = calloc(n + 1, sizeof(*s->queue)), .who = calloc(n + 1, sizeof(*s->who))};
	if (s->queue == NULL || s->who == NULL)
		return false;
	each_seat(ps, add_candidate, s);
	return true;
}

static void scene_fini(struct scene *s)
{
	free(s->queue);
	free(s->who);
}

// Whether the placement in s, which would move something, is worth it by the thresholds.
static bool is_worth_it(struct rebalance *r, unsigned gain)
{
	if (gain < r->conf.gain) {
		r->n_held = 0;
		return false;
	}
	return ++r->n_held >= r->conf.n_intervals;
}

static void move_queue(struct rebalance *r, struct ports *ps, const struct candidate *who,
	uint16_t to, uint64_t span)
{
	const struct seat *seat = &who->port->seat[who->queue];
	struct queue_move move = {.port = who->port->index,
		.queue = who->queue,
		.from = seat->worker,
		.to = to,
		.load = (unsigned)(seat->load * 100 / span)};

	if (move.to == move.from || seat_move(ps, who->port, who->queue, to) < 0)
		return;
	if (r->conf.moved != NULL)
		r->conf.moved(&move, r->conf.arg);
}

// The dry run, and if it shows that it is worth it, the moves.
static void improve(struct rebalance *r, struct ports *ps, uint64_t span)
{
	int16_t nodes[RTE_MAX_LCORE];
	struct scene s;

	if (!scene_init(&s, ps))
		goto out;
	for (uint16_t w = 0; w < ps->n_workers; w++)
		nodes[w] = (int16_t)rte_lcore_to_socket_id(ps->worker[w]->lcore);
	struct placement_outcome before = placement_judge(s.queue, s.n, ps->n_workers);
	uint32_t n_moves = placement_improve(s.queue, s.n, nodes, ps->n_workers);
	struct placement_outcome after = placement_judge(s.queue, s.n, ps->n_workers);
	if (!is_worth_it(r, n_moves > 0 ? placement_gain(before, after) : 0))
		goto out;
	for (uint32_t i = 0; i < s.n; i++)
		move_queue(r, ps, &s.who[i], s.queue[i].worker, span);
	r->n_held = 0;
out:
	scene_fini(&s);
}

void rebalance_poll(struct rebalance *r, struct ports *ps)
{
	uint64_t now = rte_rdtsc();
	uint64_t span = now - r->last;

	if (r->interval == 0 || span < r->interval)
		return;
	r->last = now;
	uint64_t busiest = measure(r, ps);
	ps->interval = span;
	if (busiest * 100 / span >= r->conf.load && ps->n_workers > 1 && ps->n_moving == 0)
		improve(r, ps, span);
	else
		r->n_held = 0;
}
