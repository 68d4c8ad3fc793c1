// Whatever address a pod asks for, the answer is the virtual gateway: so all that it sends comes to
// the switch and is routed. Only for its own addresses there is silence, since an answer would mean
// that somebody else has them.
#include "vswitch/neighbour.h"
#include "vswitch/packet.h"
#include "vswitch/stages.h"

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
	if ((pkt(m)->flags & PKT_RS) != 0)
		return burst_drop(b, m, DROP_ARP_IGNORED);
	if (!is_neighbour(pkt(m)))
		return true;
	if (!is_neighbour_request(m) || is_own(b->in, &pkt(m)->dst))
		return burst_drop(b, m, DROP_ARP_IGNORED);
	return neighbour_answer(b, m);
}

void pod_neighbour(struct burst *b)
{
	if ((b->seen & (PKT_ARP | PKT_ND | PKT_RS)) != 0)
		burst_filter(b, answer);
}
