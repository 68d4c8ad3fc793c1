#include "run.h"

#include "answer.h"
#include "stream.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_prefetch.h>

#define BURST 32
#define RETURN_ROUNDS 256 // how often the sending port's own receive queue is emptied
#define LATE_MS 1 // a rate is not made up for after a longer pause
// A ring that is full or nearly empty is left alone for a while at full load: to look at it all the time
// takes its cache lines away from the device. A ring of 1024 lasts for 40 us at the highest rates.
#define LEAVE_US 1
#define SILENCE_MS 20 // nothing more is on its way
#define DRAIN_MS 500

struct run {
	const struct order *o;
	uint16_t tx, rx;
	struct rte_mempool *pool;
	struct stream stream;
	struct rte_mbuf *waiting[BURST]; // made, and not yet taken by the device
	uint16_t n_waiting, first_waiting;
	uint64_t first; // sequence number of the first frame that is measured
	uint64_t end; // that of the first one after
	uint64_t expected; // the least that no frame has come in of
	uint64_t arrived; // of those that are measured
	uint64_t due_from; // TSC from which the rate counts
	uint64_t due_sent; // frames since
	struct result *r;
};

// Sends up to n frames. What the device does not take is sent before all others the next time.
static void transmit(struct run *run, uint16_t n, uint64_t now)
{
	uint16_t sent;

	if (run->n_waiting == 0) {
		if (rte_pktmbuf_alloc_bulk(run->pool, run->waiting, n) < 0)
			return;
		for (uint16_t i = 0; i < n; i++)
			stream_fill(&run->stream, run->waiting[i], now);
		run->n_waiting = n;
		run->first_waiting = 0;
	}
	sent = rte_eth_tx_burst(run->tx, 0, run->waiting + run->first_waiting, run->n_waiting);
	run->r->refused += sent < run->n_waiting;
	run->first_waiting += sent;
	run->n_waiting -= sent;
	run->due_sent += sent;
	run->r->sent += sent;
}

// How many frames the rate asks for by now.
static uint16_t due(struct run *run, uint64_t now)
{
	const uint64_t hz = rte_get_tsc_hz();

	if (run->o->rate == 0)
		return BURST;
	if (now - run->due_from > hz) { // keeps the product small
		run->due_from += hz;
		run->due_sent -= RTE_MIN(run->due_sent, run->o->rate);
	}
	uint64_t wanted = (now - run->due_from) * run->o->rate / hz;
	if (wanted <= run->due_sent)
		return 0;
	uint64_t behind = wanted - run->due_sent;
	uint64_t bearable = RTE_MAX(run->o->rate * LATE_MS / 1000, (uint64_t)BURST);
	if (behind > bearable) {
		run->r->skipped += behind - BURST;
		run->due_sent += behind - BURST;
		behind = BURST;
	}
	return (uint16_t)RTE_MIN(behind, (uint64_t)BURST);
}

static void take_foreign(struct run *run, struct rte_mbuf *m)
{
	run->r->foreign++;
	if (run->o->answers && answer_neighbour(m, &run->o->answer) &&
		rte_eth_tx_burst(run->rx, 0, &m, 1) == 1)
		return;
	rte_pktmbuf_free(m);
}

static const struct trailer *trailer_of(const struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod_offset(
		m, const struct trailer *, m->data_len - sizeof(struct trailer));
}

// Looks at a frame; returns false if it is none of ours.
static bool take(struct run *run, const struct rte_mbuf *m, uint64_t now)
{
	const struct trailer *t = trailer_of(m);

	if (m->nb_segs != 1 || m->data_len < sizeof(*t) || t->magic != TRAILER_MAGIC)
		return false;
	if (t->sequence < run->expected)
		run->r->reordered++;
	else
		run->expected = t->sequence + 1;
	if (t->sequence >= run->first && t->sequence < run->end) {
		run->arrived++;
		if (run->o->rate != 0) // else it only says how long the rings are
			histogram_add(&run->r->latency, now - t->tsc);
	}
	return true;
}

