// Carries out an order: sends its stream on one port and counts what comes in on another.
#pragma once

#include "histogram.h"
#include "order.h"

#include <rte_mempool.h>

struct result {
	double seconds; // that were measured
	uint64_t sent, received; // in these seconds
	uint64_t lost; // of the sent ones, after a while of waiting for them
	uint64_t refused; // tries to send for which the device had no room
	uint64_t skipped; // frames that the rate asked for and the generator was too late for
	uint64_t reordered; // frames that came in after a later one
	uint64_t foreign; // frames that the generator did not send
	double frame; // mean length of the sent ones
	struct histogram latency; // cycles from when the frame was made; at full load nothing
};

// ports: the ethdevs that the order's tx and rx are indices of. Returns what stream_init() returns.
int run_order(const struct order *o, const uint16_t *ports, struct rte_mempool *pool,
	struct result *ret_result);
