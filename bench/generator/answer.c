#include "answer.h"

#include <rte_arp.h>
#include <rte_ip.h>

#include <netinet/icmp6.h>
#include <string.h>

struct neighbour_advert {
	struct nd_neighbor_advert na;
	struct nd_opt_hdr option;
	struct rte_ether_addr mac;
} __attribute__((packed, aligned(2)));

// Returns the offset of what follows the Ethernet header and its tag, and its type.
static uint16_t payload_of(struct rte_mbuf *m, uint16_t *ret_type)
{
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct rte_vlan_hdr *tag = (void *)(eth + 1);
	uint16_t type = rte_be_to_cpu_16(eth->ether_type);

	*ret_type = type == RTE_ETHER_TYPE_VLAN ? rte_be_to_cpu_16(tag->eth_proto) : type;
	return sizeof(*eth) + (type == RTE_ETHER_TYPE_VLAN ? sizeof(*tag) : 0);
}

static bool answer_arp(struct rte_mbuf *m, uint16_t at, const struct rte_ether_addr *mac)
{
	struct rte_arp_hdr *arp = rte_pktmbuf_mtod_offset(m, struct rte_arp_hdr *, at);
	rte_be32_t asked;

	if (m->data_len < at + sizeof(*arp) ||
		arp->arp_opcode != rte_cpu_to_be_16(RTE_ARP_OP_REQUEST))
		return false;
	asked = arp->arp_data.arp_tip;
	if (asked == arp->arp_data.arp_sip) // an announcement
		return false;
	arp->arp_opcode = rte_cpu_to_be_16(RTE_ARP_OP_REPLY);
	arp->arp_data.arp_tha = arp->arp_data.arp_sha;
	arp->arp_data.arp_tip = arp->arp_data.arp_sip;
	arp->arp_data.arp_sha = *mac;
	arp->arp_data.arp_sip = asked;
	return true;
}

static bool answer_solicitation(struct rte_mbuf *m, uint16_t at, const struct rte_ether_addr *mac)
{
	struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv6_hdr *, at);
	struct neighbour_advert *a = (void *)(ip + 1);
	uint16_t len = (uint16_t)(at + sizeof(*ip) + sizeof(*a));

	if (m->data_len < len || ip->proto != IPPROTO_ICMPV6 ||
		a->na.nd_na_type != ND_NEIGHBOR_SOLICIT)
		return false;
	if (IN6_IS_ADDR_UNSPECIFIED((struct in6_addr *)ip->src_addr)) // is the address taken?
		return false;
	memcpy(ip->dst_addr, ip->src_addr, sizeof(ip->dst_addr));
	memcpy(ip->src_addr, &a->na.nd_na_target, sizeof(ip->src_addr));
	ip->payload_len = rte_cpu_to_be_16(sizeof(*a));
	a->na.nd_na_type = ND_NEIGHBOR_ADVERT;
	a->na.nd_na_code = 0;
	a->na.nd_na_cksum = 0;
	a->na.nd_na_flags_reserved = ND_NA_FLAG_SOLICITED | ND_NA_FLAG_OVERRIDE;
	a->option.nd_opt_type = ND_OPT_TARGET_LINKADDR;
	a->option.nd_opt_len = 1;
	a->mac = *mac;
	a->na.nd_na_cksum = rte_ipv6_udptcp_cksum(ip, a);
	m->data_len = len;
	m->pkt_len = len;
	return true;
}

bool answer_neighbour(struct rte_mbuf *m, const struct rte_ether_addr *mac)
{
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	uint16_t type, at;
	bool answered = false;

	if (m->nb_segs != 1 || m->data_len < sizeof(*eth) + sizeof(struct rte_vlan_hdr))
		return false;
	at = payload_of(m, &type);
	if (type == RTE_ETHER_TYPE_ARP)
		answered = answer_arp(m, at, mac);
	else if (type == RTE_ETHER_TYPE_IPV6)
		answered = answer_solicitation(m, at, mac);
	if (answered) {
		eth->dst_addr = eth->src_addr;
		eth->src_addr = *mac;
	}
	return answered;
}
