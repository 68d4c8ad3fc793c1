// The AF_XDP driver's hot path: buffers of the pool travel to the kernel and back by their address
// in the UMEM. umem.c, xsk.c and xdp_prog.c set the stage.
//
// In copy mode, which is what a veth offers, the kernel copies a received frame into the buffer
// we posted, and a sent one out of ours during sendto(), one call for as many frames as it can.
#include "pmd/afxdp.h"

#include "pmd/inflight.h"
#include "pmd/umem.h"
#include "pmd/xdp_prog.h"
#include "pmd/xsk.h"

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_spinlock.h>

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILL_BATCH 32 // buffers posted at a time
#define FREE_BATCH 64
// Buffers are posted by need, so that a node's pool need not have a full ring's worth for every pod:
// a quarter of the ring at rest, all of it once a quarter of what is posted arrives at one time, and
// again a quarter after this many calmer times. One port's need must not starve the others: with
// less than this share of the pool free, none gets more.
#define REST_SHARE 4
#define BUSY_SHARE 4
#define CALM_TIMES 4096
#define POOL_SHARE 4
#define PIECES_MAX 18 // MAX_SKB_FRAGS of the kernel, and its head: longest chain it sends
#define L2_OVERHEAD 18 // Ethernet header and a VLAN tag
#define ADDR_MASK ((1ULL << 48) - 1) // the rest of an unaligned chunk's address is an offset
#define ADDR_OFFSET_SHIFT 48

struct afxdp {
	struct port port;
	struct umem *umem; // a reference
	struct xsk xsk;
	int ifindex;
	bool native;
	uint32_t prog_id;
	_Atomic bool gone; // the device was deleted; workers: w, all: r

	// The polling worker's.
	struct inflight rx __rte_cache_aligned;
	struct rte_mbuf *chain, *chain_tail; // a frame whose last piece has not arrived
	uint32_t goal; // buffers to keep posted
	uint32_t calm; // times in a row with few frames
	bool starved; // the last attempt to post buffers found the pool empty
	uint64_t rx_nombuf; // worker: w, control: r
	uint64_t rx_errors;

	// Of all workers, under the lock.
	rte_spinlock_t tx_lock __rte_cache_aligned;
	_Atomic bool
		tx_stuck; // the kernel did not take all descriptors; the polling worker retries
	struct inflight tx;
	uint64_t tx_errors;
};

static struct afxdp *afxdp(struct port *p)
{
	return (struct afxdp *)p;
}

// ── Receiving ──────────────────────────────────────────────────────────────────────────────────

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

static void retry_tx(struct afxdp *a);

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

static uint16_t receive(struct afxdp *a, uint32_t ready, struct rte_mbuf **pkts, uint16_t n)
{
	struct xsk_ring *r = &a->xsk.rx;
	uint16_t got = 0;

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

static uint16_t afxdp_rx(struct port *p, uint16_t, struct rte_mbuf **pkts, uint16_t n)
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
		retry_tx(a);
	return got;
}

static int afxdp_rx_fd(struct port *p, uint16_t)
{
	return afxdp(p)->xsk.fd;
}

