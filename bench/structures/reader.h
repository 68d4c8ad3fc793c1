// A thread that looks entries up, as a worker does: bursts at random, and a quiescent state after each.
#pragma once

#include <stdatomic.h>

#include "bench/generator/histogram.h"
#include "bench/structures/structure.h"

#define READER_WINDOWS 400
#define READER_ROUNDS 32 // bursts of a window

struct reader {
	const struct structure *structure;
	void *state; // the structure's
	uint32_t n_entries; // to choose from; entry i says i + 1
	struct rcu *rcu; // it is worker 0
	_Atomic uint32_t stop_after; // windows; whoever wants it to end before sets 0
	uint64_t random;
	// results
	double cycles[READER_WINDOWS]; // per look-up, of the first windows
	uint32_t n_windows;
	struct histogram bursts; // cycles
	uint64_t n_wrong; // answers
};

// For rte_eal_remote_launch(); arg is the reader. 0.
int reader_main(void *arg);
