// ARP replies and neighbour advertisements, made in place from the request.
#include "vswitch/neighbour.h"

#include "vswitch/packet.h"

static const struct rte_ether_addr all_nodes_mac = {.addr_bytes = {0x33, 0x33, 0, 0, 0, 1}};
static const uint8_t all_nodes[16] = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

static bool answer_arp(struct burst *b, struct rte_mbuf *m)
{
	struct rte_arp_ipv4 *arp = &arp_of(m)->arp_data;
	rte_be32_t asked = arp->arp_tip;

	arp_of(m)->arp_opcode = RTE_BE16(RTE_ARP_OP_REPLY);
	arp->arp_tha = arp->arp_sha;
	arp->arp_tip = arp->arp_sip;
	arp->arp_sha = own_mac(b, pkt(m));
	arp->arp_sip = asked;
	send_back(b, m);
	return true;
}

// Makes the message exactly as long as an advertisement with one option.
static bool set_nd_len(struct rte_mbuf *m, uint16_t len)
{
	uint16_t now = (uint16_t)(m->pkt_len - pkt(m)->l4_off);

	if (now > len)
		return rte_pktmbuf_trim(m, (uint16_t)(now - len)) == 0;
	return now == len || rte_pktmbuf_append(m, (uint16_t)(len - now)) != NULL;
}

static bool answer_nd(struct burst *b, struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);
	const uint16_t len = sizeof(struct nd_hdr) + sizeof(struct nd_option);

	if (!set_nd_len(m, len))
		return burst_drop(b, m, DROP_NO_HEADROOM);
	send_back(b, m);

	struct rte_ipv6_hdr *ip = ip6_of(m);
	struct nd_hdr *nd = nd_of(m);
	struct nd_option *option = (struct nd_option *)(nd + 1);

	// Pods must take the switch for a router, or Linux removes its default route.
	nd->flags = ND_OVERRIDE | (b->in->kind == VPORT_UPLINK ? 0 : ND_ROUTER);
	if (addr_is_unspecified(&p->src)) { // a probe for duplicates: all must hear the answer
		memcpy(ip->dst_addr, all_nodes, sizeof(all_nodes));
		eth_of(m)->dst_addr = all_nodes_mac;
	} else {
		memcpy(ip->dst_addr, ip->src_addr, sizeof(ip->src_addr));
		nd->flags |= ND_SOLICITED;
	}
	memcpy(ip->src_addr, nd->target, sizeof(nd->target));
	ip->payload_len = rte_cpu_to_be_16(len);
	option->type = ND_OPTION_TARGET;
	option->len = 1;
	option->mac = own_mac(b, p);
	nd->type = ICMP6_NEIGHBOUR_ADVERTISEMENT;
	nd->checksum = 0;
	nd->checksum = rte_ipv6_udptcp_cksum(ip, nd);
	return true;
}

bool neighbour_answer(struct burst *b, struct rte_mbuf *m)
{
	return (pkt(m)->flags & PKT_ARP) != 0 ? answer_arp(b, m) : answer_nd(b, m);
}
