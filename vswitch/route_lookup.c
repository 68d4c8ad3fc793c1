// Find the route of each packet's destination (of ARP and neighbour discovery: of the address in
// question), all in one bulk look-up so that cache misses overlap. Packets in a row to one address
// share one look-up: the usual burst is of few flows.
#include "vswitch/addr.h"
#include "vswitch/stages.h"

void route_lookup(struct burst *b)
{
	struct pkt *wanted[BURST_MAX];
	uint8_t key_of[BURST_MAX];
	const struct in6_addr *keys[BURST_MAX];
	const struct route *routes[BURST_MAX];
	const struct in6_addr *last = NULL;
	uint32_t n = 0, n_keys = 0;

	for (uint16_t i = 0; i < b->n; i++) {
		struct pkt *p = pkt(b->pkt[i]);
		if (p->way != WAY_UNDECIDED)
			continue;
		if ((p->flags & PKT_OTHER) != 0) {
			b->has_stranger = true;
			continue;
		}
		if (n_keys == 0 || !addr_equal(&p->dst, last)) {
			last = &p->dst;
			keys[n_keys++] = last;
		}
		key_of[n] = (uint8_t)(n_keys - 1);
		wanted[n++] = p;
	}
	if (n == 0)
		return;
	if (!route_table_find(b->tab->routes, keys, n_keys, routes))
		b->has_stranger = true;
	for (uint32_t i = 0; i < n; i++)
		wanted[i]->route = routes[key_of[i]];
}
