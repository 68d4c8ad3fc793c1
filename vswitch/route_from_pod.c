// Where a pod's packet goes: by what its destination is and by which kind of Network the pod is in.
#include "vswitch/packet.h"
#include "vswitch/stages.h"

enum destination {
	LOCAL_POD,
	REMOTE_OVERLAY_POD,
	REMOTE_UNDERLAY_POD,
	OVERLAY_NO_POD, // inside an overlay Subnet, but no pod has it
	UNDERLAY_NO_POD, // inside an underlay Subnet: a gateway, an excluded address, a physical host
	THIS_NODE,
	OTHER_NODE,
	OUTSIDE, // of the cluster
	DESTINATION_COUNT
};

enum action {
	DELIVER, // to its port
	TUNNEL, // to the node that has it; addresses unchanged
	NATIVE, // by the VLAN: directly within the own Subnet, else by the own Subnet's gateway
	HOST, // to this node's network stack
	LEAVE, // by this node's network stack, which masquerades, if the Subnet allows that
	NODE_TUNNEL, // by tunnel, or LEAVE if that node has none
	UNREACHABLE, // tell the sender
};

// The rows are read as a table.
// clang-format off
static const uint8_t actions[DESTINATION_COUNT][2] = {
	// destination            from an overlay pod  from an underlay pod
	[LOCAL_POD]           = { DELIVER,             DELIVER     },
	[REMOTE_OVERLAY_POD]  = { TUNNEL,              TUNNEL      },
	[REMOTE_UNDERLAY_POD] = { TUNNEL,              NATIVE      },
	[OVERLAY_NO_POD]      = { UNREACHABLE,         UNREACHABLE },
	[UNDERLAY_NO_POD]     = { LEAVE,               NATIVE      },
	[THIS_NODE]           = { HOST,                HOST        },
	[OTHER_NODE]          = { NODE_TUNNEL,         NATIVE      },
	[OUTSIDE]             = { LEAVE,               NATIVE      },
};
// clang-format on

static enum destination no_pod(bool overlay)
{
	return overlay ? OVERLAY_NO_POD : UNDERLAY_NO_POD;
}

static enum destination destination(const struct burst *b, const struct pkt *p)
{
	const struct route *r = p->route;

	if (r == NULL) {
		const struct subnet *s = subnets_find(b->subnets, &p->dst);
		return s != NULL ? no_pod(s->overlay) : OUTSIDE;
	}
	switch (r->kind) {
	case ROUTE_LOCAL_POD:
		return LOCAL_POD;
	case ROUTE_REMOTE_POD:
		return r->overlay ? REMOTE_OVERLAY_POD : REMOTE_UNDERLAY_POD;
	case ROUTE_RESERVED:
		return no_pod(r->overlay);
	case ROUTE_NODE_SELF:
		return THIS_NODE;
	case ROUTE_NODE_OTHER:
		return OTHER_NODE;
	default: // ROUTE_NEIGHBOUR
		return UNDERLAY_NO_POD;
	}
}

// The pod's own Subnet of the packet's family, NULL if it has none.
static const struct subnet *own_subnet(const struct burst *b, const struct pkt *p)
{
	uint32_t i = (p->flags & PKT_IPV6) != 0 ? b->in->subnet6 : b->in->subnet4;
	return i < b->subnets->n ? &b->subnets->subnet[i] : NULL;
}

// Several Subnets may share one prefix, on one VLAN (then they are one link) or on two.
static bool is_on_link(const struct subnet *own, const struct pkt *p)
{
	const struct route *r = p->route;

	if (!addr_in_prefix(&p->dst, &own->prefix, own->prefix_len))
		return false;
	bool has_vlan = r != NULL && (r->kind == ROUTE_REMOTE_POD || r->kind == ROUTE_NEIGHBOUR);
	return !has_vlan || r->vlan == own->vlan;
}

static bool native(struct burst *b, struct rte_mbuf *m)
{
	struct pkt *p = pkt(m);
	const struct subnet *own = own_subnet(b, p);
	const struct route *r = p->route;
	uint32_t nexthop = NEXTHOP_NONE;

	if (own == NULL)
		return burst_refuse(b, m, DROP_NO_ROUTE, REFUSAL_NO_ROUTE);
	p->subnet = (uint32_t)(own - b->subnets->subnet);
	if (is_on_link(own, p)) {
		if (r != NULL)
			nexthop = r->kind == ROUTE_NEIGHBOUR ? r->nexthop : r->neighbour;
		send_by(b, p, WAY_NEIGHBOUR, nexthop); // resolve asks for it if there is none
		return true;
	}
	send_by(b, p, WAY_NEIGHBOUR, own->gateway);
	if (p->nexthop == NULL)
		return burst_refuse(b, m, DROP_NO_ROUTE, REFUSAL_NO_ROUTE);
	return true;
}

static bool leave(struct burst *b, struct rte_mbuf *m)
{
	const struct subnet *own = own_subnet(b, pkt(m));

	if (own == NULL || !own->nat_outgoing)
		return burst_refuse(b, m, DROP_NAT_DISABLED, REFUSAL_PROHIBITED);
	burst_send(b, pkt(m), WAY_HOST);
	return true;
}

static bool decide(struct burst *b, struct rte_mbuf *m)
{
	struct pkt *p = pkt(m);

	if (p->way != WAY_UNDECIDED)
		return true;
	switch ((enum action)actions[destination(b, p)][b->in->overlay ? 0 : 1]) {
	case DELIVER:
		send_by(b, p, WAY_POD, p->route->nexthop);
		return true;
	case TUNNEL:
		send_by(b, p, WAY_TUNNEL, p->route->nexthop);
		return true;
	case NATIVE:
		return native(b, m);
	case HOST:
		burst_send(b, p, WAY_HOST);
		return true;
	case LEAVE:
		return leave(b, m);
	case NODE_TUNNEL:
		if (p->route->nexthop == NEXTHOP_NONE)
			return leave(b, m);
		send_by(b, p, WAY_TUNNEL, p->route->nexthop);
		return true;
	case UNREACHABLE:
		break;
	}
	return burst_refuse(b, m, DROP_NO_SUCH_POD, REFUSAL_HOST_UNREACHABLE);
}

void route_from_pod(struct burst *b)
{
	burst_filter(b, decide);
}
