// An AF_XDP port's life and state. umem.c, xsk.c and xdp_prog.c set the stage; afxdp_rx.c and
// afxdp_tx.c move the frames.
#include "pmd/afxdp_inner.h"
#include "pmd/xdp_prog.h"

#include <rte_malloc.h>

#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define L2_OVERHEAD 18 // Ethernet header and a VLAN tag
#define GIVE_BACK_BATCH 64

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

// Threads that close ports have no cache of the pool, and one that is put off its CPU in the middle of giving
// buffers back makes all others that do so spin until it is on again. So they take turns, and give back many
// at a time.
static pthread_mutex_t giving_back = PTHREAD_MUTEX_INITIALIZER;

static void inflight_fini(struct inflight *f, struct rte_mempool *pool)
{
	void *mbufs[GIVE_BACK_BATCH];
	unsigned n = 0;

	(void)pthread_mutex_lock(&giving_back);
	for (; f->head != f->tail; f->head++) {
		mbufs[n++] = f->entries[f->head & f->mask].mbuf;
		if (n == GIVE_BACK_BATCH || f->head + 1 == f->tail) {
			rte_mempool_put_bulk(pool, mbufs, n);
			n = 0;
		}
	}
	(void)pthread_mutex_unlock(&giving_back);
	rte_free(f->entries);
}

static void afxdp_close(struct port *p)
{
	struct afxdp *a = afxdp(p);

	xdp_prog_detach(a->ifindex, a->native, a->prog);
	xsk_close(&a->xsk);
	rte_pktmbuf_free(a->chain);
	// The kernel is done: it has copied what it wanted of these, or never will.
	inflight_fini(&a->rx, p->pool);
	inflight_fini(&a->tx, p->pool);
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
	p->numa_node = SOCKET_ID_ANY;
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
	afxdp_rx_init(a);
	ret = xdp_prog_attach(a->ifindex, a->native, a->xsk.fd, &a->prog, ret_why);
	if (ret < 0) {
		afxdp_close(&a->port);
		return ret;
	}
	*ret_port = &a->port;
	return 0;
}
