// Everything a pod may send, by the rows of the table in doc/forwarding.md: for overlay and for
// underlay pods, over both families.
#include "tests/unit/dataplane/eal.h"
#include "tests/unit/vswitch/suite.h"

#include <string.h>

static const char *gateway_ip(enum family f)
{
	return f == IP4 ? GATEWAY4_TEXT : GATEWAY6_TEXT;
}

// ICMP types and codes, by family.
static const uint8_t time_exceeded[2] = {11, 3};
static const uint8_t unreachable[2] = {3, 1};
static const uint8_t host_unreachable[2] = {1, 3};
static const uint8_t prohibited[2] = {13, 1};
static const uint8_t no_route[2] = {0, 0};

static void sends(const struct station *from, struct packet p)
{
	struct bytes frame = frame_ip(&p);
	run(from->port, &frame);
}

static void is_delivered(enum family f, const struct station *from, const struct station *to)
{
	struct packet p = udp(f, from, to);
	sends(from, p);
	struct bytes expected = delivered(p, to);
	expect_out(to->port, &expected);
}

static void goes_by_tunnel(enum family f, const struct station *from, const struct station *to)
{
	struct packet p = udp(f, from, to);
	sends(from, p);
	struct bytes inner = into_tunnel(p);
	expect_tunnel(&inner, 0);
}

static void goes_natively(enum family f, const struct station *from, const struct station *to,
	const struct station *by, uint16_t vlan)
{
	struct packet p = udp(f, from, to);
	sends(from, p);
	struct bytes expected = on_wire(p, by->mac, vlan);
	expect_out(UPLINK, &expected);
}

static void goes_to_the_host(enum family f, const struct station *from, const struct station *to)
{
	struct packet p = udp(f, from, to);
	sends(from, p);
	struct bytes expected = to_host(p);
	expect_out(HOST, &expected);
}

// The sender gets the ICMP error from its gateway, and the drop is counted.
static void is_refused(enum family f, const struct station *from, struct packet p,
	enum drop_reason why, const uint8_t type[2], const uint8_t code[2])
{
	sends(from, p);
	struct packet quoted = p;
	quoted.ttl = p.ttl <= 1 ? p.ttl : (uint8_t)(p.ttl - 1);
	struct bytes quoted_frame = frame_ip(&quoted);
	struct bytes expected = icmp_error_about(&quoted_frame, gateway_ip(f), p.src,
		GATEWAY_MAC_TEXT, from->mac, 0, type[f], code[f]);
	expect_out(from->port, &expected);
	expect_drop_count(why, 1);
	assert_int_equal(world.b.n_dropped, 1);
	assert_int_equal(world.b.n_dead, 0);
}

static void is_unreachable(enum family f, const struct station *from, const struct station *to,
	enum drop_reason why, const uint8_t code[2])
{
	is_refused(f, from, udp(f, from, to), why, unreachable, code);
}

// ── Local pods ─────────────────────────────────────────────────────────────────────────────────

static void overlay_pod_to_a_local_pod_is_delivered(void **state)
{
	is_delivered(family(state), &overlay_pod, &overlay_pod2);
	is_delivered(family(state), &overlay_pod, &blue_pod);
}

static void underlay_pod_to_a_local_pod_is_delivered(void **state)
{
	is_delivered(family(state), &blue_pod, &blue_pod2);
	is_delivered(family(state), &blue_pod, &plain_pod);
	is_delivered(family(state), &blue_pod, &overlay_pod);
}

// ── Pods of other nodes ────────────────────────────────────────────────────────────────────────

static void overlay_pod_to_an_overlay_pod_on_another_node_goes_by_tunnel(void **state)
{
	goes_by_tunnel(family(state), &overlay_pod, &far_overlay_pod);
}

static void underlay_pod_to_an_overlay_pod_on_another_node_goes_by_tunnel(void **state)
{
	goes_by_tunnel(family(state), &blue_pod, &far_overlay_pod);
}

