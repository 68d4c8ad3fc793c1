// Nothing leaves that is longer than its way allows.
#include "vswitch/packet.h"
#include "vswitch/stages.h"

static bool check(struct burst *b, struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);

	return p->nexthop == NULL || l3_len(m, p) <= p->nexthop->mtu ||
	       burst_drop(b, m, DROP_TOO_BIG);
}

void mtu_check(struct burst *b)
{
	if (b->is_too_long || b->is_unresolved)
		burst_filter(b, check);
}
