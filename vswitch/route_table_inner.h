// Inside the table of routes: where an address may be, for both who looks it up and who changes it.
#pragma once

#include <stdbool.h>
#include <string.h>

#include "vswitch/route_table.h"

#define TAG_BITS 16
#define TAGS_EACH 0x0001000100010001u // a one in every tag
#define TAGS_HIGH 0x8000800080008000u // the highest bit of every tag
#define TAGS_USED_1 0x00000000ffffffffu // of the second word; above it is
#define BUCKET_PASSED (UINT64_C(1) << 63) // something went on to the next bucket. Stays for good

// Both words of the address take part in every bit: pods' addresses differ in few.
static inline uint64_t route_hash(const struct in6_addr *addr)
{
	uint64_t x[2];
	memcpy(x, addr, sizeof(x));
	unsigned __int128 product =
		(unsigned __int128)(x[0] ^ 0x9e3779b97f4a7c15u) * (x[1] ^ 0xc2b2ae3d27d4eb4fu);
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

// The table's size is by the lower bits, the tag by the highest ones. Never 0.
static inline uint64_t route_tag(uint64_t hash)
{
	return hash >> (64 - TAG_BITS) | 1;
}

// Has the highest bit of the lowest tag that is equal, and maybe of some above it.
static inline uint64_t tags_equal(uint64_t tags, uint64_t tag)
{
	uint64_t differ = tags ^ tag * TAGS_EACH;
	return (differ - TAGS_EACH) & ~differ & TAGS_HIGH;
}

// Which place of the bucket has the tag, the first one from `from` on; ROUTE_BUCKET_SIZE if none has.
static inline uint32_t bucket_next(const struct route_bucket *b, uint64_t tag, uint32_t from)
{
	for (uint32_t i = from; i < ROUTE_BUCKET_SIZE; i++) {
		uint64_t tags = atomic_load_explicit(&b->tags[i / 4], memory_order_acquire);
		if ((uint16_t)(tags >> i % 4 * TAG_BITS) == tag)
			return i;
	}
	return ROUTE_BUCKET_SIZE;
}

static inline bool bucket_is_passed(const struct route_bucket *b)
{
	return (atomic_load_explicit(&b->tags[1], memory_order_acquire) & BUCKET_PASSED) != 0;
}
