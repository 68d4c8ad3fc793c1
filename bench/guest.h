// A guest within the process: a virtio-user device on a vhost-user port's socket. It only receives, and
// whoever has time does that for it.
#pragma once

#include <stdint.h>

#include <rte_spinlock.h>

#define GUEST_QUEUES_MAX 2
#define GUEST_RING 1024

struct guest_queue {
	rte_spinlock_t lock; // of who receives
	_Atomic uint64_t n_received; // who receives: w, others: r
} __rte_cache_aligned;

struct guest {
	uint16_t id; // of the ethdev
	uint16_t n_queues;
	struct rte_mempool *pool; // owned
	struct guest_queue queue[GUEST_QUEUES_MAX];
};

// Connects to the port that listens on `path`. EAL has memory that can be shared. 0 or -errno.
int guest_open(struct guest *g, const char *path, uint16_t n_queues);
void guest_close(struct guest *g);

// Any thread of EAL's: receives what there is, unless somebody else does.
void guest_drain(struct guest *g);
// Frames that it has received, since it was told to forget (while nobody drains).
uint64_t guest_received(const struct guest *g);
void guest_forget(struct guest *g);
