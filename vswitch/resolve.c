// Make sure that the next hop can be used. A neighbour whose MAC address is not known yet is asked
// for by the control thread; its packets are dropped meanwhile, not kept.
#include "vswitch/packet.h"
#include "vswitch/stages.h"

static bool want(struct burst *b, struct rte_mbuf *m, const struct nexthop *nh)
{
	const struct pkt *p = pkt(m);
	struct punt *punt = burst_punt(b);

	if (punt != NULL)
		*punt = (struct punt){.kind = PUNT_NEIGHBOUR_WANTED,
			.vlan = nh != NULL ? nh->vlan : b->subnets->subnet[p->subnet].vlan,
			.ip = nh != NULL ? nh->remote : p->dst,
			.subnet = p->subnet,
			.nexthop = nh != NULL ? nh->id : NEXTHOP_NONE};
	return burst_drop(b, m, DROP_NEIGHBOUR_PENDING);
}

static bool resolve_one(struct burst *b, struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);
	const struct nexthop *nh = p->nexthop;

	if (p->way != WAY_POD && p->way != WAY_TUNNEL && p->way != WAY_NEIGHBOUR)
		return true;
	if (nh == NULL)
		return p->way == WAY_NEIGHBOUR ? want(b, m, NULL) : burst_drop(b, m, DROP_NO_ROUTE);
	if (nh->kind == nexthop_kind_of(p->way))
		return true;
	switch (nh->kind) {
	case NEXTHOP_UNRESOLVED:
		return want(b, m, nh);
	case NEXTHOP_FAILED:
		return burst_refuse(b, m, DROP_NEIGHBOUR_FAILED, REFUSAL_HOST_UNREACHABLE);
	default:
		return burst_drop(b, m, DROP_NO_ROUTE);
	}
}

void resolve(struct burst *b)
{
	if (b->is_unresolved)
		burst_filter(b, resolve_one);
}
