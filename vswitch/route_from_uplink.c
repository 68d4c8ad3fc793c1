// Where a frame from the wire goes that came neither through a tunnel nor was answered: to a local
// underlay pod, or to the host as it is.
#include "vswitch/packet.h"
#include "vswitch/stages.h"

static bool is_for_pod(const struct burst *b, struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);
	const struct route *r = p->route;

	return is_ip(p) && !is_neighbour(p) && r != NULL && r->kind == ROUTE_LOCAL_POD &&
	       !r->overlay && r->vlan == p->vlan &&
	       mac_equal(&eth_of(m)->dst_addr, &b->node->uplink_mac);
}

static bool is_for_host(const struct burst *b, struct rte_mbuf *m)
{
	const struct node *node = b->node;
	const struct rte_ether_addr *dst = &eth_of(m)->dst_addr;

	if (!node->carries_host || pkt(m)->vlan != 0)
		return false;
	return rte_is_multicast_ether_addr(dst) || mac_equal(dst, &node->uplink_mac) ||
	       mac_equal(dst, &node->host_mac);
}

// Why nobody wants it.
static enum drop_reason reason(const struct pkt *p)
{
	if (is_neighbour(p))
		return DROP_ARP_IGNORED;
	if ((p->flags & PKT_GROUP) != 0)
		return DROP_MULTICAST;
	return (p->flags & PKT_OTHER) != 0 ? DROP_UNKNOWN_ETHERTYPE : DROP_NOT_FOR_US;
}

static bool decide(struct burst *b, struct rte_mbuf *m)
{
	struct pkt *p = pkt(m);

	if (p->way != WAY_UNDECIDED || (p->flags & PKT_TUNNEL) != 0)
		return true;
	if (is_for_pod(b, m)) {
		send_by(b, p, WAY_POD, p->route->nexthop);
		return true;
	}
	if (!is_for_host(b, m))
		return burst_drop(b, m, reason(p));
	if (b->node->host == VPORT_NONE)
		return burst_drop(b, m, DROP_NO_HOST);
	burst_send(b, p, WAY_AS_IS);
	p->out = b->node->host;
	return true;
}

void route_from_uplink(struct burst *b)
{
	burst_filter(b, decide);
}
