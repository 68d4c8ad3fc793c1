// The ring port: two in-process rings behind the port interface. What ring_feed() puts in is what
// the switch receives; what the switch sends is what ring_drain() takes out.
//
// An idle worker that waits on rx_fd sleeps on an eventfd. Only while somebody waits does a feed
// cost a system call.
#include "pmd/ring.h"

#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_ring.h>
#include <rte_string_fns.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct ring_port {
	struct port port; // first: ops get a pointer to it
	struct rte_ring *in; // owned; feeder: produces, worker: consumes
	struct rte_ring *out; // owned; workers: produce, drainer: consumes
	int efd; // owned; feeder: writes, worker: reads
	atomic_bool waiting; // worker: w, feeder: r
};

static struct ring_port *ring_of(struct port *p)
{
	return (struct ring_port *)p;
}

static uint16_t ring_rx(struct port *p, uint16_t q, struct rte_mbuf **pkts, uint16_t n)
{
	(void)q;
	return (uint16_t)rte_ring_dequeue_burst(ring_of(p)->in, (void **)pkts, n, NULL);
}

static uint16_t ring_tx(struct port *p, uint16_t worker, struct rte_mbuf **pkts, uint16_t n)
{
	(void)worker;
	return (uint16_t)rte_ring_enqueue_burst(ring_of(p)->out, (void *const *)pkts, n, NULL);
}

static int ring_rx_fd(struct port *p, uint16_t q)
{
	(void)q;
	return ring_of(p)->efd;
}

static void ring_rx_wakeup(struct port *p, uint16_t q, bool on)
{
	struct ring_port *r = ring_of(p);
	eventfd_t count;

	(void)q;
	// The feeder enqueues, then looks at `waiting`; the worker sets `waiting`, then looks at the
	// ring. Both orders need a full fence, or each may miss the other's store.
	atomic_store_explicit(&r->waiting, on, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	if (!on)
		(void)eventfd_read(r->efd, &count); // empties it; EAGAIN: nobody kicked
}

static void ring_stats(const struct port *p, struct port_stats *ret_stats)
{
	(void)p;
	*ret_stats = (struct port_stats){0};
}

static bool ring_link_up(const struct port *p)
{
	(void)p;
	return true;
}

static void ring_free(struct rte_ring *r)
{
	void *m;

	if (r == NULL)
		return;
	while (rte_ring_dequeue(r, &m) == 0)
		rte_pktmbuf_free(m);
	rte_free(r);
}

static void ring_close(struct port *p)
{
	struct ring_port *r = ring_of(p);

	ring_free(r->in);
	ring_free(r->out);
	if (r->efd >= 0)
		(void)close(r->efd);
	rte_free(r);
}

static const struct port_ops ring_ops = {
	.kind = "ring",
	.rx = ring_rx,
	.tx = ring_tx,
	.rx_fd = ring_rx_fd,
	.rx_wakeup = ring_rx_wakeup,
	.stats = ring_stats,
	.link_up = ring_link_up,
	.close = ring_close,
};

// Creates one ring that holds exactly `size` frames. Built in place, not with rte_ring_create(),
// so that its name need not be unique in the process.
static struct rte_ring *ring_new(const char *name, uint16_t size, unsigned int flags)
{
	ssize_t len = rte_ring_get_memsize(rte_align32pow2((uint32_t)size + 1));
	struct rte_ring *r;

	if (len < 0)
		return NULL;
	r = rte_zmalloc("ring", (size_t)len, RTE_CACHE_LINE_SIZE);
	if (r == NULL)
		return NULL;
	if (rte_ring_init(r, name, size, flags | RING_F_EXACT_SZ) < 0) {
		rte_free(r);
		return NULL;
	}
	return r;
}

struct port *ring_open(const char *name, struct rte_mempool *pool, uint16_t size, bool threadsafe)
{
	unsigned int flags = RING_F_SC_DEQ | (threadsafe ? 0 : RING_F_SP_ENQ);
	struct ring_port *r;

	if (!rte_is_power_of_2(size)) {
		rte_errno = EINVAL;
		return NULL;
	}
	r = rte_zmalloc("ring", sizeof(*r), RTE_CACHE_LINE_SIZE);
	if (r == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	r->port.ops = &ring_ops;
	r->port.pool = pool;
	r->port.n_rxq = 1;
	r->port.numa_node = SOCKET_ID_ANY;
	r->port.mtu = UINT16_MAX;
	(void)rte_strscpy(r->port.name, name, sizeof(r->port.name));
	(void)rte_strscpy(r->port.detail, "in process", sizeof(r->port.detail));
	r->in = ring_new("ring_in", size, flags);
	r->out = ring_new("ring_out", size, flags);
	r->efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (r->in == NULL || r->out == NULL || r->efd < 0) {
		rte_errno = r->efd < 0 ? errno : ENOMEM;
		ring_close(&r->port);
		return NULL;
	}
	return &r->port;
}

uint16_t ring_feed(struct port *p, struct rte_mbuf **pkts, uint16_t n)
{
	struct ring_port *r = ring_of(p);
	unsigned int done = rte_ring_enqueue_burst(r->in, (void *const *)pkts, n, NULL);

	atomic_thread_fence(memory_order_seq_cst); // pairs with ring_rx_wakeup()
	if (done > 0 && atomic_load_explicit(&r->waiting, memory_order_relaxed))
		ring_kick(p);
	return (uint16_t)done;
}

uint16_t ring_drain(struct port *p, struct rte_mbuf **pkts, uint16_t n)
{
	return (uint16_t)rte_ring_dequeue_burst(ring_of(p)->out, (void **)pkts, n, NULL);
}

void ring_kick(struct port *p)
{
	(void)eventfd_write(ring_of(p)->efd, 1); // EAGAIN: it is readable already
}