// Reading the socket's error clears it, and with it the EPOLLERR of a deleted device.
static void afxdp_rx_wakeup(struct port *p, uint16_t, bool on)
{
	struct afxdp *a = afxdp(p);
	socklen_t len = sizeof(int);
	int err = 0;

	if (on && getsockopt(a->xsk.fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err == ENETDOWN)
		atomic_store_explicit(&a->gone, true, memory_order_relaxed);
}

// ── Sending ────────────────────────────────────────────────────────────────────────────────────

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

static void retry_tx(struct afxdp *a)
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

static uint16_t afxdp_tx(struct port *p, uint16_t, struct rte_mbuf **pkts, uint16_t n)
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

// ── State ──────────────────────────────────────────────────────────────────────────────────────

static void afxdp_stats(const struct port *p, struct port_stats *ret_stats)
{
	const struct afxdp *a = (const struct afxdp *)p;
	struct xdp_statistics s = {0};
	socklen_t len = sizeof(s);

	(void)getsockopt(a->xsk.fd, SOL_XDP, XDP_STATISTICS, &s, &len);
	// rx_dropped includes what found no posted buffer, whatever the reason for that.
	ret_stats->rx_missed = s.rx_dropped + s.rx_ring_full;
	ret_stats->rx_nombuf = a->rx_nombuf;
	ret_stats->rx_errors = a->rx_errors + s.rx_invalid_descs;
	ret_stats->tx_errors = a->tx_errors + s.tx_invalid_descs;
}

static bool afxdp_link_up(const struct port *p)
{
	const struct afxdp *a = (const struct afxdp *)p;
	struct ifreq ifr = {.ifr_ifindex = a->ifindex};
	int fd;
	bool up;

	if (atomic_load_explicit(&a->gone, memory_order_relaxed))
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	up = ioctl(fd, SIOCGIFNAME, &ifr) == 0 && ioctl(fd, SIOCGIFFLAGS, &ifr) == 0 &&
	     (ifr.ifr_flags & IFF_UP) && (ifr.ifr_flags & IFF_RUNNING);
	close(fd);
	return up;
}

// ── Opening and closing ────────────────────────────────────────────────────────────────────────

static int inflight_init(struct inflight *f, uint32_t size, int socket)
{
	f->entries = rte_zmalloc_socket(
		"afxdp", size * sizeof(*f->entries), RTE_CACHE_LINE_SIZE, socket);
	f->mask = size - 1;
	return f->entries == NULL ? -ENOMEM : 0;
}

static void inflight_fini(struct inflight *f)
{
	for (; f->head != f->tail; f->head++)
		rte_mbuf_raw_free(f->entries[f->head & f->mask].mbuf);
	rte_free(f->entries);
}

static void afxdp_close(struct port *p)
{
	struct afxdp *a = afxdp(p);

	xdp_prog_detach(a->ifindex, a->native, a->prog_id);
	xsk_close(&a->xsk);
	rte_pktmbuf_free(a->chain);
	// The kernel is done: it has copied what it wanted of these, or never will.
	inflight_fini(&a->rx);
	inflight_fini(&a->tx);
	umem_put(a->umem);
	rte_free(a);
}

static const struct port_ops ops = {
	.kind = "afxdp",
	.rx = afxdp_rx,
	.tx = afxdp_tx,
	.rx_fd = afxdp_rx_fd,
	.rx_wakeup = afxdp_rx_wakeup,
	.stats = afxdp_stats,
	.link_up = afxdp_link_up,
	.close = afxdp_close,
};

static void describe(struct afxdp *a, const struct afxdp_conf *conf)
{
	struct port *p = &a->port;

	p->ops = &ops;
	p->pool = conf->pool;
	p->n_rxq = 1;
	p->mtu = conf->mtu;
	p->mac = conf->mac;
	(void)snprintf(p->name, sizeof(p->name), "%s", conf->name);
	(void)snprintf(p->detail, sizeof(p->detail), "%s copy%s", a->native ? "native" : "generic",
		a->umem->multi_buffer ? "" : ", single buffer");
}

static int check(const struct afxdp_conf *conf, uint32_t ring, const char **ret_why)
{
	*ret_why = "the ring size is not a power of two from 64 to 8192";
	if (ring < AFXDP_RING_MIN || ring > AFXDP_RING_MAX || !rte_is_power_of_2(ring))
		return -EINVAL;
	*ret_why = "the pool's buffers are not those of pool_new()";
	if (rte_pktmbuf_data_room_size(conf->pool) != POOL_DATA_ROOM)
		return -EINVAL;
	return 0;
}

// Everything but the program: a's parts are open on success, and none of them on failure.
static int open_parts(
	struct afxdp *a, const struct afxdp_conf *conf, uint32_t ring, const char **ret_why)
{
	int socket = conf->pool->socket_id;
	int ret;

	ret = umem_get(conf->pool, &a->umem, ret_why);
	if (ret < 0)
		return ret;
	*ret_why = "the MTU needs frames in several buffers, which this kernel does not have (6.6)";
	ret = -EOPNOTSUPP;
	if (!a->umem->multi_buffer && conf->mtu + L2_OVERHEAD > UMEM_PIECE_MAX)
		goto put_umem;
	*ret_why = "out of memory";
	ret = inflight_init(&a->rx, ring, socket);
	if (ret == 0)
		ret = inflight_init(&a->tx, ring, socket);
	if (ret == 0)
		ret = xsk_open(a->umem, conf->ifindex, ring, &a->xsk, ret_why);
	if (ret == 0)
		return 0;
	rte_free(a->rx.entries);
	rte_free(a->tx.entries);
put_umem:
	umem_put(a->umem);
	return ret;
}

int afxdp_open(const struct afxdp_conf *conf, struct port **ret_port, const char **ret_why)
{
	uint32_t ring = conf->ring_size != 0 ? conf->ring_size : AFXDP_RING_DEFAULT;
	struct afxdp *a;
	int ret;

	ret = check(conf, ring, ret_why);
	if (ret < 0)
		return ret;
	*ret_why = "out of memory";
	a = rte_zmalloc_socket("afxdp", sizeof(*a), RTE_CACHE_LINE_SIZE, conf->pool->socket_id);
	if (a == NULL)
		return -ENOMEM;
	rte_spinlock_init(&a->tx_lock);
	a->ifindex = conf->ifindex;
	a->native = conf->mode == AFXDP_NATIVE;
	ret = open_parts(a, conf, ring, ret_why);
	if (ret < 0) {
		rte_free(a);
		return ret;
	}
	describe(a, conf);
	a->goal = rest_of(ring);
	fill(a);
	ret = xdp_prog_attach(a->ifindex, a->native, a->xsk.fd, &a->prog_id, ret_why);
	if (ret < 0) {
		afxdp_close(&a->port);
		return ret;
	}
	*ret_port = &a->port;
	return 0;
}