static void overlay_pod_to_an_underlay_pod_on_another_node_goes_by_tunnel(void **state)
{
	goes_by_tunnel(family(state), &overlay_pod, &far_blue_pod);
}

static void underlay_pod_to_one_of_its_own_subnet_on_another_node_goes_to_its_neighbour(
	void **state)
{
	goes_natively(family(state), &blue_pod, &far_blue_pod, &far_blue_pod, VLAN_BLUE);
}

static void underlay_pod_to_one_of_another_subnet_on_another_node_goes_by_its_gateway(void **state)
{
	goes_natively(family(state), &blue_pod, &far_green_pod, &blue_gateway, VLAN_BLUE);
}

static void underlay_pod_without_a_vlan_sends_untagged(void **state)
{
	goes_natively(family(state), &plain_pod, &far_green_pod, &plain_gateway, 0);
}

// Two Networks may use one prefix on two VLANs.
static void pod_in_the_same_prefix_but_on_another_vlan_is_behind_the_gateway(void **state)
{
	enum family f = family(state);
	struct route r = {.kind = ROUTE_REMOTE_POD,
		.vlan = VLAN_GREEN,
		.subnet = SUBNET_GREEN + f,
		.nexthop = world.tunnel,
		.neighbour = world.neighbours[f]};

	world_put_route(far_blue_pod.ip[f], r);
	goes_natively(f, &blue_pod, &far_blue_pod, &blue_gateway, VLAN_BLUE);
}

static void underlay_neighbour_nobody_asked_for_yet_is_asked_for(void **state)
{
	enum family f = family(state);
	struct route r = {.kind = ROUTE_REMOTE_POD,
		.vlan = VLAN_BLUE,
		.subnet = SUBNET_BLUE + f,
		.nexthop = world.tunnel};

	world_put_route(far_blue_pod.ip[f], r);
	sends(&blue_pod, udp(f, &blue_pod, &far_blue_pod));
	expect_drop(DROP_NEIGHBOUR_PENDING);
	expect_punt(&(struct punt){.kind = PUNT_NEIGHBOUR_WANTED,
		.vlan = VLAN_BLUE,
		.ip = frame_addr(far_blue_pod.ip[f]),
		.subnet = SUBNET_BLUE + f});
}

static void unresolved_neighbour_is_asked_for_by_its_slot(void **state)
{
	enum family f = family(state);

	world_set_nexthop(world.neighbours[f], NEXTHOP_UNRESOLVED);
	sends(&blue_pod, udp(f, &blue_pod, &far_blue_pod));
	expect_drop(DROP_NEIGHBOUR_PENDING);
	expect_punt(&(struct punt){.kind = PUNT_NEIGHBOUR_WANTED,
		.vlan = VLAN_BLUE,
		.ip = frame_addr(far_blue_pod.ip[f]),
		.subnet = SUBNET_BLUE + f,
		.nexthop = world.neighbours[f]});
}

static void unresolved_gateway_is_asked_for_not_the_destination(void **state)
{
	enum family f = family(state);

	world_set_nexthop(world.gateways[SUBNET_BLUE + f], NEXTHOP_UNRESOLVED);
	sends(&blue_pod, udp(f, &blue_pod, &outside));
	expect_drop(DROP_NEIGHBOUR_PENDING);
	expect_punt(&(struct punt){.kind = PUNT_NEIGHBOUR_WANTED,
		.vlan = VLAN_BLUE,
		.ip = frame_addr(blue_gateway.ip[f]),
		.subnet = SUBNET_BLUE + f,
		.nexthop = world.gateways[SUBNET_BLUE + f]});
}

static void unresolved_tunnel_is_asked_for_without_a_subnet(void **state)
{
	world_set_nexthop(world.tunnel, NEXTHOP_UNRESOLVED);
	sends(&overlay_pod, udp(family(state), &overlay_pod, &far_overlay_pod));
	expect_drop(DROP_NEIGHBOUR_PENDING);
	expect_punt(&(struct punt){.kind = PUNT_NEIGHBOUR_WANTED,
		.ip = frame_addr(node2.ip[IP4]),
		.subnet = SUBNET_NONE,
		.nexthop = world.tunnel});
}

