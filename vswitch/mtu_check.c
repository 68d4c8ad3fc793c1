// Nothing leaves that is longer than its way allows.
#include "vswitch/packet.h"
#include "vswitch/stages.h"

// What a tunnel puts between the outer link's MTU and the inner packet.
#define TUNNEL_LEN4                                                                                \
	(sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_udp_hdr) + sizeof(struct rte_vxlan_hdr) + \
		RTE_ETHER_HDR_LEN)
#define TUNNEL_LEN6 (TUNNEL_LEN4 - sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_ipv6_hdr))
static_assert(TUNNEL_LEN4 == 50 && TUNNEL_LEN6 == 70);

static uint32_t mtu(const struct burst *b, const struct pkt *p)
{
	switch ((enum way)p->way) {
	case WAY_POD: {
		const struct vport *to = atomic_load_explicit(
			&b->tab->vports[p->nexthop->port], memory_order_acquire);
		return to != NULL ? to->mtu : 0;
	}
	case WAY_NEIGHBOUR:
		return b->node->uplink_mtu;
	case WAY_TUNNEL:
		return b->node->uplink_mtu -
		       (uint32_t)(addr_is_ip4(&p->nexthop->remote) ? TUNNEL_LEN4 : TUNNEL_LEN6);
	default:
		return UINT32_MAX;
	}
}

static bool check(struct burst *b, struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);
	uint32_t limit = mtu(b, p);

	if (limit == 0)
		return burst_drop(b, m, DROP_PORT_DOWN);
	return l3_len(m, p) <= limit || burst_drop(b, m, DROP_TOO_BIG);
}

void mtu_check(struct burst *b)
{
	burst_filter(b, check);
}
