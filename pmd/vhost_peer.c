// What librte_vhost tells of a port's peer: connections, devices, rings.
//
// Callbacks run in librte_vhost's threads (one at a time for a port) or, while a port is opened or
// closed, in the control thread. Each message may change what rings are made of: before the library
// looks at one, the rings are taken from the workers, and given back afterwards. Workers announce a
// burst with a plain store: the fence that this needs is paid by the callback, which makes all threads
// of the process run one, by membarrier(2). A worker that sleeps or polls something else delays nobody;
// none calls into the library, so none waits for a lock that the library holds here.
#include "pmd/vhost_peer.h"

#include <rte_vhost.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/membarrier.h>
#include <linux/vhost_types.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

// Request of the vhost-user protocol that asks how many queue pairs there are.
#define VHOST_USER_GET_QUEUE_NUM 17

struct vhost_sender vhost_senders[RTE_MAX_LCORE];

static LIST_HEAD(, vhost) ports = LIST_HEAD_INITIALIZER(ports);
static pthread_mutex_t ports_lock = PTHREAD_MUTEX_INITIALIZER; // of the list
static _Atomic(struct vhost *) port_by_vid[RTE_MAX_VHOST_DEVICE];

// Waits until no worker is inside a burst that may still see the device.
static void quiesce(struct vhost *v)
{
	(void)syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
	for (uint16_t q = 0; q < v->port.n_rxq; q++) {
		while (atomic_load_explicit(&v->rxq[q].busy, memory_order_acquire))
			(void)sched_yield();
	}
	for (unsigned int i = 0; i < RTE_DIM(vhost_senders); i++) {
		while (atomic_load_explicit(&vhost_senders[i].port, memory_order_acquire) == v)
			(void)sched_yield();
	}
}

static struct virtqueue *ring_of(struct vhost *v, uint16_t ring)
{
	return ring % 2 == 1 ? &v->rxq[ring / 2].vq : &v->txq[ring / 2].vq;
}

// Takes all rings from the workers, and tells the library how far they are.
static void rings_park(struct vhost *v)
{
	if (v->memory == NULL)
		return; // none is open
	for (uint16_t q = 0; q < v->port.n_rxq; q++)
		atomic_store_explicit(&v->rxq[q].ring, NULL, memory_order_relaxed);
	atomic_store_explicit(&v->n_txq, 0, memory_order_relaxed);
	quiesce(v);
	for (uint16_t ring = 0; ring < 2 * v->port.n_rxq; ring++) {
		uint16_t next = ring_of(v, ring)->next;
		if (v->opened[ring])
			(void)rte_vhost_set_vring_base(v->vid, ring, next, next);
		v->opened[ring] = false;
	}
	free(v->memory);
	v->memory = NULL;
}

static bool ring_open(struct vhost *v, uint16_t ring, uint64_t features)
{
	bool is_logged = (features & 1ULL << VHOST_F_LOG_ALL) != 0;
	struct virtqueue_conf conf = {.memory = v->memory,
		.features = features,
		.log_vid = is_logged ? v->vid : -1,
		.log_ring = ring};
	uint16_t avail;

	if (rte_vhost_get_vhost_vring(v->vid, ring, &conf.rings) < 0 || conf.rings.desc == NULL ||
		conf.rings.avail == NULL || conf.rings.used == NULL || conf.rings.size == 0 ||
		(conf.rings.size & (conf.rings.size - 1)) != 0 ||
		rte_vhost_get_vring_base(v->vid, ring, &avail, &conf.next) < 0)
		return false;
	virtqueue_open(ring_of(v, ring), &conf);
	// Nobody waits for buffers in a ring to the guest: without this it would kick for each lot.
	if (ring % 2 == 0)
		virtqueue_want_kicks(ring_of(v, ring), false);
	return true;
}

// Opens all rings that the guest has enabled, and gives them to the workers.
static void rings_publish(struct vhost *v)
{
	uint16_t n_txq = 0;
	bool started = false;
	uint64_t features;

	if (!v->running || v->is_parked || v->has_failed || v->memory != NULL ||
		rte_vhost_get_negotiated_features(v->vid, &features) < 0 ||
		rte_vhost_get_mem_table(v->vid, &v->memory) < 0)
		return;
	for (uint16_t ring = 0; ring < 2 * v->port.n_rxq; ring++)
		v->opened[ring] =
			v->memory->nregions > 0 && v->enabled[ring] && ring_open(v, ring, features);
	for (uint16_t q = 0; q < v->port.n_rxq; q++) {
		struct vhost_rxq *rxq = &v->rxq[q];
		if (!v->opened[2 * q + 1])
			continue;
		atomic_store_explicit(&rxq->fresh, true, memory_order_relaxed);
		atomic_store_explicit(&rxq->ring, &rxq->vq, memory_order_release);
		started = true;
	}
	while (n_txq < v->port.n_rxq && v->opened[2 * n_txq])
		n_txq++;
	atomic_store_explicit(&v->n_txq, n_txq, memory_order_release);
	atomic_store_explicit(&v->link_up, n_txq > 0, memory_order_relaxed);
	if (started)
		(void)eventfd_write(v->efd, 1);
}

