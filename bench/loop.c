#include "bench/loop.h"

#include <stdatomic.h>

#include "bench/made_port.h"

struct loop {
	struct port port; // first: ops get a pointer to it
	const struct scene *scene; // what it receives. control: w at rest, worker: r
	struct loop *peer; // who receives what it sends. control: w at rest, worker: r
	_Atomic uint32_t wanted; // frames to be under way. control: w, worker: r
	_Atomic uint32_t n_made; // frames that are. worker: w, control: r
	uint32_t head, tail; // waiting to be received: the oldest, and one behind the newest
	uint32_t flow; // of the next frame
	struct rte_mbuf *waiting[LOOP_FRAMES_MAX];
};

static void count(struct loop *l, uint32_t change)
{
	uint32_t n = atomic_load_explicit(&l->n_made, memory_order_relaxed);
	atomic_store_explicit(&l->n_made, n + change, memory_order_relaxed);
}

static void make(struct loop *l)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(l->port.pool);
	if (m == NULL)
		return;
	l->waiting[l->tail++ % LOOP_FRAMES_MAX] = m;
	count(l, 1);
}

static void take_back(struct loop *l)
{
	while (l->head != l->tail) {
		rte_pktmbuf_free(l->waiting[l->head++ % LOOP_FRAMES_MAX]);
		count(l, -1u);
	}
}

static uint16_t loop_rx(struct port *p, uint16_t, struct rte_mbuf **pkts, uint16_t n)
{
	struct loop *l = (struct loop *)p;
	uint32_t wanted = atomic_load_explicit(&l->wanted, memory_order_acquire);

	if (wanted == 0) {
		take_back(l);
		return 0;
	}
	if (loop_under_way(p) < wanted)
		make(l);
	n = (uint16_t)RTE_MIN(n, l->tail - l->head);
	for (uint16_t i = 0; i < n; i++) {
		pkts[i] = l->waiting[l->head++ % LOOP_FRAMES_MAX];
		scene_fill(l->scene, pkts[i], l->flow++);
	}
	return n;
}

static uint16_t loop_tx(struct port *p, uint16_t, struct rte_mbuf **pkts, uint16_t n)
{
	struct loop *l = ((struct loop *)p)->peer;

	if (l == NULL)
		return 0;
	n = (uint16_t)RTE_MIN(n, LOOP_FRAMES_MAX - (l->tail - l->head));
	for (uint16_t i = 0; i < n; i++)
		l->waiting[l->tail++ % LOOP_FRAMES_MAX] = pkts[i];
	return n;
}

static void loop_close(struct port *p)
{
	take_back((struct loop *)p);
	made_port_close(p);
}

static const struct port_ops loop_ops = {
	.kind = "loop",
	.rx = loop_rx,
	.tx = loop_tx,
	.rx_fd = made_port_rx_fd,
	.stats = made_port_stats,
	.link_up = made_port_link_up,
	.close = loop_close,
};

struct port *loop_open(struct rte_mempool *pool)
{
	return made_port_new(sizeof(struct loop), &loop_ops, pool);
}

void loop_start(struct port *from, struct port *to, const struct scene *s, uint32_t n)
{
	struct loop *l = (struct loop *)from;

	l->scene = s;
	((struct loop *)to)->peer = l;
	atomic_store_explicit(&l->wanted, n, memory_order_release);
}

void loop_stop(struct port *from)
{
	atomic_store_explicit(&((struct loop *)from)->wanted, 0, memory_order_release);
}

uint32_t loop_under_way(const struct port *from)
{
	return atomic_load_explicit(&((const struct loop *)from)->n_made, memory_order_relaxed);
}
