// rte_fib (DIR-24-8) and rte_fib6 (a trie of 24 and then 8 bits a step).
#include "bench/structures/prefixes.h"

#include <rte_fib.h>
#include <rte_fib6.h>

#include <arpa/inet.h>

#include "vswitch/addr.h"

// rte_fib6 of DPDK 22.11 sets a table of 256 aside for each step to each host route, needed or not, and
// does not always take them back.
#define STEPS_RESERVED 14
#define FIB6_MAX 100000

// ── IPv4 ───────────────────────────────────────────────────────────────────────────────────────

static void *fib_create(const char *name, const struct entries *e)
{
	struct rte_fib_conf conf = {.type = RTE_FIB_DIR24_8,
		.max_routes = (int)(e->n + N_CHANGING),
		.dir24_8 = {.nh_sz = RTE_FIB_DIR24_8_4B, .num_tbl8 = entry_groups(e)}};

	return rte_fib_create(name, SOCKET_ID_ANY, &conf);
}

static void fib_free(void *table)
{
	rte_fib_free(table);
}

static int fib_add(void *table, const struct in6_addr *addr, uint32_t line)
{
	return rte_fib_add(table, ntohl(addr_ip4(addr)), 32, line);
}

static void fib_del(void *table, const struct in6_addr *addr)
{
	(void)rte_fib_delete(table, ntohl(addr_ip4(addr)), 32);
}

static void fib_find(void *table, struct prefix_keys *keys, uint64_t *ret_lines)
{
	(void)rte_fib_lookup_bulk(table, keys->ip4, ret_lines, BURST_MAX);
}

static const struct prefix_table fib = {
	.create = fib_create, .free = fib_free, .add = fib_add, .del = fib_del, .find = fib_find};

const struct structure fib_ip4 = PREFIXES("rte_fib, dir24_8", true, UINT32_MAX, &fib);

// ── IPv6 ───────────────────────────────────────────────────────────────────────────────────────

static void *fib6_create(const char *name, const struct entries *e)
{
	struct rte_fib6_conf conf = {.type = RTE_FIB6_TRIE,
		.max_routes = (int)(e->n + N_CHANGING),
		.trie = {.nh_sz = RTE_FIB6_TRIE_4B,
			.num_tbl8 = (e->n + N_CHANGING) * STEPS_RESERVED}};

	return rte_fib6_create(name, SOCKET_ID_ANY, &conf);
}

static void fib6_free(void *table)
{
	rte_fib6_free(table);
}

static int fib6_add(void *table, const struct in6_addr *addr, uint32_t line)
{
	return rte_fib6_add(table, addr->s6_addr, sizeof(*addr) * 8, line);
}

static void fib6_del(void *table, const struct in6_addr *addr)
{
	(void)rte_fib6_delete(table, addr->s6_addr, sizeof(*addr) * 8);
}

static void fib6_find(void *table, struct prefix_keys *keys, uint64_t *ret_lines)
{
	(void)rte_fib6_lookup_bulk(table, keys->ip6, ret_lines, BURST_MAX);
}

static const struct prefix_table fib6 = {.create = fib6_create,
	.free = fib6_free,
	.add = fib6_add,
	.del = fib6_del,
	.find = fib6_find};

const struct structure fib_ip6 = PREFIXES("rte_fib6, trie", false, FIB6_MAX, &fib6);