static void kick_del(struct vhost_rxq *rxq)
{
	if (rxq->kickfd < 0)
		return;
	(void)epoll_ctl(rxq->epfd, EPOLL_CTL_DEL, rxq->kickfd, NULL);
	(void)close(rxq->kickfd);
	rxq->kickfd = -1;
}

// Makes the guest's kicks wake who waits on the queue. Edge-triggered, so that nobody has to read
// a descriptor that the guest chose, and none that it left readable keeps a worker awake.
static void kick_add(struct vhost_rxq *rxq, int vid, uint16_t ring)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
	struct rte_vhost_vring vring;

	kick_del(rxq);
	if (rte_vhost_get_vhost_vring(vid, ring, &vring) < 0 || vring.kickfd < 0)
		return;
	rxq->kickfd = fcntl(vring.kickfd, F_DUPFD_CLOEXEC, 0);
	if (rxq->kickfd >= 0)
		(void)epoll_ctl(rxq->epfd, EPOLL_CTL_ADD, rxq->kickfd, &ev);
}

static struct vhost *vhost_by_vid(int vid)
{
	return atomic_load_explicit(&port_by_vid[vid], memory_order_acquire);
}

static int new_device(int vid)
{
	struct vhost *v = vhost_by_vid(vid);

	v->running = true;
	rings_publish(v);
	return 0;
}

static void destroy_device(int vid)
{
	struct vhost *v = vhost_by_vid(vid);

	v->running = false;
	atomic_store_explicit(&v->link_up, false, memory_order_relaxed);
	rings_park(v);
}

static int vring_state_changed(int vid, uint16_t ring, int enable)
{
	struct vhost *v = vhost_by_vid(vid);

	if (ring >= 2 * v->port.n_rxq)
		return 0; // more than was offered
	rings_park(v);
	v->enabled[ring] = enable;
	if (ring % 2 == 1 && enable)
		kick_add(&v->rxq[ring / 2], vid, ring);
	else if (ring % 2 == 1)
		kick_del(&v->rxq[ring / 2]);
	rings_publish(v);
	return 0;
}

// Answers how many queue pairs there are; by itself the library would offer 128.
static enum rte_vhost_msg_result before_message(int vid, void *msg)
{
	struct {
		uint32_t request, flags, size;
		uint64_t value;
	} __rte_packed *m = msg;
	struct vhost *v = vhost_by_vid(vid);

	rings_park(v);
	v->has_failed = v->has_failed || v->is_parked; // the last one never came to after_message
	v->is_parked = true;
	if (m->request != VHOST_USER_GET_QUEUE_NUM)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	m->value = v->port.n_rxq;
	m->size = sizeof(m->value);
	return RTE_VHOST_MSG_RESULT_REPLY;
}

// Not called when the library could not handle the message.
static enum rte_vhost_msg_result after_message(int vid, void *)
{
	struct vhost *v = vhost_by_vid(vid);

	v->is_parked = false;
	rings_publish(v);
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static const struct rte_vhost_user_extern_ops message_ops = {
	.pre_msg_handle = before_message, .post_msg_handle = after_message};

static struct vhost *vhost_by_path(const char *path)
{
	struct vhost *v;

	pthread_mutex_lock(&ports_lock);
	LIST_FOREACH(v, &ports, link)
	{
		if (strcmp(v->path, path) == 0)
			break;
	}
	pthread_mutex_unlock(&ports_lock);
	return v;
}

static int new_connection(int vid)
{
	char path[PATH_MAX];
	struct vhost *v;

	if (rte_vhost_get_ifname(vid, path, sizeof(path)) < 0)
		return -1;
	v = vhost_by_path(path);
	if (v == NULL || v->connected)
		return -1; // a port has one peer
	v->connected = true;
	v->vid = vid;
	v->is_parked = false;
	v->has_failed = false;
	memset(v->enabled, 0, sizeof(v->enabled));
	atomic_store_explicit(&port_by_vid[vid], v, memory_order_release);
	return rte_vhost_extern_callback_register(vid, &message_ops, NULL);
}

static void destroy_connection(int vid)
{
	struct vhost *v = vhost_by_vid(vid);

	for (uint16_t q = 0; q < v->port.n_rxq; q++)
		kick_del(&v->rxq[q]);
	v->connected = false;
}

const struct rte_vhost_device_ops vhost_peer_ops = {
	.new_device = new_device,
	.destroy_device = destroy_device,
	.vring_state_changed = vring_state_changed,
	.new_connection = new_connection,
	.destroy_connection = destroy_connection,
};

int vhost_peer_add(struct vhost *v)
{
	if (vhost_by_path(v->path) != NULL)
		return -EADDRINUSE; // only the control thread adds: no race with the next lines
	pthread_mutex_lock(&ports_lock);
	LIST_INSERT_HEAD(&ports, v, link);
	pthread_mutex_unlock(&ports_lock);
	return 0;
}

void vhost_peer_del(struct vhost *v)
{
	pthread_mutex_lock(&ports_lock);
	if (v->link.le_prev != NULL)
		LIST_REMOVE(v, link);
	pthread_mutex_unlock(&ports_lock);
	for (uint16_t q = 0; q < v->port.n_rxq; q++)
		kick_del(&v->rxq[q]);
}
