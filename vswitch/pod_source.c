// A pod may only speak for itself: source MAC and IP of its frames are those of its port, in ARP
// and neighbour discovery as well.
#include "vswitch/packet.h"
#include "vswitch/stages.h"

static bool owns(const struct vport *in, const struct pkt *p, const struct in6_addr *addr)
{
	const struct in6_addr *own = (p->flags & PKT_IPV6) != 0 ? &in->ip6 : &in->ip4;

	return addr_equal(addr, own) && !addr_is_none(own);
}

// Before a pod has its address, and within its link, it uses none or a link-local one: probes for
// duplicates, router solicitations, DHCP, multicast listener reports, ping to the gateway.
static bool stays_on_link(const struct pkt *p)
{
	if ((p->flags & PKT_ND) != 0)
		return true;
	return addr_is_multicast(&p->dst) || addr_is_link_local(&p->dst);
}

static bool ip_is_right(const struct vport *in, struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);
	bool is_claim = (p->flags & PKT_ND) != 0 && !is_neighbour_request(m);

	// Whoever advertises an address claims it. Of link-local ones the switch keeps no record.
	if (is_claim && !owns(in, p, &p->dst) && !addr_is_link_local(&p->dst))
		return false;
	if (owns(in, p, &p->src))
		return true;
	if ((p->flags & PKT_ARP) != 0)
		return addr_is_unspecified(&p->src) && is_neighbour_request(m);
	return (addr_is_unspecified(&p->src) || addr_is_link_local(&p->src)) && stays_on_link(p);
}

static bool check(struct burst *b, struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);
	const struct rte_ether_addr *mac = &b->in->mac;

	if (!mac_equal(&eth_of(m)->src_addr, mac))
		return burst_drop(b, m, DROP_SPOOFED_MAC);
	if (p->vlan != 0)
		return burst_drop(b, m, DROP_UNKNOWN_VLAN);
	if ((p->flags & (PKT_OTHER | PKT_ARP | PKT_ND)) == 0 && owns(b->in, p, &p->src))
		return true;
	if ((p->flags & PKT_OTHER) != 0)
		return burst_drop(b, m, DROP_UNKNOWN_ETHERTYPE);
	if (p->lladdr_off != 0 && !mac_equal(lladdr_of(m), mac))
		return burst_drop(b, m, DROP_SPOOFED_MAC);
	if (!ip_is_right(b->in, m))
		return burst_drop(b, m, DROP_SPOOFED_IP);
	return true;
}

void pod_source(struct burst *b)
{
	burst_filter(b, check);
}
