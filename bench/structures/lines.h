// What DPDK's structures lead to: a route in a cache line of its own, as with ours. A look-up ends
// when that has been read.
#pragma once

#include <rte_malloc.h>

#include "bench/structures/structure.h"

struct line {
	struct route route;
} __attribute__((aligned(64)));

// Line 0 stands for no route: what its nexthop says is 0. Entries that change have two, which take
// turns, since nobody may write to one that is being read.
static inline struct line *lines_new(const struct entries *e)
{
	size_t n = (size_t)e->n + 2 * N_CHANGING + 1;

	return rte_zmalloc(NULL, n * sizeof(struct line), RTE_CACHE_LINE_SIZE);
}

// Returns the line of entry i.
static inline uint32_t line_put(
	struct line *lines, const struct entries *e, uint32_t i, uint32_t number)
{
	uint32_t at = i + 1;

	if (i >= e->n && lines[at].route.nexthop != 0) {
		lines[at].route.nexthop = 0;
		at += N_CHANGING;
	}
	lines[at].route.nexthop = number;
	return at;
}
