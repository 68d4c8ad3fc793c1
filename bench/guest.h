// A guest within the process: a virtio-user device on a vhost-user port's socket. It only receives, and
// whoever has time does that for it.
#pragma once

#include <stdint.h>

#include <rte_spinlock.h>

#define GUEST_QUEUES_MAX 2
#define GUEST_SENDERS_MAX 2
#define GUEST_RING 1024

struct guest_queue {
	rte_spinlock_t lock; // of who receives
	_Atomic uint64_t n_received; // who receives: w, others: r
} __rte_cache_aligned;

struct guest_sender {
	_Atomic uint64_t n_sent; // it: w, others: r
} __rte_cache_aligned;

struct guest {
	uint16_t id; // of the ethdev
	uint16_t n_queues;
	struct rte_mempool *pool; // owned
	struct guest_queue queue[GUEST_QUEUES_MAX];
	struct guest_sender sender[GUEST_SENDERS_MAX];
};

// Connects to the port that listens on `path`. EAL has memory that can be shared. 0 or -errno.
int guest_open(struct guest *g, const char *path, uint16_t n_queues);
void guest_close(struct guest *g);

// Any thread of EAL's: receives what there is, unless somebody else does.
void guest_drain(struct guest *g);
// A sender says how many more frames are on their way to it.
void guest_sent(struct guest *g, uint32_t sender, uint16_t n);
// How many of those it has not received.
int64_t guest_behind(const struct guest *g);
// Counts anew, while nobody sends or drains.
void guest_forget(struct guest *g);
