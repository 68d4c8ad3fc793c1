// Moves queues from busy workers to others when that is worth it. Private to the data plane; control thread
// only.
#pragma once

#include "vswitch/ports.h"

struct rebalance {
	struct rebalance_conf conf;
	uint64_t interval; // TSC cycles
	uint64_t last; // TSC when this interval began
	unsigned n_held; // intervals in a row in which moving was worth it
	uint64_t busy[RTE_MAX_LCORE]; // cycles_busy of each worker when it began
	uint64_t load[RTE_MAX_LCORE]; // what they grew by in the last interval
};

void rebalance_init(struct rebalance *r, const struct rebalance_conf *conf);
// Looks at the clock, and at the end of an interval at the loads.
void rebalance_poll(struct rebalance *r, struct ports *ps);
