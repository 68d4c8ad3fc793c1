// Find the route of each packet's destination (of ARP and neighbour discovery: of the address in
// question), all in one bulk look-up so that cache misses overlap.
#include "vswitch/stages.h"

static_assert(BURST_MAX <= RTE_HASH_LOOKUP_BULK_MAX);

void route_lookup(struct burst *b)
{
	struct pkt *wanted[BURST_MAX];
	const void *keys[BURST_MAX];
	void *routes[BURST_MAX];
	uint64_t hits = 0;
	uint32_t n = 0;

	for (uint16_t i = 0; i < b->n; i++) {
		struct pkt *p = pkt(b->pkt[i]);
		if (p->way != WAY_UNDECIDED || (p->flags & PKT_OTHER) != 0)
			continue;
		wanted[n] = p;
		keys[n++] = &p->dst;
	}
	if (n == 0)
		return;
	(void)rte_hash_lookup_bulk_data(b->tab->routes, keys, n, &hits, routes);
	for (uint32_t i = 0; i < n; i++)
		wanted[i]->route = (hits >> i & 1) != 0 ? routes[i] : NULL;
}
