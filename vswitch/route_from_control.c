// What the control thread sends is a complete frame for the wire. Nothing is looked at.
#include "vswitch/stages.h"

static bool decide(struct burst *b, struct rte_mbuf *m)
{
	struct pkt *p = pkt(m);

	if (b->node->uplink == VPORT_NONE)
		return burst_drop(b, m, DROP_NO_UPLINK);
	*p = (struct pkt){.way = WAY_AS_IS, .out = b->node->uplink, .subnet = SUBNET_NONE};
	return true;
}

void route_from_control(struct burst *b)
{
	burst_filter(b, decide);
}
