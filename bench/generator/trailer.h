// What the generator writes at the very end of each frame that it sends, and looks for at the end
// of each that it receives: there it stays, whatever headers a switch puts on or takes off.
#pragma once

#include <stdint.h>

#define TRAILER_MAGIC 0x5e9e

struct trailer {
	uint16_t magic;
	uint64_t sequence;
	uint64_t tsc; // when the frame was made
} __attribute__((packed));
