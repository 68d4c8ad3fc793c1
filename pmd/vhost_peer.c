// What librte_vhost tells of a port's peer: connections, devices, rings.
//
// Callbacks run in librte_vhost's threads (one at a time for a port) or, while a port is opened or
// closed, in the control thread. When destroy_device() returns, the library frees what workers
// touch, so it waits for the bursts that are under way. Workers announce a burst with a plain
// store: the fence that this needs is paid by the callback, which makes all threads of the process
// run one, by membarrier(2). A worker that sleeps or polls something else delays nobody.
#include "pmd/vhost_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
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

// Shows the workers which rings there are now.
static void rings_publish(struct vhost *v, int vid)
{
	uint16_t n_txq = 0;
	bool started = false;

	for (uint16_t q = 0; q < v->port.n_rxq; q++) {
		struct vhost_rxq *rxq = &v->rxq[q];
		int was = atomic_load_explicit(&rxq->vid, memory_order_relaxed);
		int is = v->running && v->enabled[2 * q + 1] ? vid : -1;
		if (is == was)
			continue;
		atomic_store_explicit(&rxq->fresh, is >= 0, memory_order_relaxed);
		atomic_store_explicit(&rxq->vid, is, memory_order_release);
		started = started || is >= 0;
	}
	while (v->running && n_txq < v->port.n_rxq && v->enabled[2 * n_txq])
		n_txq++;
	if (n_txq > 0)
		atomic_store_explicit(&v->vid, vid, memory_order_relaxed);
	atomic_store_explicit(&v->n_txq, n_txq, memory_order_release);
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
	rings_publish(v, vid);
	return 0;
}

static void destroy_device(int vid)
{
	struct vhost *v = vhost_by_vid(vid);

	v->running = false;
	rings_publish(v, vid);
	quiesce(v);
}

// The library holds the locks of all rings here, for which a worker may be waiting: no waiting
// for workers.
static int vring_state_changed(int vid, uint16_t ring, int enable)
{
	struct vhost *v = vhost_by_vid(vid);

	if (ring >= 2 * v->port.n_rxq)
		return 0; // more than was offered
	v->enabled[ring] = enable;
	if (ring % 2 == 1 && enable)
		kick_add(&v->rxq[ring / 2], vid, ring);
	else if (ring % 2 == 1)
		kick_del(&v->rxq[ring / 2]);
	rings_publish(v, vid);
	return 0;
}

// Answers how many queue pairs there are; by itself the library would offer 128.
static enum rte_vhost_msg_result message_arrived(int vid, void *msg)
{
	struct {
		uint32_t request, flags, size;
		uint64_t value;
	} __rte_packed *m = msg;

	if (m->request != VHOST_USER_GET_QUEUE_NUM)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	m->value = vhost_by_vid(vid)->port.n_rxq;
	m->size = sizeof(m->value);
	return RTE_VHOST_MSG_RESULT_REPLY;
}

static const struct rte_vhost_user_extern_ops message_ops = {.pre_msg_handle = message_arrived};

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
