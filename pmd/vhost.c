// The vhost-user port as the switch sees it: frames in and out, waking idle workers, opening and
// closing. librte_vhost speaks to the peer; what it tells of the peer arrives in vhost_peer.c.
#include "pmd/vhost.h"

#include "pmd/pool.h"
#include "pmd/vhost_peer.h"

#include <rte_common.h>
#include <rte_malloc.h>
#include <rte_string_fns.h>
#include <rte_vhost.h>

#include <assert.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

// What a guest must not leave undone: nobody would do it. Checksums and segmentation. Nor may it lay its
// rings out in a way that virtqueue.c does not know.
#define UNWANTED                                                                                  \
	(1ULL << VIRTIO_NET_F_CSUM | 1ULL << VIRTIO_NET_F_GUEST_CSUM | 1ULL << VIRTIO_NET_F_GSO | \
		1ULL << VIRTIO_NET_F_HOST_TSO4 | 1ULL << VIRTIO_NET_F_HOST_TSO6 |                 \
		1ULL << VIRTIO_NET_F_HOST_ECN | 1ULL << VIRTIO_NET_F_HOST_UFO |                   \
		1ULL << VIRTIO_NET_F_GUEST_TSO4 | 1ULL << VIRTIO_NET_F_GUEST_TSO6 |               \
		1ULL << VIRTIO_NET_F_GUEST_ECN | 1ULL << VIRTIO_NET_F_GUEST_UFO |                 \
		1ULL << VIRTIO_F_RING_PACKED)

static struct vhost *vhost_of(const struct port *p)
{
	return (struct vhost *)(uintptr_t)p;
}

// Announces a burst on the queue. Returns the ring to use, NULL: none.
static struct virtqueue *rxq_enter(struct vhost_rxq *rxq)
{
	atomic_store_explicit(&rxq->busy, true, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst); // the processor's fence is the callbacks'
	return atomic_load_explicit(&rxq->ring, memory_order_acquire);
}

static void rxq_leave(struct vhost_rxq *rxq)
{
	atomic_store_explicit(&rxq->busy, false, memory_order_release);
}

// Tells a ring that was opened anew whether the worker wants kicks: the ring's memory may still say what
// an earlier process wanted.
static void rxq_arm(struct vhost_rxq *rxq, struct virtqueue *vq)
{
	atomic_store_explicit(&rxq->fresh, false, memory_order_relaxed);
	virtqueue_want_kicks(vq, rxq->wakeup);
}

static uint16_t vhost_rx(struct port *p, uint16_t q, struct rte_mbuf **pkts, uint16_t n)
{
	struct vhost_rxq *rxq = &vhost_of(p)->rxq[q];
	struct virtqueue *vq = rxq_enter(rxq);
	uint16_t got = 0;

	if (vq != NULL) {
		if (unlikely(atomic_load_explicit(&rxq->fresh, memory_order_relaxed)))
			rxq_arm(rxq, vq);
		got = virtqueue_dequeue(vq, p->pool, pkts, n);
	}
	rxq_leave(rxq);
	return got;
}

static uint16_t enqueue_shared(struct vhost_txq *txq, struct rte_mbuf **pkts, uint16_t n)
{
	rte_spinlock_lock(&txq->lock);
	uint16_t sent = virtqueue_enqueue(&txq->vq, pkts, n);
	rte_spinlock_unlock(&txq->lock);
	return sent;
}

static uint16_t vhost_tx(struct port *p, uint16_t worker, struct rte_mbuf **pkts, uint16_t n)
{
	struct vhost *v = vhost_of(p);
	uint16_t sent = 0;
	uint16_t n_txq;

	assert(worker < RTE_MAX_LCORE);
	atomic_store_explicit(&vhost_senders[worker].port, v, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst); // the processor's fence is the callbacks'
	n_txq = atomic_load_explicit(&v->n_txq, memory_order_acquire);
	if (n_txq >= v->n_workers) // each has one for itself
		sent = virtqueue_enqueue(&v->txq[worker].vq, pkts, n);
	else if (n_txq > 0)
		sent = enqueue_shared(&v->txq[worker % n_txq], pkts, n);
	atomic_store_explicit(&vhost_senders[worker].port, NULL, memory_order_release);
	pool_free_bulk(pkts, sent); // they were copied
	return sent;
}

static int vhost_rx_fd(struct port *p, uint16_t q)
{
	return vhost_of(p)->rxq[q].epfd;
}

static void vhost_rx_wakeup(struct port *p, uint16_t q, bool on)
{
	struct vhost_rxq *rxq = &vhost_of(p)->rxq[q];
	struct epoll_event seen[2];
	struct virtqueue *vq = rxq_enter(rxq);

	rxq->wakeup = on;
	if (vq != NULL)
		rxq_arm(rxq, vq);
	rxq_leave(rxq);
	if (!on)
		(void)epoll_wait(rxq->epfd, seen, RTE_DIM(seen), 0);
}