static uint16_t receive(struct run *run)
{
	struct rte_mbuf *pkts[BURST * 2];
	uint16_t n = rte_eth_rx_burst(run->rx, 0, pkts, RTE_DIM(pkts));
	uint16_t kept = 0;

	if (n == 0)
		return 0;
	uint64_t now = rte_rdtsc();
	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(trailer_of(pkts[i]));
	for (uint16_t i = 0; i < n; i++) {
		if (likely(take(run, pkts[i], now)))
			pkts[kept++] = pkts[i];
		else
			take_foreign(run, pkts[i]);
	}
	run->r->received += kept;
	rte_pktmbuf_free_bulk(pkts, kept);
	return n;
}

static void drop_returned(struct run *run)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t n = rte_eth_rx_burst(run->tx, 0, pkts, BURST);

	for (uint16_t i = 0; i < n; i++) {
		if (!run->o->answers || !answer_neighbour(pkts[i], &run->o->src_mac) ||
			rte_eth_tx_burst(run->tx, 0, &pkts[i], 1) == 0)
			rte_pktmbuf_free(pkts[i]);
	}
}

// Sends and receives for a time.
static void work(struct run *run, double seconds)
{
	const uint64_t leave = run->o->rate == 0 ? rte_get_tsc_hz() / 1000000 * LEAVE_US : 0;
	uint64_t now = rte_rdtsc();
	uint64_t tx_from = now, rx_from = now;
	uint64_t end = now + (uint64_t)(seconds * (double)rte_get_tsc_hz());
	unsigned round = 0;

	while (now < end) {
		uint16_t n = due(run, now);
		if (now >= tx_from && (n > 0 || run->n_waiting > 0)) {
			transmit(run, n, now);
			if (run->n_waiting > 0)
				tx_from = now + leave;
		}
		if (now >= rx_from && receive(run) < BURST)
			rx_from = now + leave;
		if (++round % RETURN_ROUNDS == 0)
			drop_returned(run);
		now = rte_rdtsc();
	}
}

// Waits for what is on its way.
static void drain(struct run *run)
{
	uint64_t ms = rte_get_tsc_hz() / 1000;
	uint64_t start = rte_rdtsc(), last = start, now = start;

	while (now - last < SILENCE_MS * ms && now - start < DRAIN_MS * ms) {
		if (receive(run) > 0)
			last = now;
		now = rte_rdtsc();
	}
}

// Forgets what was counted so far: the next frame is the first that is measured.
static void begin_measuring(struct run *run)
{
	struct result *r = run->r;

	r->sent = r->received = r->refused = r->skipped = r->reordered = r->foreign = 0;
	histogram_reset(&r->latency);
	run->first = run->stream.sequence - run->n_waiting;
	run->end = UINT64_MAX;
	run->arrived = 0;
}

static void measure(struct run *run)
{
	struct result *r = run->r;
	uint64_t start, received;

	run->due_from = rte_rdtsc();
	work(run, run->o->warmup);
	begin_measuring(run);
	start = rte_rdtsc();
	work(run, run->o->seconds);
	r->seconds = (double)(rte_rdtsc() - start) / (double)rte_get_tsc_hz();
	received = r->received;
	run->end = run->stream.sequence - run->n_waiting;
	drain(run);
	r->received = received;
	r->lost = r->sent > run->arrived ? r->sent - run->arrived : 0;
}

int run_order(const struct order *o, const uint16_t *ports, struct rte_mempool *pool,
	struct result *ret_result)
{
	struct run run = {
		.o = o,
		.tx = ports[o->tx],
		.rx = ports[o->rx],
		.pool = pool,
		.first = UINT64_MAX,
		.r = ret_result,
	};
	int ret;

	*ret_result = (struct result){0};
	ret = stream_init(&run.stream, o);
	if (ret < 0)
		return ret;
	// What an earlier order has left.
	drain(&run);
	run.expected = 0;
	measure(&run);
	ret_result->frame = (double)run.stream.frame_bytes / run.stream.n_patterns;
	rte_pktmbuf_free_bulk(run.waiting + run.first_waiting, run.n_waiting);
	stream_fini(&run.stream);
	return 0;
}