static void neighbour_that_does_not_answer_is_unreachable(void **state)
{
	enum family f = family(state);

	world_set_nexthop(world.neighbours[f], NEXTHOP_FAILED);
	is_unreachable(f, &blue_pod, &far_blue_pod, DROP_NEIGHBOUR_FAILED, host_unreachable);
	expect_no_punt();
}

static void route_whose_next_hop_is_gone_leads_nowhere(void **state)
{
	enum family f = family(state);
	struct route r = {.kind = ROUTE_REMOTE_POD, .overlay = true, .nexthop = 4711};

	world_put_route(far_overlay_pod.ip[f], r);
	sends(&overlay_pod, udp(f, &overlay_pod, &far_overlay_pod));
	expect_drop(DROP_NO_ROUTE);
}

// ── Addresses without a pod ────────────────────────────────────────────────────────────────────

static void address_inside_an_overlay_subnet_without_a_pod_is_unreachable(void **state)
{
	enum family f = family(state);

	is_unreachable(f, &overlay_pod, &nobody_overlay, DROP_NO_SUCH_POD, host_unreachable);
	is_unreachable(f, &blue_pod, &nobody_overlay, DROP_NO_SUCH_POD, host_unreachable);
}

static void subnet_reaches_from_its_first_address_to_its_last(void **state)
{
	static const char *const inside[2][2] = {
		{"100.64.0.0", "100.64.255.255"}, {"fd64::", "fd64::ffff:ffff:ffff:ffff"}};
	static const char *const beyond[2][2] = {{"100.63.255.255", "100.66.0.0"},
		{"fd63:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fd64:0:0:1::"}};
	enum family f = family(state);

	for (size_t i = 0; i < 2; i++) {
		struct station s = {.ip = {inside[IP4][i], inside[IP6][i]}};
		is_unreachable(f, &overlay_pod, &s, DROP_NO_SUCH_POD, host_unreachable);
		s = (struct station){.ip = {beyond[IP4][i], beyond[IP6][i]}};
		goes_to_the_host(f, &overlay_pod, &s);
	}
}

static void reserved_overlay_address_is_unreachable(void **state)
{
	enum family f = family(state);

	is_unreachable(f, &overlay_pod, &reserved_overlay, DROP_NO_SUCH_POD, host_unreachable);
	is_unreachable(f, &blue_pod, &reserved_overlay, DROP_NO_SUCH_POD, host_unreachable);
}

static void overlay_pod_to_an_underlay_address_without_a_pod_goes_as_outside(void **state)
{
	enum family f = family(state);

	goes_to_the_host(f, &overlay_pod, &nobody_blue);
	goes_to_the_host(f, &overlay_pod, &blue_server); // a station somebody else asked for
	is_unreachable(f, &closed_pod, &nobody_blue, DROP_NAT_DISABLED, prohibited);
}

static void underlay_pod_to_a_station_of_its_own_subnet_goes_to_its_neighbour(void **state)
{
	goes_natively(family(state), &blue_pod, &blue_server, &blue_server, VLAN_BLUE);
	goes_natively(family(state), &blue_pod, &blue_gateway, &blue_gateway, VLAN_BLUE);
}

static void underlay_pod_to_an_unknown_address_of_its_own_subnet_asks_for_it(void **state)
{
	enum family f = family(state);

	sends(&blue_pod, udp(f, &blue_pod, &nobody_blue));
	expect_drop(DROP_NEIGHBOUR_PENDING);
	expect_punt(&(struct punt){.kind = PUNT_NEIGHBOUR_WANTED,
		.vlan = VLAN_BLUE,
		.ip = frame_addr(nobody_blue.ip[f]),
		.subnet = SUBNET_BLUE + f});
}

