// rte_fib (DIR-24-8) and rte_fib6 (a trie of 24 and then 8 bits a step), with host routes only.
#include "bench/structures/lines.h"

#include <rte_fib.h>
#include <rte_fib6.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "vswitch/addr.h"

// rte_fib6 of DPDK 22.11 sets a table of 256 aside for each step to each host route, needed or not, and
// does not always take them back.
#define STEPS_RESERVED 14
#define FIB6_MAX 100000

struct fib {
	struct entries entries;
	struct rte_fib *ip4;
	struct rte_fib6 *ip6;
	struct line *lines;
	uint32_t addr4[BURST_MAX]; // reader's
	uint8_t addr6[BURST_MAX][16];
};

static void fib_free(void *arg)
{
	struct fib *s = arg;

	rte_fib_free(s->ip4);
	rte_fib6_free(s->ip6);
	rte_free(s->lines);
	free(s);
}

static bool create(struct fib *s)
{
	static unsigned serial; // EAL keeps them by name
	char name[32];
	(void)snprintf(name, sizeof(name), "compared%u", serial++);
	int max_routes = (int)(s->entries.n + N_CHANGING);

	if (!s->entries.is_ip6) {
		struct rte_fib_conf conf = {.type = RTE_FIB_DIR24_8,
			.max_routes = max_routes,
			.dir24_8 = {.nh_sz = RTE_FIB_DIR24_8_4B,
				.num_tbl8 = entry_groups(&s->entries)}};
		s->ip4 = rte_fib_create(name, SOCKET_ID_ANY, &conf);
		return s->ip4 != NULL;
	}
	struct rte_fib6_conf conf = {.type = RTE_FIB6_TRIE,
		.max_routes = max_routes,
		.trie = {.nh_sz = RTE_FIB6_TRIE_4B,
			.num_tbl8 = (uint32_t)max_routes * STEPS_RESERVED}};
	s->ip6 = rte_fib6_create(name, SOCKET_ID_ANY, &conf);
	return s->ip6 != NULL;
}

static void *fib_new(const struct entries *e, struct rcu *)
{
	struct fib *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;

	s->entries = *e;
	s->lines = lines_new(e);
	if (s->lines == NULL || !create(s)) {
		fib_free(s);
		return NULL;
	}
	return s;
}

static int fib_put(void *arg, uint32_t i, uint32_t number)
{
	struct fib *s = arg;
	struct in6_addr addr = entry_addr(&s->entries, i);
	uint32_t line = line_put(s->lines, &s->entries, i, number);

	if (s->ip4 != NULL)
		return rte_fib_add(s->ip4, ntohl(addr_ip4(&addr)), 32, line);
	return rte_fib6_add(s->ip6, addr.s6_addr, 128, line);
}

static void fib_del(void *arg, uint32_t i)
{
	struct fib *s = arg;
	struct in6_addr addr = entry_addr(&s->entries, i);

	if (s->ip4 != NULL)
		(void)rte_fib_delete(s->ip4, ntohl(addr_ip4(&addr)), 32);
	else
		(void)rte_fib6_delete(s->ip6, addr.s6_addr, 128);
}

static void fib_load(void *arg, const uint32_t *i)
{
	struct fib *s = arg;

	for (uint32_t k = 0; k < BURST_MAX; k++) {
		struct in6_addr addr = entry_addr(&s->entries, i[k]);

		s->addr4[k] = ntohl(addr_ip4(&addr));
		memcpy(s->addr6[k], &addr, sizeof(addr));
	}
}

static void fib_find(void *arg, uint32_t *ret_numbers)
{
	struct fib *s = arg;
	uint64_t lines[BURST_MAX];

	if (s->ip4 != NULL)
		(void)rte_fib_lookup_bulk(s->ip4, s->addr4, lines, BURST_MAX);
	else
		(void)rte_fib6_lookup_bulk(s->ip6, s->addr6, lines, BURST_MAX);
	for (uint32_t k = 0; k < BURST_MAX; k++)
		ret_numbers[k] = s->lines[lines[k]].route.nexthop;
}

#define FIB(name_, ip4_, n_max_)                                                                   \
	{                                                                                          \
		.name = name_, .ip4 = ip4_, .ip6 = !(ip4_), .has_addresses = true,                 \
		.n_max = n_max_, .new = fib_new, .free = fib_free, .put = fib_put, .del = fib_del, \
		.load = fib_load, .find = fib_find                                                 \
	}

const struct structure fib_ip4 = FIB("rte_fib, dir24_8", true, UINT32_MAX);
const struct structure fib_ip6 = FIB("rte_fib6, trie", false, FIB6_MAX);
