// Where a pod's packets go, by the rows of the table in doc/forwarding.md: for overlay and for
// underlay pods, over both families. Packets that go nowhere, wherever they are for, are in
// test_pod_refused.c.
#include "tests/unit/dataplane/eal.h"
#include "tests/unit/vswitch/suite.h"

// ICMP types and codes, by family.
static const uint8_t unreachable[2] = {3, 1};
static const uint8_t host_unreachable[2] = {1, 3};
static const uint8_t prohibited[2] = {13, 1};
static const uint8_t no_route[2] = {0, 0};

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
static void is_unreachable(enum family f, const struct station *from, const struct station *to,
	enum drop_reason why, const uint8_t code[2])
{
	struct packet p = udp(f, from, to);
	sends(from, p);
	expect_refusal(from, p, why, unreachable[f], code[f]);
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
// The header checksum that a hop's step carries over the end (RFC 1141's erratum).
static void hop_keeps_a_checksum_right_that_wraps(void **)
{
	struct packet p = udp(IP4, &overlay_pod, &overlay_pod2);
	const size_t checksum = sizeof(struct rte_ether_hdr) + 10;
	struct bytes f;

	do {
		if (p.tos++ == UINT8_MAX)
			p.ttl++;
		assert_int_not_equal(p.ttl, 1); // round once, and never seen
		f = frame_ip(&p);
	} while (f.data[checksum] != 0xfe || f.data[checksum + 1] != 0xff);
	sends(&overlay_pod, p);
	f = delivered(p, &overlay_pod2);
	expect_out(overlay_pod2.port, &f);
}

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
	TEST4(hop_keeps_a_checksum_right_that_wraps),
	BOTH(burst_of_good_and_bad_packets_keeps_the_good_ones_in_order),
};

int main(void)
{
	return RUN_TESTS(tests);
}