static void reserved_underlay_address_counts_as_one_without_a_pod(void **state)
{
	enum family f = family(state);
	struct route r = {.kind = ROUTE_RESERVED, .vlan = VLAN_BLUE, .subnet = SUBNET_BLUE + f};

	world_put_route(nobody_blue.ip[f], r);
	sends(&blue_pod, udp(f, &blue_pod, &nobody_blue));
	expect_drop(DROP_NEIGHBOUR_PENDING);
	goes_to_the_host(f, &overlay_pod, &nobody_blue);
}

static void underlay_pod_to_an_address_of_another_underlay_subnet_goes_by_its_gateway(void **state)
{
	goes_natively(family(state), &blue_pod, &nobody_green, &blue_gateway, VLAN_BLUE);
}

// ── Nodes ──────────────────────────────────────────────────────────────────────────────────────

static void pod_to_this_nodes_own_address_goes_to_the_host_port(void **state)
{
	goes_to_the_host(family(state), &overlay_pod, &node1);
	goes_to_the_host(family(state), &closed_pod, &node1);
	goes_to_the_host(family(state), &blue_pod, &node1);
}

// Not as outside: the reply to what a node sent through a tunnel must go back through it.
static void overlay_pod_to_another_nodes_address_goes_by_its_tunnel(void **state)
{
	goes_by_tunnel(family(state), &overlay_pod, &node2);
	goes_by_tunnel(family(state), &closed_pod, &node2);
}

static void overlay_pod_to_another_nodes_address_without_a_tunnel_goes_as_outside(void **state)
{
	enum family f = family(state);

	world_put_route(node2.ip[f], (struct route){.kind = ROUTE_NODE_OTHER});
	goes_to_the_host(f, &overlay_pod, &node2);
	is_unreachable(f, &closed_pod, &node2, DROP_NAT_DISABLED, prohibited);
}

static void underlay_pod_to_another_nodes_address_goes_natively_by_its_gateway(void **state)
{
	goes_natively(family(state), &blue_pod, &node2, &blue_gateway, VLAN_BLUE);
}

static void underlay_pod_to_a_node_in_its_own_subnet_goes_to_its_neighbour(void **state)
{
	enum family f = family(state);
	struct route r = {.kind = ROUTE_NODE_OTHER,
		.nexthop = world.tunnel,
		.neighbour = world.neighbours[f]};

	world_put_route(nobody_blue.ip[f], r);
	goes_natively(f, &blue_pod, &nobody_blue, &far_blue_pod, VLAN_BLUE);
}

// ── Outside ────────────────────────────────────────────────────────────────────────────────────

static void overlay_pod_to_the_outside_goes_to_the_host_which_masquerades(void **state)
{
	goes_to_the_host(family(state), &overlay_pod, &outside);
}

static void overlay_pod_to_the_outside_without_nat_outgoing_is_refused(void **state)
{
	is_unreachable(family(state), &closed_pod, &outside, DROP_NAT_DISABLED, prohibited);
}

static void underlay_pod_to_the_outside_goes_by_its_gateway_with_its_own_address(void **state)
{
	goes_natively(family(state), &blue_pod, &outside, &blue_gateway, VLAN_BLUE);
}

static void underlay_pod_without_a_gateway_has_no_route_outside(void **state)
{
	enum family f = family(state);

	world.subnets[SUBNET_BLUE + f].gateway = NEXTHOP_NONE;
	world_publish();
	is_unreachable(f, &blue_pod, &outside, DROP_NO_ROUTE, no_route);
}

static void underlay_pod_without_a_subnet_has_no_route_outside(void **state)
{
	enum family f = family(state);

	world.ports[blue_pod.port].subnet4 = SUBNET_NONE;
	world.ports[blue_pod.port].subnet6 = SUBNET_NONE;
	world_publish();
	is_unreachable(f, &blue_pod, &outside, DROP_NO_ROUTE, no_route);
}

static void without_a_host_port_nothing_goes_there(void **state)
{
	world.node.host = VPORT_NONE;
	world_publish();
	sends(&overlay_pod, udp(family(state), &overlay_pod, &outside));
	expect_drop(DROP_NO_HOST);
}

