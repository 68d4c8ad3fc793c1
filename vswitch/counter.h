// Counters with one writer, a worker, that anybody may read. A relaxed load and store compile to
// a plain addition; there is no locked instruction.
#pragma once

#include <stdatomic.h>
#include <stdint.h>

static inline void counter_add(_Atomic uint64_t *c, uint64_t n)
{
	uint64_t old = atomic_load_explicit(c, memory_order_relaxed);
	atomic_store_explicit(c, old + n, memory_order_relaxed);
}

static inline uint64_t counter_read(const _Atomic uint64_t *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}
