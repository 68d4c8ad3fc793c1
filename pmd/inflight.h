// The buffers that a socket's kernel side holds, in the order in which they were handed over. The
// kernel returns them in that order but for rare exceptions, so finding one is one comparison.
// Nothing of a buffer itself is touched, and closing a port can free exactly what the kernel had.
#pragma once

#include <stdint.h>

#include <rte_mbuf.h>

struct inflight_entry {
	uint64_t addr; // in the UMEM
	struct rte_mbuf *mbuf;
};

struct inflight {
	struct inflight_entry *entries; // owned
	uint32_t mask; // size - 1, a power of two
	uint32_t head, tail; // oldest, and one behind the newest
};

static inline uint32_t inflight_count(const struct inflight *f)
{
	return f->tail - f->head;
}

static inline uint32_t inflight_room(const struct inflight *f)
{
	return f->mask + 1 - inflight_count(f);
}

// There must be room.
static inline void inflight_put(struct inflight *f, uint64_t addr, struct rte_mbuf *m)
{
	f->entries[f->tail++ & f->mask] = (struct inflight_entry){addr, m};
}

// The mbuf at that address, no longer in flight; NULL if the kernel never had it.
static inline struct rte_mbuf *inflight_take(struct inflight *f, uint64_t addr)
{
	struct inflight_entry *first = &f->entries[f->head & f->mask];
	struct rte_mbuf *m;

	for (uint32_t i = f->head; i != f->tail; i++) {
		struct inflight_entry *e = &f->entries[i & f->mask];

		if (e->addr == addr) {
			m = e->mbuf;
			*e = *first;
			f->head++;
			return m;
		}
	}
	return NULL;
}
