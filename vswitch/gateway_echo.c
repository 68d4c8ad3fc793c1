// The virtual gateway answers ping, from pods and from the host, and nothing else.
#include "vswitch/packet.h"
#include "vswitch/stages.h"

static bool is_echo_request(struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);
	bool is_ip6 = (p->flags & PKT_IPV6) != 0;

	if (p->l4_off == 0 || (p->flags & (PKT_FRAGMENT | PKT_GROUP)) != 0)
		return false;
	if (p->proto != (is_ip6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP)) // nothing may be there to read
		return false;
	return *(const uint8_t *)l4_of(m) == (is_ip6 ? ICMP6_ECHO_REQUEST : ICMP4_ECHO_REQUEST);
}

// Exchanging the addresses leaves all checksums as they are; type and TTL do not.
static void reply(struct burst *b, struct rte_mbuf *m)
{
	struct rte_icmp_hdr *icmp = l4_of(m);
	uint8_t old = icmp->icmp_type;

	if ((pkt(m)->flags & PKT_IPV6) != 0) {
		struct rte_ipv6_hdr *ip = ip6_of(m);
		struct in6_addr gateway = addr_of_ip6(ip->dst_addr);
		memcpy(ip->dst_addr, ip->src_addr, sizeof(ip->src_addr));
		memcpy(ip->src_addr, &gateway, sizeof(ip->src_addr));
		ip->hop_limits = TTL_DEFAULT;
		icmp->icmp_type = ICMP6_ECHO_REPLY;
	} else {
		struct rte_ipv4_hdr *ip = ip4_of(m);
		rte_be32_t gateway = ip->dst_addr;
		ip->dst_addr = ip->src_addr;
		ip->src_addr = gateway;
		ip->time_to_live = TTL_DEFAULT;
		ip->hdr_checksum = 0;
		ip->hdr_checksum = rte_ipv4_cksum(ip);
		icmp->icmp_type = ICMP4_ECHO_REPLY;
	}
	icmp->icmp_cksum = checksum_change(icmp->icmp_cksum, rte_cpu_to_be_16((uint16_t)(old << 8)),
		rte_cpu_to_be_16((uint16_t)(icmp->icmp_type << 8)));
	send_back(b, m);
}

static bool answer(struct burst *b, struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);

	if (p->way != WAY_UNDECIDED || !is_ip(p) || is_neighbour(p) || !addr_is_gateway(&p->dst))
		return true;
	if (!is_echo_request(m))
		return burst_drop(b, m, DROP_TO_GATEWAY);
	reply(b, m);
	return true;
}

void gateway_echo(struct burst *b)
{
	if (b->has_stranger) // nothing has a route to the gateway
		burst_filter(b, answer);
}
