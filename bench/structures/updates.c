#include "bench/structures/updates.h"

#include <rte_cycles.h>
#include <rte_pause.h>

#include "vswitch/rcu.h"

static bool update(const struct structure *structure, void *state, uint32_t i, enum update what)
{
	if (what != UPDATE_DELETE)
		return structure->put(state, i, i + 1) == 0;
	structure->del(state, i);
	return true;
}

bool updates_run(const struct structure *structure, void *state, uint32_t n_entries,
	struct rcu *rcu, uint64_t cycles, struct histogram ret_cycles[UPDATE_COUNT])
{
	uint64_t end = rte_rdtsc() + cycles;

	while (rte_rdtsc() < end) {
		for (enum update what = 0; what < UPDATE_COUNT; what++) {
			for (uint32_t i = 0; i < N_CHANGING; i++) {
				uint64_t start = rte_rdtsc_precise();
				if (!update(structure, state, n_entries + i, what))
					return false;
				(void)rcu_poll(rcu);
				histogram_add(&ret_cycles[what], rte_rdtsc_precise() - start);
			}
		}
		while (rcu_poll(rcu) >
			0) // what was deleted has its place until the reader moves on
			rte_pause();
	}
	return true;
}