static void without_an_uplink_nothing_goes_there(void **state)
{
	enum family f = family(state);

	world.node.uplink = VPORT_NONE;
	world_publish();
	sends(&blue_pod, udp(f, &blue_pod, &outside));
	expect_drop(DROP_NO_UPLINK);
	sends(&overlay_pod, udp(f, &overlay_pod, &far_overlay_pod));
	expect_drop(DROP_NO_UPLINK);
}

static void addresses_that_no_router_forwards_to_have_no_route(void **state)
{
	static const char *const never[2][3] = {
		{"127.0.0.1", "0.0.0.0", "127.8.9.10"}, {"::1", "::", "fe80::1"}};

	for (size_t i = 0; i < 3; i++) {
		struct packet p = udp(family(state), &overlay_pod, &outside);
		p.dst = never[family(state)][i];
		sends(&overlay_pod, p);
		expect_drop(DROP_NO_ROUTE);
	}
}

// ── Multicast and broadcast ────────────────────────────────────────────────────────────────────

static void multicast_from_a_pod_is_dropped(void **state)
{
	static const struct station *const pods[] = {&overlay_pod, &blue_pod};

	for (size_t i = 0; i < 2; i++) {
		struct packet p = udp(family(state), pods[i], &outside);
		p.dst = family(state) == IP4 ? "224.0.0.251" : "ff02::fb";
		p.eth_dst = family(state) == IP4 ? "01:00:5e:00:00:fb" : "33:33:00:00:00:fb";
		sends(pods[i], p);
		expect_drop(DROP_MULTICAST);
		p.eth_dst = GATEWAY_MAC_TEXT;
		sends(pods[i], p);
		expect_drop(DROP_MULTICAST);
	}
}

static void broadcast_from_a_pod_is_dropped(void **)
{
	struct packet p = udp(IP4, &overlay_pod, &outside);

	p.dst = "255.255.255.255";
	sends(&overlay_pod, p);
	expect_drop(DROP_MULTICAST);
	p.eth_dst = BROADCAST_TEXT;
	sends(&overlay_pod, p);
	expect_drop(DROP_MULTICAST);
	p.src = "0.0.0.0"; // DHCP
	sends(&overlay_pod, p);
	expect_drop(DROP_MULTICAST);
}

static void unicast_packet_in_a_broadcast_frame_is_dropped(void **state)
{
	struct packet p = udp(family(state), &overlay_pod, &overlay_pod2);

	p.eth_dst = BROADCAST_TEXT;
	sends(&overlay_pod, p);
	expect_drop(DROP_MULTICAST);
}

// Linux sends these from :: or fe80::… as soon as its link is up.
static void multicast_listener_report_is_dropped_as_multicast(void **)
{
	struct packet p = udp(IP6, &overlay_pod, &outside);

	p.dst = "ff02::16";
	p.src = "::";
	sends(&overlay_pod, p);
	expect_drop(DROP_MULTICAST);
	p.src = "fe80::12:34ff:fe00:10";
	sends(&overlay_pod, p);
	expect_drop(DROP_MULTICAST);
}

// ── The sender ─────────────────────────────────────────────────────────────────────────────────

static void source_mac_of_somebody_else_is_spoofed(void **state)
{
	struct packet p = udp(family(state), &overlay_pod, &overlay_pod2);

	p.eth_src = overlay_pod2.mac;
	sends(&overlay_pod, p);
	expect_drop(DROP_SPOOFED_MAC);
}

static void source_ip_of_somebody_else_is_spoofed(void **state)
{
	enum family f = family(state);
	struct packet p = udp(f, &overlay_pod, &far_overlay_pod);

	p.src = overlay_pod2.ip[f];
	sends(&overlay_pod, p);
	expect_drop(DROP_SPOOFED_IP);
	p.src = f == IP4 ? "0.0.0.0" : "::";
	sends(&overlay_pod, p);
	expect_drop(DROP_SPOOFED_IP);
	p.src = f == IP4 ? "169.254.7.7" : "fe80::7";
	sends(&overlay_pod, p);
	expect_drop(DROP_SPOOFED_IP);
}

