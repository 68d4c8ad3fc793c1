// The port of a pod that sends as fast as its worker takes it: frames to another pod on a ring, from where
// they come back to it, or to a guest.
#pragma once

#include "bench/guest.h"
#include "bench/pods.h"

enum doing {
	DOES_NOTHING,
	DOES_SEND,
	DOES_RECEIVE, // as the guest
};

struct source {
	struct port port; // first: ops get a pointer to it
	_Atomic enum doing doing; // main: w, worker: r
	struct port
		*back; // where its frames arrive and are taken from again; NULL: a guest has them
	struct guest *guest;
	uint32_t number; // as a sender to the guest
	struct pod_headers headers;
	uint32_t n_made;
	uint16_t flow;
	_Atomic uint64_t guest_cycles; // spent for the guest. worker: w, others: r
} __rte_cache_aligned;

// At rest. NULL without memory.
struct source *source_new(struct rte_mempool *pool);

// Main, at rest: where frames with such headers go from now on.
void source_to_ring(struct source *s, const struct pod_headers *h, struct port *ring);
void source_to_guest(
	struct source *s, const struct pod_headers *h, struct guest *guest, uint32_t number);
