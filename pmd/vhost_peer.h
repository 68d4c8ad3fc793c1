// The two halves of the vhost-user port: vhost.c, which workers and the control thread call, and
// vhost_peer.c, which librte_vhost calls. For these two files only.
#pragma once

#include "pmd/port.h"
#include "pmd/virtqueue.h"

#include <rte_common.h>
#include <rte_spinlock.h>

#include <stdatomic.h>
#include <sys/queue.h>
#include <sys/un.h>

// One ring from the guest to the switch.
struct vhost_rxq {
	_Atomic(struct virtqueue *) ring; // to poll, NULL: none. Callbacks: w, worker: r
	atomic_bool busy; // a burst is under way. Worker: w, callbacks: r
	atomic_bool fresh; // the ring was opened anew. Callbacks: set, worker: clears
	bool wakeup; // the worker wants kicks; the worker's own
	int epfd; // owned, never changes: what workers wait on
	int kickfd; // owned duplicate of the guest's eventfd, -1: none; the callbacks' own
	struct virtqueue vq; // the worker's while it is published, else the callbacks'
} __rte_cache_aligned;

// One ring from the switch to the guest. Workers that share it take turns; who has it alone does without
// the lock.
struct vhost_txq {
	rte_spinlock_t lock;
	struct virtqueue vq; // as in vhost_rxq
} __rte_cache_aligned;

struct vhost {
	struct port port; // first: ops get a pointer to it
	LIST_ENTRY(vhost) link; // in `ports`
	int efd; // owned, in every epfd: tells workers that a ring was started
	// The callbacks' own, up to memory.
	bool connected;
	bool running;
	bool is_parked; // librte_vhost is about to change what rings are made of
	bool has_failed; // a message did: nobody knows what the rings are made of now
	int vid;
	bool enabled[2 * PORT_QUEUES_MAX]; // by ring: 2q to the guest, 2q + 1 from it
	bool opened[2 * PORT_QUEUES_MAX];
	struct rte_vhost_memory *memory; // owned copy of the guest's table, while rings are open
	atomic_bool link_up; // Callbacks: w, anybody: r
	// Rings to the guest that are open, 0: none. Callbacks: w, workers: r.
	atomic_ushort n_txq;
	uint16_t n_workers; // never changes
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct vhost_rxq rxq[PORT_QUEUES_MAX];
	struct vhost_txq txq[PORT_QUEUES_MAX];
};

// What each worker is sending to at the moment. Written by that worker, read by the callbacks.
struct vhost_sender {
	_Atomic(struct vhost *) port; // NULL: nothing
} __rte_cache_aligned;

extern struct vhost_sender vhost_senders[RTE_MAX_LCORE];

extern const struct rte_vhost_device_ops vhost_peer_ops;

// Makes the port findable by its path. Returns 0 or -EADDRINUSE.
int vhost_peer_add(struct vhost *v);

// The opposite, also for a port that was not added. librte_vhost no longer knows the port.
void vhost_peer_del(struct vhost *v);
