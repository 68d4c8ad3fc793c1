// Look-up in the table of routes, of a burst at a time so that cache misses overlap. Used by stages: no
// allocation, no lock, no library.
#include "vswitch/route_table_inner.h"

#include "vswitch/addr.h"
#include "vswitch/burst.h"

#include <rte_prefetch.h>

static const struct route_bucket *bucket_of(const struct route_table *t, uint64_t hash)
{
	return &t->bucket[hash & t->mask];
}

// The first route whose tag is that of the hash. Without branches, since nobody could foretell them; if there is no
// such route it is just one of the bucket, or NULL.
static const struct route *candidate(const struct route_bucket *b, uint64_t hash)
{
	uint64_t tag = route_tag(hash);
	uint64_t first = tags_equal(atomic_load_explicit(&b->tags[0], memory_order_acquire), tag);
	uint64_t second = tags_equal(atomic_load_explicit(&b->tags[1], memory_order_acquire), tag) &
			  TAGS_USED_1;

	// Bits 0, 16, 32, 48 are places 0 to 3, and bits 4 and 20 places 4 and 5.
	uint64_t places = first >> 15 | second >> 11 | UINT64_C(1) << 48;
	uint32_t bit = (uint32_t)__builtin_ctzll(places);
	return atomic_load_explicit(&b->route[bit / 16 + (bit & 4)], memory_order_acquire);
}

// The address is not that of the candidate: another one has its tag, it is elsewhere, or nowhere.
static const struct route *find_beyond(
	const struct route_table *t, const struct in6_addr *addr, uint64_t hash)
{
	uint64_t at = hash;

	do {
		const struct route_bucket *b = bucket_of(t, at++);
		uint32_t i = bucket_next(b, route_tag(hash), 0);

		for (; i < ROUTE_BUCKET_SIZE; i = bucket_next(b, route_tag(hash), i + 1)) {
			const struct route *r =
				atomic_load_explicit(&b->route[i], memory_order_acquire);
			if (r != NULL && addr_equal(&r->addr, addr))
				return r;
		}
		if (!bucket_is_passed(b))
			return NULL;
	} while (at - hash <= t->mask);
	return NULL;
}

bool route_table_find(const struct route_table *t, const struct in6_addr *const *addrs, uint32_t n,
	const struct route **ret_routes)
{
	uint64_t hash[BURST_MAX];
	bool all = true;

	for (uint32_t i = 0; i < n; i++) {
		hash[i] = route_hash(addrs[i]);
		rte_prefetch0(bucket_of(t, hash[i]));
	}
	for (uint32_t i = 0; i < n; i++) {
		ret_routes[i] = candidate(bucket_of(t, hash[i]), hash[i]);
		rte_prefetch0(ret_routes[i]);
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct route *r = ret_routes[i];
		if (unlikely(r == NULL || !addr_equal(&r->addr, addrs[i]))) {
			ret_routes[i] = find_beyond(t, addrs[i], hash[i]);
			all = all && ret_routes[i] != NULL;
		}
	}
	return all;
}