static void pod_without_an_address_of_that_family_cannot_send(void **state)
{
	enum family f = family(state);
	struct packet p = udp(f, &overlay_pod, &overlay_pod2);
	struct vport *v = &world.ports[overlay_pod.port];

	*(f == IP4 ? &v->ip4 : &v->ip6) = (struct in6_addr){0};
	world_publish();
	sends(&overlay_pod, p);
	expect_drop(DROP_SPOOFED_IP);
	p.src = f == IP4 ? "0.0.0.0" : "::";
	sends(&overlay_pod, p);
	expect_drop(DROP_SPOOFED_IP);
}

static void tagged_frame_from_a_pod_is_dropped(void **state)
{
	struct packet p = udp(family(state), &blue_pod, &blue_pod2);

	p.vlan = VLAN_BLUE;
	sends(&blue_pod, p);
	expect_drop(DROP_UNKNOWN_VLAN);
}

static void priority_tag_of_a_pod_is_removed(void **state)
{
	struct packet p = udp(family(state), &blue_pod, &blue_pod2);

	p.vlan = TAG_PRIORITY;
	sends(&blue_pod, p);
	struct bytes expected = delivered(p, &blue_pod2);
	expect_out(blue_pod2.port, &expected);
}

static void frame_that_is_neither_ip_nor_arp_is_dropped(void **)
{
	struct packet p = udp(IP4, &blue_pod, &blue_pod2);
	struct bytes frame = frame_ip(&p);

	frame.data[12] = 0x88;
	frame.data[13] = 0xcc;
	run(blue_pod.port, &frame);
	expect_drop(DROP_UNKNOWN_ETHERTYPE);
}

// ── TTL, length and headroom ───────────────────────────────────────────────────────────────────

static void ttl_of_one_is_exceeded(void **state)
{
	enum family f = family(state);
	static const struct station *const to[] = {
		&overlay_pod2, &far_overlay_pod, &outside, &node1, &nobody_overlay};

	for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
		struct packet p = udp(f, &overlay_pod, to[i]);
		p.ttl = i == 0 ? 0 : 1;
		is_refused(f, &overlay_pod, p, DROP_TTL_EXCEEDED, time_exceeded, no_route);
	}
}

static void ttl_of_two_passes(void **state)
{
	struct packet p = udp(family(state), &overlay_pod, &overlay_pod2);

	p.ttl = 2;
	sends(&overlay_pod, p);
	struct bytes expected = delivered(p, &overlay_pod2);
	expect_out(overlay_pod2.port, &expected);
}

static struct packet of_len(struct packet p, uint16_t ip_len)
{
	p.payload_len = (uint16_t)(ip_len - 8 - (strchr(p.src, ':') != NULL ? 40 : 20));
	return p;
}

static void packet_longer_than_its_way_out_is_dropped(void **state)
{
	enum family f = family(state);
	struct packet local = udp(f, &overlay_pod, &overlay_pod2);
	struct packet native = udp(f, &blue_pod, &outside);
	struct packet tunnelled = udp(f, &overlay_pod, &far_overlay_pod);

	world.ports[overlay_pod2.port].mtu = 1400;
	world_publish();
	sends(&overlay_pod, of_len(local, 1401));
	expect_drop(DROP_TOO_BIG);
	sends(&overlay_pod, of_len(local, 1400));
	assert_int_equal(result().len, 1414);
	sends(&blue_pod, of_len(native, 1501));
	expect_drop(DROP_TOO_BIG);
	sends(&blue_pod, of_len(native, 1500));
	assert_int_equal(result().len, 1518);
	sends(&overlay_pod, of_len(tunnelled, 1451));
	expect_drop(DROP_TOO_BIG);
	sends(&overlay_pod, of_len(tunnelled, 1450));
	assert_int_equal(result().len, 1514);
	world_set_tunnel(IP6);
	sends(&overlay_pod, of_len(tunnelled, 1431));
	expect_drop(DROP_TOO_BIG);
	sends(&overlay_pod, of_len(tunnelled, 1430));
	assert_int_equal(result().len, 1514);
}

