#include "bench/source.h"

#include <rte_cycles.h>

#include "bench/made_port.h"
#include "pmd/ring.h"
#include "vswitch/counter.h"

#define IN_FLIGHT 512 // of a pair of pods, so that every burst is full

static uint16_t make(struct source *s, struct rte_mbuf **pkts, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		pkts[i] = pod_packet(s->port.pool, &s->headers, s->flow++);
		if (pkts[i] == NULL)
			return i;
	}
	return n;
}

// Frames that came back, else new ones.
static uint16_t send_to_ring(struct source *s, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t got = ring_drain(s->back, pkts, n);

	for (uint16_t i = 0; i < got; i++)
		pod_rewrite(pkts[i], &s->headers, s->flow++);
	if (got > 0 || s->n_made >= IN_FLIGHT)
		return got;
	got = make(s, pkts, n);
	s->n_made += got;
	return got;
}

// What the guest is behind with is drops that nobody wants to measure.
static uint16_t send_to_guest(struct source *s, bool sends, struct rte_mbuf **pkts, uint16_t n)
{
	uint64_t start = rte_rdtsc();

	guest_drain(s->guest);
	sends = sends && guest_behind(s->guest) <= GUEST_RING / 4;
	if (sends)
		guest_sent(s->guest, s->number, n);
	counter_add(&s->guest_cycles, rte_rdtsc() - start);
	return sends ? make(s, pkts, n) : 0;
}

static uint16_t source_rx(struct port *p, uint16_t, struct rte_mbuf **pkts, uint16_t n)
{
	struct source *s = (struct source *)p;
	enum doing doing = atomic_load_explicit(&s->doing, memory_order_relaxed);

	if (doing == DOES_NOTHING)
		return 0;
	if (s->guest != NULL)
		return send_to_guest(s, doing == DOES_SEND, pkts, n);
	return send_to_ring(s, pkts, n);
}

static uint16_t source_tx(struct port *, uint16_t, struct rte_mbuf **, uint16_t)
{
	return 0;
}

static const struct port_ops source_ops = {
	.kind = "source",
	.rx = source_rx,
	.tx = source_tx,
	.rx_fd = made_port_rx_fd,
	.stats = made_port_stats,
	.link_up = made_port_link_up,
	.close = made_port_close,
};

struct source *source_new(struct rte_mempool *pool)
{
	return (struct source *)made_port_new(sizeof(struct source), &source_ops, pool);
}

void source_to_ring(struct source *s, const struct pod_headers *h, struct port *ring)
{
	s->headers = *h;
	s->back = ring;
}

void source_to_guest(
	struct source *s, const struct pod_headers *h, struct guest *guest, uint32_t number)
{
	s->headers = *h;
	s->guest = guest;
	s->number = number;
}
