// Every node that routes a packet takes one from its TTL, as Linux nodes do: the one that sends it
// into a tunnel and the one that takes it out. What the host gets as its own, or unchanged, is not
// routed here.
#include "vswitch/packet.h"
#include "vswitch/stages.h"

static bool is_routed(const struct pkt *p)
{
	return p->way == WAY_UNDECIDED || p->way == WAY_POD || p->way == WAY_TUNNEL ||
	       p->way == WAY_NEIGHBOUR;
}

// One from the TTL, the upper byte of its word, is one more there in the checksum (RFC 1141).
static void decrement(struct rte_mbuf *m)
{
	if ((pkt(m)->flags & PKT_IPV6) != 0) {
		ip6_of(m)->hop_limits--;
		return;
	}
	struct rte_ipv4_hdr *ip = ip4_of(m);
	uint32_t sum = (uint32_t)ip->hdr_checksum + RTE_BE16(0x0100);
	ip->time_to_live--;
	ip->hdr_checksum = (rte_be16_t)(sum + (sum >= UINT16_MAX));
}

static bool hop_one(struct burst *b, struct rte_mbuf *m)
{
	struct pkt *p = pkt(m);

	if (!is_routed(p))
		return true;
	if (p->ttl <= 1)
		return burst_refuse(b, m, DROP_TTL_EXCEEDED, REFUSAL_TTL_EXCEEDED);
	decrement(m);
	p->ttl--;
	return true;
}

void hop(struct burst *b)
{
	burst_filter(b, hop_one);
}
