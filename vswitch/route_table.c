// Changes to the table of routes. What makes them safe beside readers: a tag is set after its route, and
// cleared before it, and readers compare the address.
#include "vswitch/route_table_inner.h"

#include "vswitch/addr.h"
#include "vswitch/near.h"
#include "vswitch/tables.h"

#include <rte_common.h>
#include <rte_malloc.h>

#include <errno.h>
#include <stddef.h>

#define LOAD 3 // routes to a bucket, at the most and on average

// Where a route is, or may be put.
struct place {
	struct route_bucket *bucket; // NULL: nowhere
	uint32_t i;
};

struct route_table *route_table_new(uint32_t n_max)
{
	uint64_t n = rte_align64pow2(RTE_MAX(n_max / LOAD, 1u) + 1u);
	struct route_table *t = near_alloc(sizeof(*t) + n * sizeof(t->bucket[0]));
	if (t == NULL)
		return NULL;
	t->mask = n - 1;
	t->n_max = n_max;
	return t;
}

void route_table_free(struct route_table *t)
{
	rte_free(t);
}

static void set_tags(struct route_bucket *b, uint32_t word, uint64_t clear, uint64_t set)
{
	uint64_t tags = atomic_load_explicit(&b->tags[word], memory_order_relaxed);
	atomic_store_explicit(&b->tags[word], (tags & ~clear) | set, memory_order_release);
}

static void set_tag(const struct place *p, uint64_t tag)
{
	unsigned shift = p->i % 4 * TAG_BITS;

	set_tags(p->bucket, p->i / 4, UINT64_C(0xffff) << shift, tag << shift);
}

static struct place place_of(struct route_table *t, const struct in6_addr *addr, uint64_t hash)
{
	for (uint64_t n = 0; n <= t->mask; n++) {
		struct route_bucket *b = &t->bucket[(hash + n) & t->mask];

		for (uint32_t i = 0; i < ROUTE_BUCKET_SIZE; i++) {
			const struct route *r =
				atomic_load_explicit(&b->route[i], memory_order_relaxed);
			if (r != NULL && addr_equal(&r->addr, addr))
				return (struct place){b, i};
		}
		if (!bucket_is_passed(b))
			break;
	}
	return (struct place){0};
}

// The first free place from its bucket on. There is one: the buckets hold more than n_max.
static struct place free_place(struct route_table *t, uint64_t hash)
{
	for (uint64_t at = hash;; at++) {
		struct route_bucket *b = &t->bucket[at & t->mask];
		uint32_t i = bucket_next(b, 0, 0);
		if (i < ROUTE_BUCKET_SIZE)
			return (struct place){b, i};
		set_tags(b, 1, 0, BUCKET_PASSED);
	}
}

int route_table_put(struct route_table *t, const struct route *r, const struct route **ret_old)
{
	uint64_t hash = route_hash(&r->addr);
	struct place p = place_of(t, &r->addr, hash);

	*ret_old = NULL;
	if (p.bucket != NULL) {
		*ret_old = atomic_load_explicit(&p.bucket->route[p.i], memory_order_relaxed);
		atomic_store_explicit(&p.bucket->route[p.i], r, memory_order_release);
		return 0;
	}
	if (t->n == t->n_max)
		return -ENOSPC;
	t->n++;
	p = free_place(t, hash);
	atomic_store_explicit(&p.bucket->route[p.i], r, memory_order_release);
	set_tag(&p, route_tag(hash));
	return 0;
}

const struct route *route_table_del(struct route_table *t, const struct in6_addr *addr)
{
	struct place p = place_of(t, addr, route_hash(addr));
	if (p.bucket == NULL)
		return NULL;

	const struct route *old = atomic_load_explicit(&p.bucket->route[p.i], memory_order_relaxed);
	set_tag(&p, 0);
	atomic_store_explicit(&p.bucket->route[p.i], NULL, memory_order_release);
	t->n--;
	return old;
}

void route_table_each(
	const struct route_table *t, void (*f)(const struct route *r, void *arg), void *arg)
{
	for (uint64_t n = 0; n <= t->mask; n++) {
		for (uint32_t i = 0; i < ROUTE_BUCKET_SIZE; i++) {
			const struct route *r =
				atomic_load_explicit(&t->bucket[n].route[i], memory_order_relaxed);
			if (r != NULL)
				f(r, arg);
		}
	}
}
