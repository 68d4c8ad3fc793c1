// What bench/tables compares: ways to find what is known about a packet's address. All hold entries
// 0, 1, 2 … with a number each, and find them for a burst at a time.
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "vswitch/burst.h"

struct rcu;

// Entries beyond those of the case, which updates put and take away again.
#define N_CHANGING 64

enum layout {
	LAYOUT_DENSE, // one address after the other, as IPAM gives them to pods
	LAYOUT_SPARSE, // scattered over a large Subnet
};

struct entries {
	uint32_t n; // that stay; there is room for N_CHANGING more
	bool is_ip6;
	enum layout layout;
};

// The address of entry i, IPv4-mapped or IPv6. No two have the same.
struct in6_addr entry_addr(const struct entries *e, uint32_t i);
// How many tables of 256 a trie of 8 bits a step needs for them, behind its first one.
uint32_t entry_groups(const struct entries *e);

struct structure {
	const char *name;
	bool ip4, ip6; // families that it can hold
	bool has_addresses; // its entries are found by address; else the case has no family or layout
	bool is_dense; // only by such that follow each other
	bool is_safe; // readers may go on while it is updated
	uint32_t n_max; // more do not fit, or take minutes to put in
	const void *variant; // for `new`, if that makes several structures
	// Empty, with room for the entries. NULL without memory.
	void *(*new)(const struct structure *self, const struct entries *e, struct rcu *rcu);
	void (*free)(void *s);
	// Adds entry i, or replaces it. 0 or -errno.
	int (*put)(void *s, uint32_t i, uint32_t number);
	void (*del)(void *s, uint32_t i);
	// Reader: prepares BURST_MAX look-ups, by what packets bring along. No part of a look-up's cost.
	void (*load)(void *s, const uint32_t *i);
	// Reader: finds what was loaded. The numbers, 0 for what is not there.
	void (*find)(void *s, uint32_t *ret_numbers);
};

extern const struct structure *const structures[]; // NULL ends it
extern const struct structure strata_routes, strata_nexthops, strata_subnets; // strata.c
extern const struct structure hash_concurrent, hash_plain, hash_short; // hash.c
extern const struct structure fib_ip4, fib_ip6; // fib.c
extern const struct structure lpm_ip4, lpm_ip6; // lpm.c
