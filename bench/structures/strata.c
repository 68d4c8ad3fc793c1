// The data plane's own tables, through the functions that it uses itself.
#include "bench/structures/structure.h"

#include <rte_malloc.h>

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include "vswitch/rcu.h"
#include "vswitch/stages.h"
#include "vswitch/tables.h"

#define N_SUBNETS_MAX 1000
#define SUBNET_BITS 8 // of hosts in each

// A packet as the stages see it after `parse`.
struct packet {
	struct rte_mbuf mbuf;
	struct pkt pkt;
};

struct strata {
	struct entries entries;
	struct tables *tables;
	struct packet *packets; // reader's, as all below
	struct burst burst;
	struct in6_addr addr[BURST_MAX];
	uint32_t id[BURST_MAX];
	// control's: what was put in
	uint32_t *nexthops;
	struct subnet *subnets;
	uint32_t n_subnets;
};

static void strata_free(void *arg)
{
	struct strata *s = arg;

	tables_free(s->tables);
	rte_free(s->packets);
	free(s->nexthops);
	free(s->subnets);
	free(s);
}

static struct strata *strata_new(const struct entries *e, uint32_t n_routes, struct rcu *rcu)
{
	struct strata *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;

	s->entries = *e;
	s->tables = tables_new(n_routes, rcu);
	s->packets = rte_zmalloc(NULL, BURST_MAX * sizeof(*s->packets), RTE_CACHE_LINE_SIZE);
	s->nexthops = calloc(e->n + N_CHANGING, sizeof(*s->nexthops));
	s->subnets = calloc(N_SUBNETS_MAX + N_CHANGING, sizeof(*s->subnets));
	if (s->tables == NULL || s->packets == NULL || s->nexthops == NULL || s->subnets == NULL) {
		strata_free(s);
		return NULL;
	}
	s->burst.tab = s->tables;
	s->burst.n = BURST_MAX;
	for (uint32_t i = 0; i < BURST_MAX; i++) {
		s->packets[i].mbuf.priv_size = sizeof(struct pkt);
		s->burst.pkt[i] = &s->packets[i].mbuf;
	}
	return s;
}

// ── Routes ─────────────────────────────────────────────────────────────────────────────────────

static void *routes_new(const struct structure *, const struct entries *e, struct rcu *rcu)
{
	return strata_new(e, e->n + N_CHANGING, rcu);
}

static int routes_put(void *arg, uint32_t i, uint32_t number)
{
	struct strata *s = arg;
	const struct route r = {
		.addr = entry_addr(&s->entries, i), .kind = ROUTE_LOCAL_POD, .nexthop = number};

	return tables_put_route(s->tables, &r);
}

static void routes_del(void *arg, uint32_t i)
{
	struct strata *s = arg;
	struct in6_addr addr = entry_addr(&s->entries, i);

	tables_del_route(s->tables, &addr);
}

static void routes_load(void *arg, const uint32_t *i)
{
	struct strata *s = arg;

	for (uint32_t k = 0; k < BURST_MAX; k++) {
		struct pkt *p = pkt(s->burst.pkt[k]);

		pkt_init(p, 0);
		p->dst = entry_addr(&s->entries, i[k]);
	}
}

static void routes_find(void *arg, uint32_t *ret_numbers)
{
	struct strata *s = arg;

	route_lookup(&s->burst);
	for (uint32_t k = 0; k < BURST_MAX; k++) {
		const struct route *r = pkt(s->burst.pkt[k])->route;
		ret_numbers[k] = r != NULL ? r->nexthop : 0;
	}
}

const struct structure strata_routes = {.name = "strata routes",
	.ip4 = true,
	.ip6 = true,
	.has_addresses = true,
	.is_safe = true,
	.n_max = UINT32_MAX,
	.new = routes_new,
	.free = strata_free,
	.put = routes_put,
	.del = routes_del,
	.load = routes_load,
	.find = routes_find};

