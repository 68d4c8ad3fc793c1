#include "vswitch/placement.h"

#include <rte_lcore.h>

#include <stdlib.h>
#include <string.h>

// A queue stays if its worker has at most this part of the mean load more than the best one.
#define STAY_PART 20

static void sum_loads(const struct placement_queue *queues, uint32_t n, uint64_t *ret_loads)
{
	for (uint32_t i = 0; i < n; i++)
		ret_loads[queues[i].worker] += queues[i].load;
}

struct placement_outcome placement_judge(
	const struct placement_queue *queues, uint32_t n, uint16_t n_workers)
{
	uint64_t loads[RTE_MAX_LCORE] = {0};
	struct placement_outcome outcome = {0};
	double mean = 0;

	sum_loads(queues, n, loads);
	for (uint16_t w = 0; w < n_workers; w++) {
		mean += (double)loads[w] / n_workers;
		if (loads[w] > outcome.max_load)
			outcome.max_load = loads[w];
	}
	for (uint16_t w = 0; w < n_workers; w++) {
		double off = (double)loads[w] - mean;
		outcome.variance += off * off / n_workers;
	}
	return outcome;
}

unsigned placement_gain(struct placement_outcome before, struct placement_outcome after)
{
	if (after.variance >= before.variance)
		return 0;
	return (unsigned)((before.variance - after.variance) / before.variance * 100);
}

// Heaviest first; queues of equal load in their order, so that the outcome is always the same.
static int compare(const void *a, const void *b)
{
	const struct placement_queue *x = *(const struct placement_queue *const *)a;
	const struct placement_queue *y = *(const struct placement_queue *const *)b;

	if (x->load != y->load)
		return x->load < y->load ? 1 : -1;
	return (x > y) - (x < y);
}

static bool has_worker(const int16_t *worker_node, uint16_t n_workers, int16_t node)
{
	for (uint16_t w = 0; w < n_workers; w++) {
		if (worker_node[w] == node)
			return true;
	}
	return false;
}

static uint16_t choose(const struct placement_queue *q, const uint64_t *loads, uint64_t slack,
	const int16_t *worker_node, uint16_t n_workers)
{
	bool anywhere =
		q->numa_node == NUMA_ANY || !has_worker(worker_node, n_workers, q->numa_node);
	uint16_t best = n_workers;

	for (uint16_t w = 0; w < n_workers; w++) {
		if (!anywhere && worker_node[w] != q->numa_node)
			continue;
		if (best == n_workers || loads[w] < loads[best])
			best = w;
	}
	bool may_stay = anywhere || worker_node[q->worker] == q->numa_node;
	return may_stay && loads[q->worker] <= loads[best] + slack ? q->worker : best;
}

uint32_t placement_improve(
	struct placement_queue *queues, uint32_t n, const int16_t *worker_node, uint16_t n_workers)
{
	uint64_t loads[RTE_MAX_LCORE] = {0}, sum = 0;
	uint32_t n_sorted = 0, n_moves = 0;
	struct placement_queue **sorted = calloc(n + 1, sizeof(*sorted));

	if (sorted == NULL)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		sum += queues[i].load;
		if (queues[i].pinned)
			loads[queues[i].worker] += queues[i].load;
		else if (queues[i].load > 0)
			sorted[n_sorted++] = &queues[i];
	}
	qsort(sorted, n_sorted, sizeof(*sorted), compare);
	for (uint32_t i = 0; i < n_sorted; i++) {
		struct placement_queue *q = sorted[i];
		uint16_t w = choose(q, loads, sum / n_workers / STAY_PART, worker_node, n_workers);
		loads[w] += q->load;
		n_moves += w != q->worker;
		q->worker = w;
	}
	free(sorted);
	return n_moves;
}
