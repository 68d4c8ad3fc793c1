// Which worker should poll which queue: pure, on loads that were measured.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define NUMA_ANY (-1) // of no node in particular

struct placement_queue {
	uint64_t load; // cycles spent on it, of any span of time that is the same for all
	uint16_t worker; // who polls it
	int16_t numa_node; // of its device, or NUMA_ANY
	bool pinned; // stays where it is
};

// What a placement makes of the workers. Loads are sums of their queues'.
struct placement_outcome {
	uint64_t max_load; // of the busiest worker
	double variance; // of the workers' loads
};

struct placement_outcome placement_judge(
	const struct placement_queue *queues, uint32_t n, uint16_t n_workers);

// Sets queues[i].worker to a better place, where there is one: the heaviest queue first, each to the worker
// that has least so far (of the device's NUMA node, if one is there), to its present one if that has about as
// little. Queues without a load stay. worker_node: of each worker's CPU. Returns how many queues would move.
uint32_t placement_improve(
	struct placement_queue *queues, uint32_t n, const int16_t *worker_node, uint16_t n_workers);

// By how many percent of the one's variance the other's is smaller; 0 if it is not.
unsigned placement_gain(struct placement_outcome before, struct placement_outcome after);
