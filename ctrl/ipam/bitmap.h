// A sparse set of addresses: chunks of 4096 bits that exist only where something is set. An
// address is its 128 bits as a number, so an IPv6 /32 costs what is used of it and no more.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef unsigned __int128 u128;

#define BITMAP_CHUNK_BITS 4096

struct bitmap_chunk;

struct bitmap { // zeroed: empty
	struct bitmap_chunk *chunks; // owned
	uint64_t n; // bits that are set
};

void bitmap_fini(struct bitmap *b);
bool bitmap_get(const struct bitmap *b, u128 at);
int bitmap_set(struct bitmap *b, u128 at); // 0, also if it was set; -ENOMEM
void bitmap_clear(struct bitmap *b, u128 at);
// The first clear bit of from … to (both included); false if all are set.
bool bitmap_next_clear(const struct bitmap *b, u128 from, u128 to, u128 *ret_at);
