// Random numbers for model and race tests. The seed is printed; give it as the first argument to
// see the same run again.
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

// xorshift64*: good enough to pick operations, and the same everywhere.
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static inline uint32_t random_below(uint64_t *state, uint32_t limit)
{
	return (uint32_t)((random_next(state) >> 32) % limit);
}

// From the command line, or a new one. Never 0.
static inline uint64_t random_seed(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)time(NULL);

	if (seed == 0)
		seed = 1;
	printf("seed: %llu\n", (unsigned long long)seed);
	return seed;
}
