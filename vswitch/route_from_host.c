// Where a frame from the host goes: what is sent to the virtual gateway is routed to a pod or a
// node, all else is the host's own traffic with the wire.
#include "vswitch/packet.h"
#include "vswitch/stages.h"

static bool unchanged(struct burst *b, struct rte_mbuf *m)
{
	struct pkt *p = pkt(m);

	if (!b->node->carries_host)
		return burst_drop(
			b, m, (p->flags & PKT_GROUP) != 0 ? DROP_MULTICAST : DROP_NOT_FOR_US);
	if (b->node->uplink == VPORT_NONE)
		return burst_drop(b, m, DROP_NO_UPLINK);
	burst_send(b, p, WAY_AS_IS);
	p->out = b->node->uplink;
	return true;
}

static bool route(struct burst *b, struct rte_mbuf *m)
{
	struct pkt *p = pkt(m);
	const struct route *r = p->route;

	if (r == NULL || r->kind == ROUTE_RESERVED) {
		const struct subnet *s = subnets_find(b->subnets, &p->dst);
		if (s != NULL && s->overlay)
			return burst_refuse(b, m, DROP_NO_SUCH_POD, REFUSAL_HOST_UNREACHABLE);
		return burst_refuse(b, m, DROP_NO_ROUTE, REFUSAL_NO_ROUTE);
	}
	bool has_tunnel =
		r->kind == ROUTE_NODE_OTHER || (r->kind == ROUTE_REMOTE_POD && r->overlay);
	if (r->kind == ROUTE_LOCAL_POD)
		send_by(b, p, WAY_POD, r->nexthop);
	else if (has_tunnel && r->nexthop != NEXTHOP_NONE)
		send_by(b, p, WAY_TUNNEL, r->nexthop);
	else
		return burst_refuse(b, m, DROP_NO_ROUTE, REFUSAL_NO_ROUTE);
	return true;
}

static bool decide(struct burst *b, struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);

	if (p->way != WAY_UNDECIDED)
		return true;
	if (!rte_is_same_ether_addr(&eth_of(m)->dst_addr, &GATEWAY_MAC))
		return unchanged(b, m);
	if (is_neighbour(p))
		return burst_drop(b, m, DROP_ARP_IGNORED);
	if (!is_ip(p))
		return burst_drop(b, m, DROP_UNKNOWN_ETHERTYPE);
	return route(b, m);
}

void route_from_host(struct burst *b)
{
	burst_filter(b, decide);
}
