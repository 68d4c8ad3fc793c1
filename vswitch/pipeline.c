// Which stages packets go through, in which order. Each stage relies on those before it.
#include "vswitch/pipeline.h"

#include "vswitch/stages.h"

#define STAGE(f)                     \
	{                            \
		.name = #f, .run = f \
	}

// What all routed packets have before them once their way is decided.
#define WAY_OUT STAGE(icmp_error), STAGE(mtu_check), STAGE(frame), STAGE(vxlan_encap)

static const struct stage from_pod[] = {
	STAGE(parse),
	STAGE(pod_source),
	STAGE(pod_neighbour), // answers go straight back
	STAGE(route_lookup),
	STAGE(gateway_echo),
	STAGE(unicast_only),
	STAGE(hop), // before the route decides: a traceroute sees the switch whatever is behind it
	STAGE(route_from_pod),
	STAGE(resolve),
	WAY_OUT,
};

static const struct stage from_uplink[] = {
	STAGE(parse),
	STAGE(vlan_admit),
	STAGE(vxlan_decap),
	STAGE(route_lookup),
	STAGE(uplink_neighbour),
	STAGE(tunnel_neighbour),
	STAGE(route_from_uplink),
	STAGE(route_from_tunnel),
	STAGE(resolve),
	STAGE(hop), // after the route: what the host gets is not routed here
	WAY_OUT,
};

static const struct stage from_host[] = {
	STAGE(parse),
	STAGE(route_lookup),
	STAGE(host_neighbour),
	STAGE(gateway_echo),
	STAGE(route_from_host),
	STAGE(resolve),
	STAGE(hop), // after the route: what goes to the wire unchanged is not routed here
	WAY_OUT,
};

static const struct stage from_control[] = {
	STAGE(route_from_control),
};

#define PIPELINE(table)                                                                       \
	{                                                                                     \
		.name = #table, .stages = table, .n_stages = sizeof(table) / sizeof(table[0]) \
	}

static const struct pipeline pipelines[] = {
	[VPORT_POD] = PIPELINE(from_pod),
	[VPORT_UPLINK] = PIPELINE(from_uplink),
	[VPORT_HOST] = PIPELINE(from_host),
	[VPORT_CONTROL] = PIPELINE(from_control),
};

const struct pipeline *pipeline_of(enum vport_kind kind)
{
	return &pipelines[kind];
}

void pipeline_run(const struct pipeline *p, struct burst *b)
{
	for (size_t i = 0; i < p->n_stages; i++)
		p->stages[i].run(b);
}