static void pod_whose_port_is_gone_gets_nothing(void **state)
{
	tables_del_vport(world.tab, overlay_pod2.port);
	sends(&overlay_pod, udp(family(state), &overlay_pod, &overlay_pod2));
	expect_drop(DROP_PORT_DOWN);
}

static void buffer_without_room_for_the_headers_is_dropped(void **state)
{
	enum family f = family(state);
	struct packet p = udp(f, &overlay_pod, &far_overlay_pod);
	struct bytes frame = frame_ip(&p);

	run_mbuf(overlay_pod.port, frame_mbuf(&world.frames[0], 48, frame.data, frame.len));
	expect_drop(DROP_NO_HEADROOM);
	run_mbuf(overlay_pod.port, frame_mbuf(&world.frames[0], 50, frame.data, frame.len));
	assert_int_equal(world.b.n, 1);
	p = udp(f, &blue_pod, &outside);
	frame = frame_ip(&p);
	run_mbuf(blue_pod.port, frame_mbuf(&world.frames[0], 2, frame.data, frame.len));
	expect_drop(DROP_NO_HEADROOM);
	p = udp(f, &overlay_pod, &nobody_overlay);
	frame = frame_ip(&p);
	run_mbuf(overlay_pod.port, frame_mbuf(&world.frames[0], 8, frame.data, frame.len));
	expect_drop(DROP_NO_HEADROOM);
}

// ── Many at once ───────────────────────────────────────────────────────────────────────────────

static void burst_of_good_and_bad_packets_keeps_the_good_ones_in_order(void **state)
{
	enum family f = family(state);
	static const struct station *const to[] = {
		&overlay_pod2, &far_overlay_pod, &nobody_overlay, &outside, &blue_pod};
	struct burst *b = &world.b;

	*b = (struct burst){.tab = world.tab,
		.node = world.tab->node,
		.subnets = world.tab->subnets,
		.in = world.tab->vports[overlay_pod.port],
		.icmp_limit = &world.icmp_limit,
		.now = UINT64_C(1) << 40,
		.n = BURST_MAX};
	for (size_t i = 0; i < BURST_MAX; i++) {
		struct packet p = udp(f, &overlay_pod, to[i % 5]);
		p.sport = (uint16_t)i;
		if (i % 4 == 3)
			p.eth_src = blue_pod.mac;
		struct bytes frame = frame_ip(&p);
		b->pkt[i] = frame_mbuf(&world.frames[i], 128, frame.data, frame.len);
	}
	pipeline_run(pipeline_of(VPORT_POD), b);

	static const uint16_t out[] = {11, UPLINK, 10, HOST, 13};
	assert_int_equal(b->n, BURST_MAX * 3 / 4);
	assert_int_equal(b->n_dead, BURST_MAX / 4);
	expect_drop_count(DROP_SPOOFED_MAC, BURST_MAX / 4);
	for (size_t i = 0, at = 0; i < BURST_MAX; i++) {
		if (i % 4 == 3)
			continue;
		assert_ptr_equal(b->pkt[at], &world.frames[i].m);
		assert_int_equal(pkt(b->pkt[at])->out, out[i % 5]);
		at++;
	}
}

