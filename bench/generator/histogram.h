// Counts of times in TSC cycles, exact to 1/64 of the value, with percentiles.
#pragma once

#include <stdint.h>
#include <string.h>

#define HISTOGRAM_FINE_BITS 6
#define HISTOGRAM_FINE (1u << HISTOGRAM_FINE_BITS)
#define HISTOGRAM_ROWS (64 - HISTOGRAM_FINE_BITS)

struct histogram {
	uint64_t total;
	uint64_t max;
	uint32_t count[HISTOGRAM_ROWS + 1][HISTOGRAM_FINE];
};

static inline void histogram_reset(struct histogram *h)
{
	memset(h, 0, sizeof(*h));
}

static inline void histogram_add(struct histogram *h, uint64_t value)
{
	unsigned bits = 64u - (unsigned)__builtin_clzll(value | 1);
	unsigned row = bits > HISTOGRAM_FINE_BITS ? bits - HISTOGRAM_FINE_BITS : 0;

	h->count[row][(value >> row) & (HISTOGRAM_FINE - 1)]++;
	h->total++;
	if (value > h->max)
		h->max = value;
}

// The value that `part` (0 to 1) of all are not above. 0 if there are none.
static inline uint64_t histogram_percentile(const struct histogram *h, double part)
{
	uint64_t wanted = (uint64_t)(part * (double)h->total);
	uint64_t seen = 0;

	for (unsigned row = 0; row <= HISTOGRAM_ROWS; row++) {
		for (unsigned i = 0; i < HISTOGRAM_FINE; i++) {
			seen += h->count[row][i];
			if (seen > wanted)
				return (uint64_t)i << row;
		}
	}
	return h->max;
}
