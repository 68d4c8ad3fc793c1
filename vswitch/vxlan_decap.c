// Unwrap what comes to this node's tunnel end point. The inner frame takes the packet's place,
// parsed anew; where it came from is kept, so that answers can go back the same way.
#include "vswitch/packet.h"
#include "vswitch/parse.h"
#include "vswitch/stages.h"

#define VXLAN_FLAGS 0x08 // a VNI is there, and nothing that would change how to read the packet

// What must be remembered of the outer headers.
struct came_by {
	struct in6_addr src;
	struct rte_ether_addr mac;
	uint16_t vlan;
	uint8_t tos;
};

static bool is_for_vtep(const struct burst *b, struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);
	const struct node *node = b->node;

	// proto and l4_off are 0 for what is no IP.
	if (p->proto != IPPROTO_UDP || p->l4_off == 0)
		return false;
	const struct rte_udp_hdr *udp = l4_of(m);
	const struct in6_addr *own = (p->flags & PKT_IPV6) != 0 ? &node->vtep6 : &node->vtep4;
	// Of a family without an end point own is ::, which is nobody's.
	return udp->dst_port == rte_cpu_to_be_16(node->vxlan_port) && addr_equal(&p->dst, own) &&
	       mac_equal(&eth_of(m)->dst_addr, &node->uplink_mac) && !addr_is_none(own);
}

// Checks the outer headers and strips them.
static enum drop_reason strip(const struct node *node, struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);
	const struct rte_udp_hdr *udp = l4_of(m);
	const struct rte_vxlan_hdr *vxlan = (const void *)(udp + 1);
	uint16_t headers = (uint16_t)(p->l4_off + sizeof(*udp) + sizeof(*vxlan));
	uint32_t len = rte_be_to_cpu_16(udp->dgram_len);

	if ((p->flags & PKT_FRAGMENT) != 0)
		return DROP_TUNNEL_FRAGMENT;
	if (m->data_len < headers || len < sizeof(*udp) + sizeof(*vxlan) ||
		!parse_cut(m, p->l4_off + len))
		return DROP_MALFORMED;
	uint32_t vni = rte_be_to_cpu_32(vxlan->vx_vni) >> 8;
	if (!node->has_vni || vni != node->vni || vxlan->vx_flags != RTE_BE32(VXLAN_FLAGS << 24))
		return DROP_UNKNOWN_VNI;
	(void)rte_pktmbuf_adj(m, headers); // data_len was checked
	return PARSED;
}

static void set_tos(struct rte_mbuf *m, uint8_t tos)
{
	struct pkt *p = pkt(m);

	if ((p->flags & PKT_IPV6) != 0) {
		ip6_of(m)->vtc_flow ^= rte_cpu_to_be_32((uint32_t)(p->tos ^ tos) << 20);
	} else {
		struct rte_ipv4_hdr *ip = ip4_of(m);
		ip->hdr_checksum = checksum_change(
			ip->hdr_checksum, rte_cpu_to_be_16(p->tos), rte_cpu_to_be_16(tos));
		ip->type_of_service = tos;
	}
	p->tos = tos;
}

// The ECN field of a packet that leaves a tunnel: RFC 6040, section 4.2. False: drop it.
static bool merge_ecn(struct rte_mbuf *m, uint8_t outer_tos)
{
	uint8_t inner_ecn = pkt(m)->tos & RTE_IPV4_HDR_ECN_MASK;
	uint8_t outer_ecn = outer_tos & RTE_IPV4_HDR_ECN_MASK;
	bool is_ect1 = outer_ecn == 1 && inner_ecn == 2;

	if (!is_ip(pkt(m)))
		return true;
	if (outer_ecn == RTE_IPV4_HDR_ECN_CE && inner_ecn == 0)
		return false;
	if ((outer_ecn == RTE_IPV4_HDR_ECN_CE && inner_ecn != outer_ecn) || is_ect1)
		set_tos(m, (uint8_t)((pkt(m)->tos & ~RTE_IPV4_HDR_ECN_MASK) | outer_ecn));
	return true;
}

static bool decap(struct burst *b, struct rte_mbuf *m)
{
	struct pkt *p = pkt(m);

	if (!is_for_vtep(b, m))
		return true;
	const struct came_by outer = {
		.src = p->src, .mac = eth_of(m)->src_addr, .vlan = p->vlan, .tos = p->tos};

	enum drop_reason why = strip(b->node, m);
	if (why == PARSED)
		why = parse_frame(m);
	if (why != PARSED)
		return burst_drop(b, m, why);
	if (p->l3_off != RTE_ETHER_HDR_LEN) // tags have no meaning in an Overlay Network
		return burst_drop(b, m, DROP_UNKNOWN_VLAN);
	if (!merge_ecn(m, outer.tos))
		return burst_drop(b, m, DROP_ECN_INVALID);

	p->flags |= PKT_TUNNEL;
	b->seen |= p->flags;
	p->peer = outer.src;
	p->peer_mac = outer.mac;
	p->peer_vlan = outer.vlan;
	return true;
}

void vxlan_decap(struct burst *b)
{
	burst_filter(b, decap);
}