static const char tests_prefix[] = "from-pod";
static const struct CMUnitTest tests[] = {
	BOTH(overlay_pod_to_a_local_pod_is_delivered),
	BOTH(underlay_pod_to_a_local_pod_is_delivered),
	BOTH(overlay_pod_to_an_overlay_pod_on_another_node_goes_by_tunnel),
	BOTH(underlay_pod_to_an_overlay_pod_on_another_node_goes_by_tunnel),
	BOTH(overlay_pod_to_an_underlay_pod_on_another_node_goes_by_tunnel),
	BOTH(underlay_pod_to_one_of_its_own_subnet_on_another_node_goes_to_its_neighbour),
	BOTH(underlay_pod_to_one_of_another_subnet_on_another_node_goes_by_its_gateway),
	BOTH(underlay_pod_without_a_vlan_sends_untagged),
	BOTH(pod_in_the_same_prefix_but_on_another_vlan_is_behind_the_gateway),
	BOTH(underlay_neighbour_nobody_asked_for_yet_is_asked_for),
	BOTH(unresolved_neighbour_is_asked_for_by_its_slot),
	BOTH(unresolved_gateway_is_asked_for_not_the_destination),
	BOTH(unresolved_tunnel_is_asked_for_without_a_subnet),
	BOTH(neighbour_that_does_not_answer_is_unreachable),
	BOTH(route_whose_next_hop_is_gone_leads_nowhere),
	BOTH(address_inside_an_overlay_subnet_without_a_pod_is_unreachable),
	BOTH(subnet_reaches_from_its_first_address_to_its_last),
	BOTH(reserved_overlay_address_is_unreachable),
	BOTH(overlay_pod_to_an_underlay_address_without_a_pod_goes_as_outside),
	BOTH(underlay_pod_to_a_station_of_its_own_subnet_goes_to_its_neighbour),
	BOTH(underlay_pod_to_an_unknown_address_of_its_own_subnet_asks_for_it),
	BOTH(reserved_underlay_address_counts_as_one_without_a_pod),
	BOTH(underlay_pod_to_an_address_of_another_underlay_subnet_goes_by_its_gateway),
	BOTH(pod_to_this_nodes_own_address_goes_to_the_host_port),
	BOTH(overlay_pod_to_another_nodes_address_goes_by_its_tunnel),
	BOTH(overlay_pod_to_another_nodes_address_without_a_tunnel_goes_as_outside),
	BOTH(underlay_pod_to_another_nodes_address_goes_natively_by_its_gateway),
	BOTH(underlay_pod_to_a_node_in_its_own_subnet_goes_to_its_neighbour),
	BOTH(overlay_pod_to_the_outside_goes_to_the_host_which_masquerades),
	BOTH(overlay_pod_to_the_outside_without_nat_outgoing_is_refused),
	BOTH(underlay_pod_to_the_outside_goes_by_its_gateway_with_its_own_address),
	BOTH(underlay_pod_without_a_gateway_has_no_route_outside),
	BOTH(underlay_pod_without_a_subnet_has_no_route_outside),
	BOTH(without_a_host_port_nothing_goes_there),
	BOTH(without_an_uplink_nothing_goes_there),
	BOTH(addresses_that_no_router_forwards_to_have_no_route),
	BOTH(multicast_from_a_pod_is_dropped),
	TEST4(broadcast_from_a_pod_is_dropped),
	BOTH(unicast_packet_in_a_broadcast_frame_is_dropped),
	TEST6(multicast_listener_report_is_dropped_as_multicast),
	BOTH(source_mac_of_somebody_else_is_spoofed),
	BOTH(source_ip_of_somebody_else_is_spoofed),
	BOTH(pod_without_an_address_of_that_family_cannot_send),
	BOTH(tagged_frame_from_a_pod_is_dropped),
	BOTH(priority_tag_of_a_pod_is_removed),
	TEST4(frame_that_is_neither_ip_nor_arp_is_dropped),
	BOTH(ttl_of_one_is_exceeded),
	BOTH(ttl_of_two_passes),
	BOTH(packet_longer_than_its_way_out_is_dropped),
	BOTH(pod_whose_port_is_gone_gets_nothing),
	BOTH(buffer_without_room_for_the_headers_is_dropped),
	BOTH(burst_of_good_and_bad_packets_keeps_the_good_ones_in_order),
};

int main(void)
{
	return RUN_TESTS(tests);
}
