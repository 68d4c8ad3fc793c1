// Routes by address: a hash table that one thread changes while others look up in it, without a lock.
//
// A bucket is one cache line: six routes, and 16 bits of each one's hash, its tag. So a look-up reads one line
// of the table and then the route's own, which has the address; a route stays where it is until it is
// deleted. What a full bucket has no room for is in the next one, and the bucket says from then on
// that something went past it.
#pragma once

#include <assert.h>
#include <netinet/in.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct route;

#define ROUTE_BUCKET_SIZE 6

struct route_bucket {
	_Atomic uint64_t tags[2]; // of four routes and of two; 0: none. Control: w, workers: r
	_Atomic(const struct route *) route[ROUTE_BUCKET_SIZE]; // control: w, workers: r
} __attribute__((aligned(64)));
static_assert(sizeof(struct route_bucket) == 64);

struct route_table {
	uint64_t mask; // number of buckets - 1. All: r
	alignas(64) uint32_t n; // routes. Control's alone, and workers' line is not written with it
	uint32_t n_max;
	struct route_bucket bucket[];
};

// All but find are the control thread's.

// Empty, with room for n_max routes; NULL without memory. Routes are not the table's.
struct route_table *route_table_new(uint32_t n_max);
void route_table_free(struct route_table *t);

// Publishes a route, in place of the one to the same address, which *ret_old is (NULL: there was none) and
// which readers may go on to see. 0; -ENOSPC with nothing changed.
int route_table_put(struct route_table *t, const struct route *r, const struct route **ret_old);
// Takes the route to addr out and returns it; readers may go on to see it. NULL if there is none.
const struct route *route_table_del(struct route_table *t, const struct in6_addr *addr);
// Calls f for every route, in no particular order.
void route_table_each(
	const struct route_table *t, void (*f)(const struct route *r, void *arg), void *arg);

// Anybody: the routes to n addresses, at most BURST_MAX; NULL where there is none. Returns whether all were
// found. In route_table_find.c.
bool route_table_find(const struct route_table *t, const struct in6_addr *const *addrs, uint32_t n,
	const struct route **ret_routes);
