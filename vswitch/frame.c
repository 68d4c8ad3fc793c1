// Put the Ethernet header on that the packet's way asks for, and say which port it leaves by. What
// is complete already keeps its header.
#include "vswitch/packet.h"
#include "vswitch/stages.h"

// Sets everything but for WAY_TUNNEL's headers, for whose inner one it makes room. False if the buffer has no room.
static bool dress(const struct burst *b, struct rte_mbuf *m)
{
	struct pkt *p = pkt(m);
	const struct node *node = b->node;
	const struct nexthop *nh = p->nexthop;

	switch ((enum way)p->way) {
	case WAY_POD:
		p->out = nh->port;
		return ether_set(m, &nh->dst, &GATEWAY_MAC, 0);
	case WAY_NEIGHBOUR:
		p->out = node->uplink;
		return ether_set(m, &nh->dst, &node->uplink_mac, nh->vlan);
	case WAY_TUNNEL:
		p->out = node->uplink;
		return p->l3_off == RTE_ETHER_HDR_LEN || ether_resize(m, RTE_ETHER_HDR_LEN);
	case WAY_HOST:
		p->out = node->host;
		return ether_set(m, &node->host_mac, &GATEWAY_MAC, 0);
	case WAY_BACK:
		p->out = b->in->index;
		return true;
	default: // WAY_AS_IS
		return true;
	}
}

static bool frame_one(struct burst *b, struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);

	if (!dress(b, m))
		return burst_drop(b, m, DROP_NO_HEADROOM);
	if (p->out == VPORT_NONE)
		return burst_drop(b, m, p->way == WAY_HOST ? DROP_NO_HOST : DROP_NO_UPLINK);
	return true;
}

void frame(struct burst *b)
{
	burst_filter(b, frame_one);
}