static void vhost_stats(const struct port *p, struct port_stats *ret_stats)
{
	const struct vhost *v = vhost_of(p);
	struct port_stats s = {0};

	for (uint16_t q = 0; q < p->n_rxq; q++) {
		s.rx_errors += v->rxq[q].vq.n_errors;
		s.rx_nombuf += v->rxq[q].vq.n_nombuf;
		s.tx_errors += v->txq[q].vq.n_errors;
	}
	*ret_stats = s;
}

static bool vhost_link_up(const struct port *p)
{
	return atomic_load_explicit(&vhost_of(p)->link_up, memory_order_relaxed);
}

// Frees a port, finished or not, that the library does not know (any more).
static void vhost_free(struct vhost *v)
{
	vhost_peer_del(v);
	for (uint16_t q = 0; q < v->port.n_rxq; q++) {
		if (v->rxq[q].epfd >= 0)
			(void)close(v->rxq[q].epfd);
	}
	if (v->efd >= 0)
		(void)close(v->efd);
	rte_free(v);
}

static void vhost_close(struct port *p)
{
	struct vhost *v = vhost_of(p);

	(void)rte_vhost_driver_unregister(v->path); // removes a server's socket
	vhost_free(v);
}

static const struct port_ops vhost_ops = {
	.kind = "vhost-user",
	.rx = vhost_rx,
	.tx = vhost_tx,
	.rx_fd = vhost_rx_fd,
	.rx_wakeup = vhost_rx_wakeup,
	.stats = vhost_stats,
	.link_up = vhost_link_up,
	.close = vhost_close,
};

// Fills in a zeroed port.
static int vhost_init(struct vhost *v, const struct vhost_conf *conf)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};

	v->port.ops = &vhost_ops;
	v->port.pool = conf->pool;
	v->port.n_rxq = conf->n_queue_pairs;
	v->n_workers = conf->n_workers;
	v->port.numa_node = SOCKET_ID_ANY;
	v->port.mtu = conf->mtu;
	v->port.mac = conf->mac;
	(void)rte_strscpy(v->port.name, conf->name, sizeof(v->port.name));
	(void)snprintf(v->port.detail, sizeof(v->port.detail), "%s, %u queue pair%s",
		conf->server ? "server" : "client", conf->n_queue_pairs,
		conf->n_queue_pairs == 1 ? "" : "s");
	(void)rte_strscpy(v->path, conf->path, sizeof(v->path));
	for (uint16_t q = 0; q < v->port.n_rxq; q++) {
		rte_spinlock_init(&v->txq[q].lock);
		v->rxq[q].kickfd = -1;
		v->rxq[q].epfd = -1;
	}
	v->efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (v->efd < 0)
		return -errno;
	for (uint16_t q = 0; q < v->port.n_rxq; q++) {
		v->rxq[q].epfd = epoll_create1(EPOLL_CLOEXEC);
		if (v->rxq[q].epfd < 0 || epoll_ctl(v->rxq[q].epfd, EPOLL_CTL_ADD, v->efd, &ev) < 0)
			return -errno;
	}
	return 0;
}

// Removes a socket that a dead server left behind.
static int socket_clear(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct stat st;
	int ret;
	int fd;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	(void)rte_strscpy(addr.sun_path, path, sizeof(addr.sun_path));
	ret = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	(void)close(fd);
	if (ret != -ECONNREFUSED)
		return -EADDRINUSE; // somebody listens
	return unlink(path) < 0 ? -errno : 0;
}

// Makes the port known to librte_vhost, whose callbacks begin with this.
static int vhost_register(struct vhost *v, bool server)
{
	uint64_t flags =
		RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS | (server ? 0 : RTE_VHOST_USER_CLIENT);

	if (rte_vhost_driver_register(v->path, flags) < 0)
		return -ENOMEM;
	if (rte_vhost_driver_disable_features(v->path, UNWANTED) < 0 ||
		rte_vhost_driver_callback_register(v->path, &vhost_peer_ops) < 0 ||
		rte_vhost_driver_start(v->path) < 0) {
		(void)rte_vhost_driver_unregister(v->path);
		return -EIO;
	}
	return 0;
}

int vhost_open(const struct vhost_conf *conf, struct port **ret_port)
{
	struct vhost *v;
	int ret;

	if (conf->n_queue_pairs == 0 || conf->n_queue_pairs > PORT_QUEUES_MAX ||
		conf->n_workers == 0)
		return -EINVAL;
	if (strlen(conf->path) >= sizeof(v->path))
		return -ENAMETOOLONG;
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) < 0)
		return -errno;
	v = rte_zmalloc("vhost", sizeof(*v), RTE_CACHE_LINE_SIZE);
	if (v == NULL)
		return -ENOMEM;
	ret = vhost_init(v, conf);
	if (ret == 0)
		ret = vhost_peer_add(v);
	if (ret == 0 && conf->server)
		ret = socket_clear(v->path);
	if (ret == 0)
		ret = vhost_register(v, conf->server);
	if (ret < 0) {
		vhost_free(v);
		return ret;
	}
	*ret_port = &v->port;
	return 0;
}
