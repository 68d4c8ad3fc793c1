// ARP and neighbour discovery from the host: the virtual gateway answers for itself and for pods it
// would route to. All other questions are for the wire.
#include "vswitch/neighbour.h"
#include "vswitch/packet.h"
#include "vswitch/stages.h"

static bool is_ours(const struct pkt *p)
{
	const struct route *r = p->route;

	if (addr_is_gateway(&p->dst))
		return true;
	return r != NULL &&
	       (r->kind == ROUTE_LOCAL_POD || (r->kind == ROUTE_REMOTE_POD && r->overlay));
}

static bool handle(struct burst *b, struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);

	if (is_neighbour_request(m) && is_ours(p))
		return neighbour_answer(b, m);
	if (is_neighbour(p) && !b->node->carries_host)
		return burst_drop(b, m, DROP_ARP_IGNORED);
	return true;
}

void host_neighbour(struct burst *b)
{
	if ((b->seen & (PKT_ARP | PKT_ND)) != 0)
		burst_filter(b, handle);
}
