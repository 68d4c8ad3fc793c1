// Pods exchange unicast only. Addresses that no router may forward to, and which thus have no route, end
// here as well.
#include "vswitch/packet.h"
#include "vswitch/stages.h"

static bool check(struct burst *b, struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);

	if (p->way != WAY_UNDECIDED)
		return true;
	if ((p->flags & PKT_GROUP) != 0 || addr_is_multicast(&p->dst))
		return burst_drop(b, m, DROP_MULTICAST);
	if (addr_is_unspecified(&p->dst) || addr_is_loopback(&p->dst) ||
		addr_is_link_local(&p->dst))
		return burst_drop(b, m, DROP_NO_ROUTE);
	return true;
}

void unicast_only(struct burst *b)
{
	if (b->has_stranger || (b->seen & PKT_GROUP) != 0)
		burst_filter(b, check);
}
