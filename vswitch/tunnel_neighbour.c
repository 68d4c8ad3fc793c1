// ARP and neighbour discovery that arrive through a tunnel: nodes that are Linux ask this way who has
// a pod or a node address. The answer goes back through the tunnel; all else is ignored.
#include "vswitch/neighbour.h"
#include "vswitch/packet.h"
#include "vswitch/stages.h"

static bool handle(struct burst *b, struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);
	const struct route *r = p->route;

	if (!is_neighbour(p) || (p->flags & PKT_TUNNEL) == 0)
		return true;
	if (!is_neighbour_request(m) || r == NULL ||
		(r->kind != ROUTE_LOCAL_POD && r->kind != ROUTE_NODE_SELF))
		return burst_drop(b, m, DROP_ARP_IGNORED);
	return neighbour_answer(b, m);
}

void tunnel_neighbour(struct burst *b)
{
	if ((b->seen & PKT_TUNNEL) != 0 && (b->seen & (PKT_ARP | PKT_ND)) != 0)
		burst_filter(b, handle);
}
