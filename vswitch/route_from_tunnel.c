// Where a packet goes that came out of a tunnel: to a local pod of either kind or to this node
// itself, never on to anywhere else.
#include "vswitch/packet.h"
#include "vswitch/stages.h"

static bool decide(struct burst *b, struct rte_mbuf *m)
{
	struct pkt *p = pkt(m);
	const struct route *r = p->route;

	if (p->way != WAY_UNDECIDED || (p->flags & PKT_TUNNEL) == 0)
		return true;
	if ((p->flags & PKT_OTHER) != 0)
		return burst_drop(b, m, DROP_UNKNOWN_ETHERTYPE);
	if ((p->flags & PKT_GROUP) != 0 || addr_is_multicast(&p->dst))
		return burst_drop(b, m, DROP_MULTICAST);
	if (r != NULL && r->kind == ROUTE_LOCAL_POD) {
		send_by(b, p, WAY_POD, r->nexthop);
		return true;
	}
	if (r != NULL && r->kind == ROUTE_NODE_SELF) {
		burst_send(b, p, WAY_HOST);
		return true;
	}
	return burst_drop(b, m, DROP_NOT_FOR_US);
}

void route_from_tunnel(struct burst *b)
{
	if ((b->seen & PKT_TUNNEL) != 0)
		burst_filter(b, decide);
}
