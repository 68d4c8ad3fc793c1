// A bounded ring from one worker to the control thread. A full ring loses what is put in, which
// is all right: whoever needs a neighbour will need it again with the next packet.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vswitch/burst.h"

#define PUNT_RING_SIZE 1024 // a power of two

struct punt_ring {
	_Atomic uint32_t head; // worker: w, control: r; counts what was put in
	_Atomic uint64_t lost; // worker: w, control: r
	_Atomic uint32_t tail
		__attribute__((aligned(64))); // control: w, worker: r; counts what was taken out
	struct punt punt[PUNT_RING_SIZE] __attribute__((aligned(64))); // worker: w, control: r
};

// Worker: puts in the n punts, or as many as there is room for.
void punt_ring_put(struct punt_ring *r, const struct punt *punts, uint16_t n);
// Control: takes the oldest out. False if there is none.
bool punt_ring_get(struct punt_ring *r, struct punt *ret_punt);
// Control.
bool punt_ring_is_empty(const struct punt_ring *r);
