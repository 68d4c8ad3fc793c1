#include "bench/structures/reader.h"

#include <rte_cycles.h>

#include "tests/model/random.h"
#include "vswitch/rcu.h"

static uint64_t look_up(struct reader *r)
{
	uint32_t wanted[BURST_MAX], numbers[BURST_MAX];

	for (uint32_t k = 0; k < BURST_MAX; k++)
		wanted[k] = random_below(&r->random, r->n_entries);
	r->structure->load(r->state, wanted);

	uint64_t start = rte_rdtsc_precise();
	r->structure->find(r->state, numbers);
	uint64_t cycles = rte_rdtsc_precise() - start;

	for (uint32_t k = 0; k < BURST_MAX; k++)
		r->n_wrong += numbers[k] != wanted[k] + 1;
	rcu_quiescent(r->rcu, 0);
	return cycles;
}

int reader_main(void *arg)
{
	struct reader *r = arg;

	rcu_online(r->rcu, 0);
	for (uint32_t w = 0; w < atomic_load_explicit(&r->stop_after, memory_order_relaxed); w++) {
		uint64_t sum = 0;

		for (uint32_t round = 0; round < READER_ROUNDS; round++) {
			uint64_t cycles = look_up(r);
			histogram_add(&r->bursts, cycles);
			sum += cycles;
		}
		if (r->n_windows < READER_WINDOWS)
			r->cycles[r->n_windows++] = (double)sum / (READER_ROUNDS * BURST_MAX);
	}
	rcu_offline(r->rcu, 0);
	return 0;
}
