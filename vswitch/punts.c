// One producer, one consumer, two counters that wrap around.
#include "vswitch/punts.h"

#include "vswitch/counter.h"

void punt_ring_put(struct punt_ring *r, const struct punt *punts, uint16_t n)
{
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	uint32_t used = head - atomic_load_explicit(&r->tail, memory_order_acquire);
	uint32_t room = PUNT_RING_SIZE - used;

	if (n > room) {
		counter_add(&r->lost, n - room);
		n = (uint16_t)room;
	}
	for (uint16_t i = 0; i < n; i++)
		r->punt[(head + i) % PUNT_RING_SIZE] = punts[i];
	atomic_store_explicit(&r->head, head + n, memory_order_release);
}

bool punt_ring_get(struct punt_ring *r, struct punt *ret_punt)
{
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	if (punt_ring_is_empty(r))
		return false;
	*ret_punt = r->punt[tail % PUNT_RING_SIZE];
	atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
	return true;
}

bool punt_ring_is_empty(const struct punt_ring *r)
{
	return atomic_load_explicit(&r->head, memory_order_acquire) ==
	       atomic_load_explicit(&r->tail, memory_order_relaxed);
}
