// rte_lpm and rte_lpm6, the older of DPDK's longest-prefix tables, with host routes only.
#include "bench/structures/lines.h"

#include <rte_lpm.h>
#include <rte_lpm6.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "vswitch/addr.h"

#define LPM_MAX 100000 // each addition looks through all rules
#define LPM6_MAX ((1u << 21) - 1) // its next hops have 21 bits

struct lpm {
	struct entries entries;
	struct rte_lpm *ip4;
	struct rte_lpm6 *ip6;
	struct line *lines;
	uint32_t addr4[BURST_MAX]; // reader's
	uint8_t addr6[BURST_MAX][16];
};

static void lpm_free(void *arg)
{
	struct lpm *s = arg;

	rte_lpm_free(s->ip4);
	rte_lpm6_free(s->ip6);
	rte_free(s->lines);
	free(s);
}

static bool create(struct lpm *s)
{
	static unsigned serial; // EAL keeps them by name
	char name[32];
	(void)snprintf(name, sizeof(name), "compared%u", serial++);
	uint32_t max_rules = s->entries.n + N_CHANGING;
	uint32_t n_groups = entry_groups(&s->entries);

	if (!s->entries.is_ip6) {
		const struct rte_lpm_config conf = {
			.max_rules = max_rules, .number_tbl8s = n_groups};
		s->ip4 = rte_lpm_create(name, SOCKET_ID_ANY, &conf);
		return s->ip4 != NULL;
	}
	const struct rte_lpm6_config conf = {.max_rules = max_rules, .number_tbl8s = n_groups};
	s->ip6 = rte_lpm6_create(name, SOCKET_ID_ANY, &conf);
	return s->ip6 != NULL;
}

static void *lpm_new(const struct entries *e, struct rcu *)
{
	struct lpm *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;

	s->entries = *e;
	s->lines = lines_new(e);
	if (s->lines == NULL || !create(s)) {
		lpm_free(s);
		return NULL;
	}
	return s;
}

static int lpm_put(void *arg, uint32_t i, uint32_t number)
{
	struct lpm *s = arg;
	struct in6_addr addr = entry_addr(&s->entries, i);
	uint32_t line = line_put(s->lines, &s->entries, i, number);

	if (s->ip4 != NULL)
		return rte_lpm_add(s->ip4, ntohl(addr_ip4(&addr)), 32, line);
	return rte_lpm6_add(s->ip6, addr.s6_addr, 128, line);
}

static void lpm_del(void *arg, uint32_t i)
{
	struct lpm *s = arg;
	struct in6_addr addr = entry_addr(&s->entries, i);

	if (s->ip4 != NULL)
		(void)rte_lpm_delete(s->ip4, ntohl(addr_ip4(&addr)), 32);
	else
		(void)rte_lpm6_delete(s->ip6, addr.s6_addr, 128);
}

static void lpm_load(void *arg, const uint32_t *i)
{
	struct lpm *s = arg;

	for (uint32_t k = 0; k < BURST_MAX; k++) {
		struct in6_addr addr = entry_addr(&s->entries, i[k]);

		s->addr4[k] = ntohl(addr_ip4(&addr));
		memcpy(s->addr6[k], &addr, sizeof(addr));
	}
}

static void lpm_find4(const struct lpm *s, uint32_t *ret_lines)
{
	uint32_t found[BURST_MAX];

	(void)rte_lpm_lookup_bulk(s->ip4, s->addr4, found, BURST_MAX);
	for (uint32_t k = 0; k < BURST_MAX; k++)
		ret_lines[k] = (found[k] & RTE_LPM_LOOKUP_SUCCESS) != 0 ? found[k] & 0xffffff : 0;
}

static void lpm_find6(struct lpm *s, uint32_t *ret_lines)
{
	int32_t found[BURST_MAX];

	(void)rte_lpm6_lookup_bulk_func(s->ip6, s->addr6, found, BURST_MAX);
	for (uint32_t k = 0; k < BURST_MAX; k++)
		ret_lines[k] = found[k] < 0 ? 0 : (uint32_t)found[k];
}

static void lpm_find(void *arg, uint32_t *ret_numbers)
{
	struct lpm *s = arg;
	uint32_t lines[BURST_MAX];

	if (s->ip4 != NULL)
		lpm_find4(s, lines);
	else
		lpm_find6(s, lines);
	for (uint32_t k = 0; k < BURST_MAX; k++)
		ret_numbers[k] = s->lines[lines[k]].route.nexthop;
}

#define LPM(name_, ip4_, n_max_)                                                                   \
	{                                                                                          \
		.name = name_, .ip4 = ip4_, .ip6 = !(ip4_), .has_addresses = true,                 \
		.n_max = n_max_, .new = lpm_new, .free = lpm_free, .put = lpm_put, .del = lpm_del, \
		.load = lpm_load, .find = lpm_find                                                 \
	}

const struct structure lpm_ip4 = LPM("rte_lpm", true, LPM_MAX);
const struct structure lpm_ip6 = LPM("rte_lpm6", false, LPM6_MAX);
