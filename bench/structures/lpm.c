// rte_lpm and rte_lpm6, the older ones.
#include "bench/structures/prefixes.h"

#include <rte_lpm.h>
#include <rte_lpm6.h>

#include <arpa/inet.h>

#include "vswitch/addr.h"

#define LPM_MAX 100000 // each addition looks through all rules
#define LPM6_MAX ((1u << 21) - 1) // its next hops have 21 bits

// ── IPv4 ───────────────────────────────────────────────────────────────────────────────────────

static void *lpm_create(const char *name, const struct entries *e)
{
	const struct rte_lpm_config conf = {
		.max_rules = e->n + N_CHANGING, .number_tbl8s = entry_groups(e)};

	return rte_lpm_create(name, SOCKET_ID_ANY, &conf);
}

static void lpm_free(void *table)
{
	rte_lpm_free(table);
}

static int lpm_add(void *table, const struct in6_addr *addr, uint32_t line)
{
	return rte_lpm_add(table, ntohl(addr_ip4(addr)), 32, line);
}

static void lpm_del(void *table, const struct in6_addr *addr)
{
	(void)rte_lpm_delete(table, ntohl(addr_ip4(addr)), 32);
}

static void lpm_find(void *table, struct prefix_keys *keys, uint64_t *ret_lines)
{
	uint32_t found[BURST_MAX];

	(void)rte_lpm_lookup_bulk(table, keys->ip4, found, BURST_MAX);
	for (uint32_t k = 0; k < BURST_MAX; k++)
		ret_lines[k] = (found[k] & RTE_LPM_LOOKUP_SUCCESS) != 0 ? found[k] & 0xffffff : 0;
}

static const struct prefix_table lpm = {
	.create = lpm_create, .free = lpm_free, .add = lpm_add, .del = lpm_del, .find = lpm_find};

const struct structure lpm_ip4 = PREFIXES("rte_lpm", true, LPM_MAX, &lpm);

// ── IPv6 ───────────────────────────────────────────────────────────────────────────────────────

static void *lpm6_create(const char *name, const struct entries *e)
{
	const struct rte_lpm6_config conf = {
		.max_rules = e->n + N_CHANGING, .number_tbl8s = entry_groups(e)};

	return rte_lpm6_create(name, SOCKET_ID_ANY, &conf);
}

static void lpm6_free(void *table)
{
	rte_lpm6_free(table);
}

static int lpm6_add(void *table, const struct in6_addr *addr, uint32_t line)
{
	return rte_lpm6_add(table, addr->s6_addr, sizeof(*addr) * 8, line);
}

static void lpm6_del(void *table, const struct in6_addr *addr)
{
	(void)rte_lpm6_delete(table, addr->s6_addr, sizeof(*addr) * 8);
}

static void lpm6_find(void *table, struct prefix_keys *keys, uint64_t *ret_lines)
{
	int32_t found[BURST_MAX];

	(void)rte_lpm6_lookup_bulk_func(table, keys->ip6, found, BURST_MAX);
	for (uint32_t k = 0; k < BURST_MAX; k++)
		ret_lines[k] = found[k] < 0 ? 0 : (uint32_t)found[k];
}

static const struct prefix_table lpm6 = {.create = lpm6_create,
	.free = lpm6_free,
	.add = lpm6_add,
	.del = lpm6_del,
	.find = lpm6_find};

const struct structure lpm_ip6 = PREFIXES("rte_lpm6", false, LPM6_MAX, &lpm6);
