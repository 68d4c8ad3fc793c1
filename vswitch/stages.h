// All stages. Each is one concern in one file of its name; pipeline.c says which packets go through
// which, in what order. tests/lint/hot_symbols.sh watches what they call.
#pragma once

#include "vswitch/burst.h"

void parse(struct burst *b);

// Frames from pods.
void pod_source(struct burst *b);
void pod_neighbour(struct burst *b);
void unicast_only(struct burst *b);
void route_from_pod(struct burst *b);

// Frames from the uplink.
void vlan_admit(struct burst *b);
void vxlan_decap(struct burst *b);
void uplink_neighbour(struct burst *b);
void tunnel_neighbour(struct burst *b);
void route_from_uplink(struct burst *b);
void route_from_tunnel(struct burst *b);

// Frames from the host and from the control thread.
void host_neighbour(struct burst *b);
void route_from_host(struct burst *b);
void route_from_control(struct burst *b);

// For all that are routed.
void gateway_echo(struct burst *b);
void hop(struct burst *b);
void route_lookup(struct burst *b);
void resolve(struct burst *b);
void icmp_error(struct burst *b);
void mtu_check(struct burst *b);
void frame(struct burst *b);
void vxlan_encap(struct burst *b);
