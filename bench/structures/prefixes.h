// DPDK's tables of prefixes, with host routes only: what all four of them need to be structures.
#pragma once

#include "bench/structures/structure.h"

struct prefix_keys { // the same addresses in the forms that tables take
	uint32_t ip4[BURST_MAX]; // host order
	uint8_t ip6[BURST_MAX][sizeof(struct in6_addr)];
};

// A table, from addresses to numbers of lines; 0 stands for none.
struct prefix_table {
	// NULL without memory. `name` is no other's.
	void *(*create)(const char *name, const struct entries *e);
	void (*free)(void *table); // NULL too
	int (*add)(void *table, const struct in6_addr *addr, uint32_t line); // 0 or -errno
	void (*del)(void *table, const struct in6_addr *addr);
	void (*find)(void *table, struct prefix_keys *keys, uint64_t *ret_lines);
};

// The functions of a structure whose variant is such a table.
void *prefixes_new(const struct structure *self, const struct entries *e, struct rcu *rcu);
void prefixes_free(void *s);
int prefixes_put(void *s, uint32_t i, uint32_t number);
void prefixes_del(void *s, uint32_t i);
void prefixes_load(void *s, const uint32_t *i);
void prefixes_find(void *s, uint32_t *ret_numbers);

// Such a structure, of one family.
#define PREFIXES(name_, ip4_, n_max_, table_)                                                   \
	{                                                                                       \
		.name = name_, .ip4 = ip4_, .ip6 = !(ip4_), .has_addresses = true,              \
		.n_max = n_max_, .variant = table_, .new = prefixes_new, .free = prefixes_free, \
		.put = prefixes_put, .del = prefixes_del, .load = prefixes_load,                \
		.find = prefixes_find                                                           \
	}
