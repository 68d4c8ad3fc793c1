// Which worker should poll which queue, on invented loads and machines.
#include "vswitch/placement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <rte_common.h>

#include <cmocka.h>

static const int16_t one_node[] = {0, 0, 0, 0};
static const int16_t two_nodes[] = {0, 0, 1, 1};

#define QUEUE(l, w)                                               \
	{                                                         \
		.load = (l), .worker = (w), .numa_node = NUMA_ANY \
	}

static uint64_t max_load(const struct placement_queue *q, uint32_t n, uint16_t n_workers)
{
	return placement_judge(q, n, n_workers).max_load;
}

static void queues_of_one_busy_worker_are_spread(void **)
{
	struct placement_queue q[] = {QUEUE(50, 0), QUEUE(30, 0), QUEUE(20, 0), QUEUE(0, 0)};
	struct placement_outcome before = placement_judge(q, RTE_DIM(q), 2);

	assert_int_equal(before.max_load, 100);
	assert_int_equal(placement_improve(q, RTE_DIM(q), one_node, 2), 2);
	assert_int_equal(q[0].worker, 0); // the heaviest one stays
	assert_int_equal(q[1].worker, 1);
	assert_int_equal(q[2].worker, 1);
	struct placement_outcome after = placement_judge(q, RTE_DIM(q), 2);
	assert_int_equal(after.max_load, 50);
	assert_int_equal(placement_gain(before, after), 100);
	assert_int_equal(placement_gain(after, before), 0);
	assert_int_equal(placement_gain(after, after), 0);
}

static void silent_and_pinned_queues_stay(void **)
{
	// Without the pin the lighter one would go.
	struct placement_queue q[] = {QUEUE(0, 0),
		{.load = 10, .worker = 0, .numa_node = NUMA_ANY, .pinned = true}, QUEUE(60, 0),
		QUEUE(0, 1)};

	assert_int_equal(placement_improve(q, RTE_DIM(q), one_node, 2), 1);
	assert_int_equal(q[0].worker, 0);
	assert_int_equal(q[1].worker, 0);
	assert_int_equal(q[2].worker, 1);
	assert_int_equal(q[3].worker, 1); // although that one has more now
}

static void queue_stays_for_a_small_difference_and_goes_for_a_larger_one(void **)
{
	struct placement_queue small[] = {QUEUE(100, 0), QUEUE(105, 1), QUEUE(2, 1)};
	struct placement_queue larger[] = {QUEUE(100, 0), QUEUE(106, 1), QUEUE(2, 1)};

	assert_int_equal(placement_improve(small, RTE_DIM(small), one_node, 2), 0);
	assert_int_equal(placement_improve(larger, RTE_DIM(larger), one_node, 2), 1);
	assert_int_equal(larger[2].worker, 0);
}

static void what_is_as_good_as_it_gets_stays(void **)
{
	struct placement_queue q[] = {QUEUE(50, 1), QUEUE(51, 0), QUEUE(52, 2), QUEUE(49, 3)};
	assert_int_equal(placement_improve(q, RTE_DIM(q), one_node, 4), 0);

	struct placement_queue elephant[] = {QUEUE(1000, 1)};
	assert_int_equal(placement_improve(elephant, 1, one_node, 4), 0);
	assert_int_equal(elephant[0].worker, 1);

	struct placement_outcome all_silent = placement_judge(NULL, 0, 4);
	assert_int_equal(all_silent.max_load, 0);
	assert_int_equal(placement_gain(all_silent, all_silent), 0);
	assert_int_equal(placement_improve(NULL, 0, one_node, 4), 0);
}

static void queues_stay_on_the_node_of_their_device(void **)
{
	struct placement_queue q[] = {{.load = 80, .worker = 2, .numa_node = 1},
		{.load = 70, .worker = 2, .numa_node = 1},
		{.load = 60, .worker = 2, .numa_node = 1},
		{.load = 5, .worker = 2, .numa_node = 0}};

	(void)placement_improve(q, RTE_DIM(q), two_nodes, 4);
	for (int i = 0; i < 3; i++)
		assert_int_equal(two_nodes[q[i].worker], 1);
	assert_int_equal(two_nodes[q[3].worker], 0); // comes home
	assert_int_equal(max_load(q, RTE_DIM(q), 4), 130);

	struct placement_queue alone[] = {{.load = 5, .worker = 2, .numa_node = 0}};
	assert_int_equal(placement_improve(alone, 1, two_nodes, 4), 1);
	assert_int_equal(two_nodes[alone[0].worker], 0);
}

static void node_without_workers_does_not_matter(void **)
{
	struct placement_queue q[] = {{.load = 80, .worker = 0, .numa_node = 7},
		{.load = 70, .worker = 0, .numa_node = 7}};

	assert_int_equal(placement_improve(q, RTE_DIM(q), one_node, 2), 1);
	assert_int_not_equal(q[0].worker, q[1].worker);
}

// The longest-processing-time rule: no worker has more than 4/3 - 1/3m of the best there is.
static void loads_of_any_kind_are_spread_well(void **)
{
	struct placement_queue q[64];
	uint32_t seed = 1;

	for (int round = 0; round < 1000; round++) {
		uint64_t sum = 0, longest = 0;
		for (uint32_t i = 0; i < RTE_DIM(q); i++) {
			seed = seed * 1664525 + 1013904223;
			q[i] = (struct placement_queue)QUEUE(seed >> 16 & 1023, seed >> 27 & 3);
			sum += q[i].load;
			longest = RTE_MAX(longest, q[i].load);
		}
		(void)placement_improve(q, RTE_DIM(q), one_node, 4);
		// Besides, a queue may stay where there is a twentieth of the mean more.
		uint64_t bound = RTE_MAX(longest, sum / 4 + sum / 4 / 20 + longest / 2);
		assert_true(max_load(q, RTE_DIM(q), 4) <= bound);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queues_of_one_busy_worker_are_spread),
		cmocka_unit_test(silent_and_pinned_queues_stay),
		cmocka_unit_test(queue_stays_for_a_small_difference_and_goes_for_a_larger_one),
		cmocka_unit_test(what_is_as_good_as_it_gets_stays),
		cmocka_unit_test(queues_stay_on_the_node_of_their_device),
		cmocka_unit_test(node_without_workers_does_not_matter),
		cmocka_unit_test(loads_of_any_kind_are_spread_well),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
