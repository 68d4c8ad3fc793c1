// A node and what it knows, for tests of pipelines: pods of both kinds here and on a second node,
// four VLANs, an uplink and a host port. Each station has an address of each family.
//
//	this node ── overlay_pod, overlay_pod2, closed_pod (its Subnet has autoNatOutgoing off)
//	          ── blue_pod, blue_pod2 (VLAN 56), plain_pod (untagged)
//	          ── uplink ── node2 ── far_overlay_pod, far_blue_pod, far_green_pod (VLAN 57)
//	                   ── gateways of all VLANs, blue_server and blue_silent on VLAN 56
//	          ── host
#pragma once

#include "tests/unit/vswitch/frame.h"
#include "vswitch/pipeline.h"

enum family {
	IP4,
	IP6,
};

// Ports.
#define UPLINK 1
#define HOST 2
#define CONTROL 3

struct station {
	uint16_t port; // of pods here
	const char *mac;
	const char *ip[2]; // by family
};

extern const struct station overlay_pod, overlay_pod2, closed_pod, blue_pod, blue_pod2, plain_pod;
extern const struct station far_overlay_pod, far_blue_pod, far_green_pod;
extern const struct station blue_gateway, blue_server, plain_gateway;
// Addresses without anybody behind them, or behind them for the switch to know.
extern const struct station nobody_overlay, reserved_overlay, nobody_blue, nobody_green;
extern const struct station outside, node1, node2;

#define GATEWAY_MAC_TEXT "ee:ee:ee:ee:ee:ee"
#define GATEWAY4_TEXT "169.254.1.1"
#define GATEWAY6_TEXT "fe80::ecee:eeff:feee:eeee"
#define UPLINK_MAC_TEXT "02:00:00:00:01:01"
#define HOST_MAC_TEXT "02:00:00:00:01:02"
#define VTEP_MAC_TEXT "02:00:00:00:01:03"
#define NODE2_MAC_TEXT "02:00:00:00:02:01" // on the wire
#define NODE2_VTEP_MAC_TEXT "02:00:00:00:02:03"
#define BROADCAST_TEXT "ff:ff:ff:ff:ff:ff"
#define VLAN_BLUE 56
#define VLAN_GREEN 57
#define VNI 4
#define VXLAN_PORT 8472

enum { // indices of Subnets; the IPv6 ones follow their IPv4 twins
	SUBNET_OVERLAY = 0,
	SUBNET_CLOSED = 2,
	SUBNET_BLUE = 4,
	SUBNET_GREEN = 6,
	SUBNET_PLAIN = 8,
	SUBNET_COUNT = 10
};

struct world {
	struct rcu *rcu;
	struct tables *tab;
	struct node node; // change it and call world_publish()
	struct subnet subnets[SUBNET_COUNT]; // likewise
	struct vport ports[32]; // by number; those that exist have a name
	uint32_t tunnel; // next hop to node2
	uint32_t gateways[SUBNET_COUNT];
	uint32_t neighbours[2]; // far_blue_pod's, by family
	struct icmp_limit icmp_limit;
	struct burst b; // the last one
	struct frame frames[BURST_MAX];
};
extern struct world world;

// Test fixtures: build everything anew, and take it down.
int world_setup(void **state);
int world_teardown(void **state);

void world_publish(void);
void world_set_nexthop(uint32_t id, enum nexthop_kind kind);
void world_set_mtu(const struct station *pod, uint16_t mtu);
// Makes the tunnel to node2 one over that family; at first it is IPv4.
void world_set_tunnel(enum family outer);
void world_put_route(const char *ip, struct route r);
void world_del_route(const char *ip);

// Runs one frame that came in on the port through its pipeline.
void run(uint16_t port, const struct bytes *frame);
void run_mbuf(uint16_t port, struct rte_mbuf *m);
// Runs a packet that the station sends from its port.
void sends(const struct station *from, struct packet p);
// Two packets, in one burst.
void sends_both(const struct station *from, struct packet first, struct packet second);

// What must have come of it: exactly this frame, out of this port.
void expect_out(uint16_t port, const struct bytes *frame);
// Exactly this frame through the tunnel to node2, whatever source port was chosen.
void expect_tunnel(const struct bytes *inner, uint8_t tos);
// Nothing but a drop.
void expect_drop(enum drop_reason why);
// A drop that was told to the sender (check the frame by expect_out).
void expect_drop_count(enum drop_reason why, uint64_t count);
// That drop, told to the sender of p by an ICMP error of its gateway.
void expect_refusal(const struct station *sender, struct packet p, enum drop_reason why,
	uint8_t type, uint8_t code);
void expect_no_punt(void);
// Exactly one punt, which is this one.
void expect_punt(const struct punt *punt);
// The only frame that came out.
struct bytes result(void);

// A UDP packet as src sends it to its gateway.
struct packet udp(enum family f, const struct station *src, const struct station *dst);
// That packet after a hop, in the frame a local pod gets.
struct bytes delivered(struct packet p, const struct station *to);
// … in the frame that goes to the host or on a VLAN of the uplink.
struct bytes to_host(struct packet p);
struct bytes on_wire(struct packet p, const char *eth_dst, uint16_t vlan);
// … in the inner frame of the tunnel to node2.
struct bytes into_tunnel(struct packet p);

// The ICMP error about the frame that its sender gets from `from`.
struct bytes icmp_error_about(const struct bytes *frame, const char *from, const char *to,
	const char *eth_src, const char *eth_dst, uint16_t vlan, uint8_t type, uint8_t code);

// VXLAN from node2 to this node, over outer family f.
struct bytes from_node2(enum family outer, const struct bytes *inner);
struct packet node2_outer(enum family f);
