// Which Subnet an address is in. Used by stages: no allocation, no lock, no library.
#include "vswitch/tables.h"

#include <endian.h>
#include <string.h>

// Addresses as two big numbers compare faster than as sixteen bytes.
struct number {
	uint64_t high, low;
};

static inline struct number number(const struct in6_addr *addr)
{
	struct number n;
	memcpy(&n, addr, sizeof(n));
	return (struct number){.high = be64toh(n.high), .low = be64toh(n.low)};
}

static inline bool is_above(struct number a, struct number b)
{
	return a.high != b.high ? a.high > b.high : a.low > b.low;
}

static inline struct number first_bits(struct number n, uint8_t len)
{
	if (len < 64)
		return (struct number){.high = len == 0 ? 0 : n.high & UINT64_MAX << (64 - len)};
	return (struct number){
		.high = n.high, .low = len == 64 ? 0 : n.low & UINT64_MAX << (128 - len)};
}

const struct subnet *subnets_find(const struct subnets *s, const struct in6_addr *addr)
{
	struct number wanted = number(addr);
	uint32_t low = 0;
	uint32_t high = s->n_sorted;

	// Find the last prefix that is not above the address; no other can hold it.
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (is_above(number(&s->subnet[s->sorted[middle]].prefix), wanted))
			high = middle;
		else
			low = middle + 1;
	}
	if (low == 0)
		return NULL;

	const struct subnet *found = &s->subnet[s->sorted[low - 1]];
	struct number prefix = number(&found->prefix);
	struct number start = first_bits(wanted, found->prefix_len);
	return start.high == prefix.high && start.low == prefix.low ? found : NULL;
}
