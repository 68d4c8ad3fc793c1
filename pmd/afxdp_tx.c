// Sending by AF_XDP: buffers of the pool go to the kernel where they are, and back to the pool when it
// has sent them. In copy mode it copies a frame during sendto(), one call for as many as it can.
#include "pmd/afxdp_inner.h"

#include <errno.h>
#include <sys/socket.h>

#define FREE_BATCH 64
#define PIECES_MAX 18 // MAX_SKB_FRAGS of the kernel, and its head: longest chain it sends

// Buffers in flight have no other reference, no next and one segment, as the pool wants them.
static void reap(struct afxdp *a)
{
	struct xsk_ring *r = &a->xsk.completion;
	struct rte_mbuf *done[FREE_BATCH];
	uint32_t ready = xsk_ready(r);
	unsigned n = 0;

	if (ready == 0)
		return;
	for (; ready > 0; ready--) {
		struct rte_mbuf *m = inflight_take(&a->tx, *xsk_addr(r, r->mine++));

		if (unlikely(m == NULL))
			continue;
		done[n++] = m;
		if (n == FREE_BATCH) {
			rte_mempool_put_bulk(a->port.pool, (void **)done, n);
			n = 0;
		}
	}
	xsk_release(r);
	if (n > 0)
		rte_mempool_put_bulk(a->port.pool, (void **)done, n);
}

// Has the kernel send what is in the ring. One call takes a limited number of descriptors; it is
// repeated as long as it gets anywhere.
static void kick(struct afxdp *a)
{
	uint32_t pending = xsk_pending(&a->xsk.tx);
	bool stuck = false;
	int err = 0;

	while (pending > 0 && !stuck) {
		uint32_t before = pending;

		err = sendto(a->xsk.fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 ? errno : 0;
		reap(a);
		pending = xsk_pending(&a->xsk.tx);
		stuck = pending == before;
	}
	if (unlikely(stuck && err == ENXIO)) // the socket is bound to nothing any more
		atomic_store_explicit(&a->gone, true, memory_order_relaxed);
	// A device that is down needs no retry before there is something new to send.
	stuck = stuck && err != ENXIO && err != ENETDOWN;
	atomic_store_explicit(&a->tx_stuck, stuck, memory_order_relaxed);
}

void afxdp_tx_retry(struct afxdp *a)
{
	if (atomic_load_explicit(&a->gone, memory_order_relaxed))
		return;
	if (!rte_spinlock_trylock(&a->tx_lock))
		return; // whoever has it is kicking
	kick(a);
	rte_spinlock_unlock(&a->tx_lock);
}

// Whether the kernel may read the frame where it is: every segment is a buffer of the UMEM that
// nobody else holds, so that completion can return it to the pool without looking at it.
static bool in_place(const struct afxdp *a, const struct rte_mbuf *m)
{
	if (m->nb_segs > PIECES_MAX)
		return false;
	for (; m != NULL; m = m->next)
		if (m->pool != a->port.pool || !RTE_MBUF_DIRECT(m) || m->data_len == 0 ||
			rte_mbuf_refcnt_read(m) != 1)
			return false;
	return true;
}

static void put_frame(struct afxdp *a, struct rte_mbuf *m)
{
	while (m != NULL) {
		struct rte_mbuf *next = m->next;
		uint64_t addr = (uint64_t)(rte_pktmbuf_mtod(m, char *) - a->umem->base);
		struct xdp_desc *d = xsk_desc(&a->xsk.tx, a->xsk.tx.mine++);

		d->addr = addr;
		d->len = m->data_len;
		d->options = next != NULL ? XDP_PKT_CONTD : 0;
		if (m->nb_segs != 1)
			m->nb_segs = 1;
		if (next != NULL)
			m->next = NULL;
		inflight_put(&a->tx, addr, m);
		m = next;
	}
}

// Sends a copy. False if there is no room for it now.
static bool put_copy(struct afxdp *a, struct rte_mbuf *m)
{
	struct rte_mbuf *copy = rte_pktmbuf_copy(m, a->port.pool, 0, UINT32_MAX);

	if (copy == NULL)
		return false;
	if (copy->nb_segs <= PIECES_MAX && inflight_room(&a->tx) < copy->nb_segs) {
		rte_pktmbuf_free(copy);
		return false;
	}
	if (copy->nb_segs > PIECES_MAX) {
		a->tx_errors++;
		rte_pktmbuf_free(copy);
	} else {
		put_frame(a, copy);
	}
	rte_pktmbuf_free(m);
	return true;
}

static bool put(struct afxdp *a, struct rte_mbuf *m)
{
	bool chain = m->nb_segs > 1;

	if (unlikely(m->pkt_len < RTE_ETHER_HDR_LEN || m->pkt_len > PORT_FRAME_MAX ||
		     (chain && !a->umem->multi_buffer))) {
		a->tx_errors++;
		rte_pktmbuf_free(m);
		return true;
	}
	if (inflight_room(&a->tx) < (chain ? PIECES_MAX : 1))
		return false;
	if (unlikely(!in_place(a, m)))
		return put_copy(a, m);
	put_frame(a, m);
	return true;
}

uint16_t afxdp_tx(struct port *p, uint16_t, struct rte_mbuf **pkts, uint16_t n)
{
	struct afxdp *a = afxdp(p);
	uint16_t sent = 0;

	if (unlikely(atomic_load_explicit(&a->gone, memory_order_relaxed)))
		return 0;
	rte_spinlock_lock(&a->tx_lock);
	reap(a);
	while (sent < n) {
		while (sent < n && put(a, pkts[sent]))
			sent++;
		xsk_submit(&a->xsk.tx);
		kick(a);
		// The kernel has usually finished what it took, which makes room for the rest.
		if (sent == n || inflight_room(&a->tx) < PIECES_MAX || xsk_pending(&a->xsk.tx) > 0)
			break;
		if (!put(a, pkts[sent])) // no buffer for a copy
			break;
		sent++;
	}
	rte_spinlock_unlock(&a->tx_lock);
	return sent;
}
