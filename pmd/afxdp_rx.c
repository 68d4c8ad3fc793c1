// Receiving by AF_XDP: buffers of the pool are posted by their address in the UMEM, and come back with
// frames in them. In copy mode, which is what a veth offers, the kernel copies a frame into them.
#include "pmd/afxdp_inner.h"

#include <errno.h>
#include <sys/socket.h>

#define FILL_BATCH 32 // buffers posted at a time
// Buffers are posted by need, so that a node's pool need not have a full ring's worth for every pod:
// a quarter of the ring at rest, all of it once a quarter of what is posted arrives at one time, and
// again a quarter after this many calmer times. One port's need must not starve the others: with
// less than this share of the pool free, none gets more.
#define REST_SHARE 4
#define BUSY_SHARE 4
#define CALM_TIMES 4096
#define POOL_SHARE 4
#define ADDR_MASK ((1ULL << 48) - 1) // the rest of an unaligned chunk's address is an offset
#define ADDR_OFFSET_SHIFT 48

static void post(struct afxdp *a, struct rte_mbuf *m)
{
	uint64_t addr = (uint64_t)((char *)m->buf_addr - a->umem->base) - UMEM_HEADROOM;

	*xsk_addr(&a->xsk.fill, a->xsk.fill.mine++) = addr;
	inflight_put(&a->rx, addr, m);
}

static uint32_t rest_of(uint32_t ring)
{
	return RTE_MAX(ring / REST_SHARE, (uint32_t)AFXDP_RING_MIN);
}

// How many buffers are to be posted, after `ready` frames (or pieces of them) had come together.
static void adapt(struct afxdp *a, uint32_t ready)
{
	uint32_t ring = a->rx.mask + 1;

	if (ready * BUSY_SHARE >= a->goal) {
		a->calm = 0;
		if (a->goal < ring &&
			rte_mempool_avail_count(a->port.pool) > a->port.pool->size / POOL_SHARE)
			a->goal = ring;
	} else if (a->goal > rest_of(ring) && ++a->calm == CALM_TIMES) {
		a->calm = 0;
		a->goal = rest_of(ring);
	}
}

static bool wants_buffers(const struct afxdp *a)
{
	return inflight_count(&a->rx) + FILL_BATCH <= a->goal;
}

// Keeps the fill ring as full as it should be. When the pool is empty it will be tried again at the next poll.
static void fill(struct afxdp *a)
{
	struct rte_mbuf *m[FILL_BATCH];

	while (wants_buffers(a)) {
		if (rte_mempool_get_bulk(a->port.pool, (void **)m, FILL_BATCH) < 0) {
			a->rx_nombuf += !a->starved;
			a->starved = true;
			break;
		}
		a->starved = false;
		for (int i = 0; i < FILL_BATCH; i++)
			post(a, m[i]);
		xsk_submit(&a->xsk.fill);
	}
	if (*(const volatile uint32_t *)a->xsk.fill.flags & XDP_RING_NEED_WAKEUP)
		(void)recvfrom(a->xsk.fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

// Turns a descriptor into an mbuf. NULL if it names no buffer of ours.
static struct rte_mbuf *take(struct afxdp *a, const struct xdp_desc *d)
{
	struct rte_mbuf *m = inflight_take(&a->rx, d->addr & ADDR_MASK);

	if (unlikely(m == NULL)) {
		a->rx_errors++;
		return NULL;
	}
	rte_pktmbuf_reset(m);
	m->data_off = (uint16_t)((d->addr >> ADDR_OFFSET_SHIFT) - UMEM_HEADROOM);
	m->data_len = (uint16_t)d->len;
	m->pkt_len = d->len;
	return m;
}

static void chain_add(struct afxdp *a, struct rte_mbuf *m)
{
	if (a->chain == NULL) {
		a->chain = m;
	} else {
		a->chain->pkt_len += m->data_len;
		a->chain->nb_segs++;
		a->chain_tail->next = m;
	}
	a->chain_tail = m;
}

// The first line of each of n frames. It is in the cache of the CPU where the kernel received the frame: asked for
// together, they come while descriptors are turned into mbufs. Without, a frame costs 86 cycles more (3 %).
static void prefetch_frames(const struct afxdp *a, uint32_t n)
{
	const struct xsk_ring *r = &a->xsk.rx;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t addr = xsk_desc(r, r->mine + i)->addr;

		rte_prefetch0(a->umem->base + (addr & ADDR_MASK) + (addr >> ADDR_OFFSET_SHIFT));
	}
}

static uint16_t receive(struct afxdp *a, uint32_t ready, struct rte_mbuf **pkts, uint16_t n)
{
	struct xsk_ring *r = &a->xsk.rx;
	uint16_t got = 0;

	prefetch_frames(a, RTE_MIN(ready, n));
	for (; ready > 0 && got < n; ready--) {
		const struct xdp_desc *d = xsk_desc(r, r->mine++);
		struct rte_mbuf *m = take(a, d);

		rte_prefetch0(a->rx.entries[(a->rx.head + 1) & a->rx.mask].mbuf);
		if (unlikely(m == NULL))
			continue;
		if (a->chain == NULL && !(d->options & XDP_PKT_CONTD)) {
			pkts[got++] = m;
			continue;
		}
		chain_add(a, m);
		if (!(d->options & XDP_PKT_CONTD)) {
			pkts[got++] = a->chain;
			a->chain = NULL;
		}
	}
	xsk_release(r);
	return got;
}

uint16_t afxdp_rx(struct port *p, uint16_t, struct rte_mbuf **pkts, uint16_t n)
{
	struct afxdp *a = afxdp(p);
	uint32_t ready = xsk_ready(&a->xsk.rx);
	uint16_t got = 0;

	if (ready > 0) {
		got = receive(a, ready, pkts, n);
		adapt(a, ready);
	}
	if (wants_buffers(a))
		fill(a);
	if (unlikely(atomic_load_explicit(&a->tx_stuck, memory_order_relaxed)))
		afxdp_tx_retry(a);
	return got;
}

int afxdp_rx_fd(struct port *p, uint16_t)
{
	return afxdp(p)->xsk.fd;
}

// Reading the socket's error clears it, and with it the EPOLLERR of a deleted device.
void afxdp_rx_wakeup(struct port *p, uint16_t, bool on)
{
	struct afxdp *a = afxdp(p);
	socklen_t len = sizeof(int);
	int err = 0;

	if (on && getsockopt(a->xsk.fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err == ENETDOWN)
		atomic_store_explicit(&a->gone, true, memory_order_relaxed);
}

void afxdp_rx_init(struct afxdp *a)
{
	a->goal = rest_of(a->rx.mask + 1);
	fill(a);
}