// ── Next hops, and with them neighbours: found by their slot ───────────────────────────────────

static void *nexthops_new(const struct structure *, const struct entries *e, struct rcu *rcu)
{
	return strata_new(e, N_CHANGING, rcu); // that it has no use for
}

static int nexthops_put(void *arg, uint32_t i, uint32_t number)
{
	struct strata *s = arg;
	const struct nexthop nh = {.kind = NEXTHOP_NEIGHBOUR, .remote.s6_addr32[3] = number};
	uint32_t *id = &s->nexthops[i];

	return *id == NEXTHOP_NONE ? tables_add_nexthop(s->tables, &nh, id)
				   : tables_set_nexthop(s->tables, *id, &nh);
}

static void nexthops_del(void *arg, uint32_t i)
{
	struct strata *s = arg;

	tables_del_nexthop(s->tables, s->nexthops[i]);
	s->nexthops[i] = NEXTHOP_NONE;
}

static void nexthops_load(void *arg, const uint32_t *i)
{
	struct strata *s = arg;

	for (uint32_t k = 0; k < BURST_MAX; k++)
		s->id[k] = s->nexthops[i[k]];
}

static void nexthops_find(void *arg, uint32_t *ret_numbers)
{
	struct strata *s = arg;

	for (uint32_t k = 0; k < BURST_MAX; k++) {
		const struct nexthop *nh =
			atomic_load_explicit(&s->tables->nexthops[s->id[k]], memory_order_acquire);
		ret_numbers[k] = nh != NULL ? nh->remote.s6_addr32[3] : 0;
	}
}

const struct structure strata_nexthops = {.name = "strata next hops",
	.ip4 = true,
	.is_safe = true,
	.n_max = NEXTHOP_MAX - 1 - 2 * N_CHANGING, // those on their way out keep their slot
	.new = nexthops_new,
	.free = strata_free,
	.put = nexthops_put,
	.del = nexthops_del,
	.load = nexthops_load,
	.find = nexthops_find};

// ── Subnets: replaced all together ─────────────────────────────────────────────────────────────

static int subnets_publish(struct strata *s)
{
	return tables_set_subnets(s->tables, s->subnets, s->n_subnets);
}

static int subnets_put(void *arg, uint32_t i, uint32_t number)
{
	struct strata *s = arg;

	s->subnets[i] = (struct subnet){.prefix = entry_addr(&s->entries, i << SUBNET_BITS),
		.prefix_len = 128 - SUBNET_BITS,
		.gateway = number};
	s->n_subnets = RTE_MAX(s->n_subnets, i + 1);
	return subnets_publish(s);
}

static void subnets_del(void *arg, uint32_t i)
{
	struct strata *s = arg;

	s->subnets[i] = (struct subnet){0};
	(void)subnets_publish(s);
}

static void subnets_load(void *arg, const uint32_t *i)
{
	struct strata *s = arg;

	for (uint32_t k = 0; k < BURST_MAX; k++)
		s->addr[k] = entry_addr(&s->entries, (i[k] << SUBNET_BITS) + k);
}

static void subnets_find_all(void *arg, uint32_t *ret_numbers)
{
	struct strata *s = arg;
	const struct subnets *all = atomic_load_explicit(&s->tables->subnets, memory_order_acquire);

	for (uint32_t k = 0; k < BURST_MAX; k++) {
		const struct subnet *found = subnets_find(all, &s->addr[k]);
		ret_numbers[k] = found != NULL ? found->gateway : 0;
	}
}

const struct structure strata_subnets = {.name = "strata Subnets",
	.ip4 = true,
	.ip6 = true,
	.has_addresses = true,
	.is_dense = true,
	.is_safe = true,
	.n_max = N_SUBNETS_MAX,
	.new = nexthops_new,
	.free = strata_free,
	.put = subnets_put,
	.del = subnets_del,
	.load = subnets_load,
	.find = subnets_find_all};
