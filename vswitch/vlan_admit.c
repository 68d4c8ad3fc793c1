// Tagged frames are let in only on VLANs that have a Network on this node.
#include "vswitch/packet.h"
#include "vswitch/stages.h"

static bool admit(struct burst *b, struct rte_mbuf *m)
{
	uint16_t vlan = pkt(m)->vlan;

	if (vlan != 0 && (b->node->vlans[vlan / 64] >> vlan % 64 & 1) == 0)
		return burst_drop(b, m, DROP_UNKNOWN_VLAN);
	return true;
}

void vlan_admit(struct burst *b)
{
	burst_filter(b, admit);
}
