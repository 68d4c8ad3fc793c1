// The poll loop. In each round the worker adopts the current list, receives from its hot queues,
// runs each burst through its pipeline, sends, and reports that it holds no reference any more.
#include "vswitch/worker.h"

#include "vswitch/counter.h"
#include "vswitch/pipeline.h"
#include "vswitch/rcu.h"

#include <rte_cycles.h>
#include <rte_pause.h>

#include <sys/eventfd.h>
#include <sys/resource.h>

#define WORKER_NICE (-20)

static void count_received(struct port_count *count, struct burst *b)
{
	uint64_t bytes = 0;

	for (uint16_t i = 0; i < b->n; i++) {
		struct rte_mbuf *m = b->pkt[i];
		bytes += m->pkt_len;
		m->port = b->in->index; // whom to blame when it cannot be sent
	}
	counter_add(&count->rx_packets, b->n);
	counter_add(&count->rx_bytes, bytes);
}

static void settle_drops(struct port_count *count, struct burst *b)
{
	for (unsigned i = 0; i < DROP_REASON_COUNT; i++) {
		if (b->drops[i] == 0)
			continue;
		counter_add(&count->drops[i], b->drops[i]);
		b->drops[i] = 0;
	}
	rte_pktmbuf_free_bulk(b->dead, b->n_dead);
	b->n_dead = 0;
	b->n_dropped = 0;
}

static void settle_punts(struct worker *w, struct burst *b)
{
	punt_ring_put(&w->punts, b->punt, b->n_punt);
	b->n_punt = 0;
	// Control listens and then looks at the ring; we fill the ring and then look whether it
	// listens. Exchanges on both sides, so that neither misses what the other did before its own.
	if (atomic_exchange_explicit(w->listening, false, memory_order_acq_rel))
		(void)eventfd_write(w->punt_fd, 1);
}

// Takes the burst in w->burst, which came from `in`, through its pipeline and to the outbox.
static void process(struct worker *w, const struct vport *in, uint64_t now)
{
	struct burst *b = &w->burst;
	struct port_count *count = &w->count[in->index];

	burst_begin(b, w->tables, in, &count->icmp_limit);
	b->now = now;
	count_received(count, b);

	pipeline_run(pipeline_of(in->kind), b);

	outbox_put(w, b->pkt, b->n);
	if (b->n_dropped > 0)
		settle_drops(count, b);
	if (b->n_punt > 0)
		settle_punts(w, b);
}

// Receives and processes one burst. Returns how many packets it had.
static uint16_t poll_queue(struct worker *w, const struct poll_queue *q, uint64_t now)
{
	struct burst *b = &w->burst;

	const struct vport *in =
		atomic_load_explicit(&w->tables->vports[q->vport], memory_order_acquire);
	if (unlikely(in == NULL)) // being removed, and still in the list
		return 0;
	uint16_t n = port_rx(q->dev, q->queue, b->pkt, BURST_MAX);
	if (n == 0)
		return 0;
	b->n = n;
	process(w, in, now);
	return n;
}

// Counts a burst that took from `start` until now, which is returned.
static uint64_t count_burst(struct queue_count *count, uint16_t packets, uint64_t start)
{
	uint64_t end = rte_rdtsc();

	counter_add(&count->packets, packets);
	counter_add(&count->cycles, end - start);
	return end;
}

// Polls every hot queue once. Returns the number of packets.
static uint64_t poll_round(struct worker *w, uint64_t now)
{
	struct pollset *s = &w->poll;
	uint64_t packets = 0;
	uint64_t start = now;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->n_hot; i++) {
		uint16_t place = s->hot[i];
		const struct poll_queue *q = &s->list->queue[place];

		uint16_t n = poll_queue(w, q, start);
		if (n == 0 && pollset_arm(s, place, now)) {
			n = poll_queue(w, q, start);
			if (n == 0) {
				pollset_cool(s, place);
				continue;
			}
			pollset_disarm(s, place);
		}
		if (n > 0) {
			pollset_touch(s, place, now);
			start = count_burst(&w->queue[place], n, start);
		}
		packets += n;
		s->hot[kept++] = place;
	}
	s->n_hot = kept;
	outbox_flush(w);
	return packets;
}

static const struct poll_list *current_list(struct worker *w)
{
	return atomic_load_explicit(&w->list, memory_order_acquire);
}

// Waits for something to do, without holding up anybody's grace period. Returns the time.
static uint64_t take_a_nap(struct worker *w)
{
	struct epoll_event events[POLLSET_EVENTS];

	counter_add(&w->sleeps, 1);
	rcu_offline(w->rcu, w->number);
	int n = pollset_sleep(&w->poll, events);
	rcu_online(w->rcu, w->number);

	uint64_t now = rte_rdtsc();
	pollset_follow(&w->poll, current_list(w), now);
	pollset_woken(&w->poll, events, n, now);
	return now;
}

static void count_round(struct worker *w, uint64_t packets, uint64_t cycles)
{
	counter_add(&w->rounds, 1);
	if (packets == 0) {
		counter_add(&w->cycles_idle, cycles);
		return;
	}
	counter_add(&w->busy_rounds, 1);
	counter_add(&w->packets, packets);
	counter_add(&w->cycles_busy, cycles);
}

int worker_main(void *arg)
{
	struct worker *w = arg;
	uint64_t now = rte_rdtsc();

	// Where a worker has to share its CPU it goes first: a ring of 256 frames is full in no time.
	// Without the right to do so it works all the same.
	(void)setpriority(PRIO_PROCESS, 0, WORKER_NICE);
	rcu_online(w->rcu, w->number);
	while (!atomic_load_explicit(&w->stop, memory_order_relaxed)) {
		pollset_follow(&w->poll, current_list(w), now);
		pollset_look(&w->poll, now);
		uint64_t packets = poll_round(w, now);
		rcu_quiescent(w->rcu, w->number);

		// Judged by the time that arming went by: what it left hot has no descriptor.
		bool may_sleep = packets == 0 && pollset_may_sleep(&w->poll, now);
		uint64_t end = rte_rdtsc();
		count_round(w, packets, end - now);
		now = end;
		if (may_sleep)
			now = take_a_nap(w);
		else if (packets == 0)
			rte_pause();
	}
	rcu_offline(w->rcu, w->number);
	return 0;
}
