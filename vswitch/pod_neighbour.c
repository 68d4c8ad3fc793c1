// Whatever address a pod asks for, the answer is the virtual gateway: so all that it sends comes to
// the switch and is routed. Only for its own addresses there is silence, since an answer would mean
// that somebody else has them.
#include "vswitch/neighbour.h"
#include "vswitch/packet.h"
#include "vswitch/stages.h"

static bool is_router_solicitation(struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);

	return (p->flags & PKT_IPV6) != 0 && p->proto == IPPROTO_ICMPV6 && p->l4_off != 0 &&
	       *(const uint8_t *)l4_of(m) == ICMP6_ROUTER_SOLICITATION;
}

// A pod's link-local address is its own affair: nobody but the gateway shares the link.
static bool is_own(const struct vport *in, const struct in6_addr *addr)
{
	if (addr_is_link_local(addr))
		return !addr_equal(addr, &GATEWAY_IP6);
	return addr_equal(addr, &in->ip4) || addr_equal(addr, &in->ip6) ||
	       addr_is_unspecified(addr);
}

static bool answer(struct burst *b, struct rte_mbuf *m)
{
	if (!is_neighbour(pkt(m)))
		return !is_router_solicitation(m) || burst_drop(b, m, DROP_ARP_IGNORED);
	if (!is_neighbour_request(m) || is_own(b->in, &pkt(m)->dst))
		return burst_drop(b, m, DROP_ARP_IGNORED);
	return neighbour_answer(b, m);
}

void pod_neighbour(struct burst *b)
{
	burst_filter(b, answer);
}
