// Everything that comes in natively by the uplink, by the rows of the table in doc/forwarding.md.
// What comes through tunnels is in test_from_tunnel.c.
#include "tests/unit/dataplane/eal.h"
#include "tests/unit/vswitch/suite.h"

#define NOBODY_MAC "00:00:00:00:00:00"
#define SERVER_MAC "02:00:00:00:56:99"
#define SOLICITED_NODE "ff02::1:ff00:13"
#define SOLICITED_NODE_MAC "33:33:ff:00:00:13"

static void comes(struct packet p)
{
	struct bytes frame = frame_ip(&p);
	run(UPLINK, &frame);
}

// A packet from a station on the blue VLAN, as it is on the wire.
static struct packet from_server(enum family f, const struct station *to)
{
	struct packet p = udp(f, &blue_server, to);
	p.eth_dst = UPLINK_MAC_TEXT;
	p.vlan = VLAN_BLUE;
	return p;
}

static struct packet untagged(struct packet p)
{
	p.vlan = 0;
	return p;
}

static void goes_to_the_host_unchanged(struct packet p)
{
	struct bytes frame = frame_ip(&p);
	run(UPLINK, &frame);
	expect_out(HOST, &frame);
}

// A question "who has target", asked by the server on a VLAN, and its answer.
static struct bytes question(enum family f, uint16_t vlan, const char *target, const char *sender)
{
	if (f == IP4)
		return frame_arp(&(struct arp){.eth_src = SERVER_MAC,
			.eth_dst = BROADCAST_TEXT,
			.vlan = vlan,
			.op = 1,
			.sha = SERVER_MAC,
			.sip = sender,
			.tha = NOBODY_MAC,
			.tip = target});
	return frame_nd(&(struct nd){.eth_src = SERVER_MAC,
		.eth_dst = SOLICITED_NODE_MAC,
		.vlan = vlan,
		.src = sender,
		.dst = SOLICITED_NODE,
		.hop_limit = 255,
		.type = 135,
		.target = target,
		.option = frame_addr(sender).s6_addr32[3] != 0 ? 1 : 0,
		.lladdr = SERVER_MAC});
}

static struct bytes reply(enum family f, uint16_t vlan, const char *target, const char *to)
{
	if (f == IP4)
		return frame_arp(&(struct arp){.eth_src = UPLINK_MAC_TEXT,
			.eth_dst = SERVER_MAC,
			.vlan = vlan,
			.op = 2,
			.sha = UPLINK_MAC_TEXT,
			.sip = target,
			.tha = SERVER_MAC,
			.tip = to});
	bool is_probe = frame_addr(to).s6_addr32[3] == 0;
	return frame_nd(&(struct nd){.eth_src = UPLINK_MAC_TEXT,
		.eth_dst = is_probe ? "33:33:00:00:00:01" : SERVER_MAC,
		.vlan = vlan,
		.src = target,
		.dst = is_probe ? "ff02::1" : to,
		.hop_limit = 255,
		.type = 136,
		.flags = is_probe ? 0x20000000 : 0x60000000,
		.target = target,
		.option = 2,
		.lladdr = UPLINK_MAC_TEXT});
}

static void is_answered(
	enum family f, uint16_t vlan, const struct station *target, const char *sender)
{
	struct bytes asked = question(f, vlan, target->ip[f], sender);
	run(UPLINK, &asked);
	struct bytes expected = reply(f, vlan, target->ip[f], sender);
	expect_out(UPLINK, &expected);
}

static void is_ignored(
	enum family f, uint16_t vlan, const struct station *target, const char *sender)
{
	struct bytes asked = question(f, vlan, target->ip[f], sender);
	run(UPLINK, &asked);
	expect_drop(DROP_ARP_IGNORED);
}

static void is_for_the_host(
	enum family f, uint16_t vlan, const struct station *target, const char *sender)
{
	struct bytes asked = question(f, vlan, target->ip[f], sender);
	run(UPLINK, &asked);
	expect_out(HOST, &asked);
}

// ── ARP request / NS for a local underlay pod ──────────────────────────────────────────────────

static void question_for_a_local_underlay_pod_on_its_vlan_is_answered_with_the_uplinks_mac(
	void **state)
{
	enum family f = family(state);

	is_answered(f, VLAN_BLUE, &blue_pod, blue_server.ip[f]);
	expect_punt(&(struct punt){.kind = PUNT_NEIGHBOUR_SEEN,
		.vlan = VLAN_BLUE,
		.mac = frame_mac(SERVER_MAC),
		.ip = frame_addr(blue_server.ip[f]),
		.subnet = SUBNET_NONE});
	is_answered(f, 0, &plain_pod, f == IP4 ? "192.168.1.200" : "fd01::200");
}

static void probe_for_a_local_underlay_pod_is_answered_as_well(void **state)
{
	enum family f = family(state);

	is_answered(f, VLAN_BLUE, &blue_pod, f == IP4 ? "0.0.0.0" : "::");
	expect_no_punt();
}

static void question_for_a_local_underlay_pod_on_another_vlan_is_not_answered(void **state)
{
	enum family f = family(state);

	world.node.vlans[VLAN_GREEN / 64] |= UINT64_C(1) << VLAN_GREEN % 64;
	world_publish();
	is_ignored(f, VLAN_GREEN, &blue_pod, blue_server.ip[f]);
	is_for_the_host(f, 0, &blue_pod, blue_server.ip[f]);
}

static void question_for_an_overlay_pod_is_not_answered_on_the_wire(void **state)
{
	enum family f = family(state);

	is_ignored(f, VLAN_BLUE, &overlay_pod, blue_server.ip[f]);
	is_for_the_host(f, 0, &overlay_pod, blue_server.ip[f]);
}

static void question_for_an_address_that_has_moved_away_is_not_answered(void **state)
{
	enum family f = family(state);
	struct route r = {.kind = ROUTE_REMOTE_POD,
		.vlan = VLAN_BLUE,
		.subnet = SUBNET_BLUE + f,
		.nexthop = world.tunnel};

	world_put_route(blue_pod.ip[f], r);
	is_ignored(f, VLAN_BLUE, &blue_pod, blue_server.ip[f]);
	world_del_route(blue_pod.ip[f]);
	is_ignored(f, VLAN_BLUE, &blue_pod, blue_server.ip[f]);
	world_put_route(blue_pod.ip[f], (struct route){.kind = ROUTE_RESERVED, .vlan = VLAN_BLUE});
	is_ignored(f, VLAN_BLUE, &blue_pod, blue_server.ip[f]);
}

static void question_for_the_vtep_is_answered_if_the_host_is_not_on_the_uplink(void **state)
{
	enum family f = family(state);

	is_for_the_host(f, 0, &node1, node2.ip[f]);
	world.node.carries_host = false;
	world_publish();
	is_answered(f, 0, &node1, node2.ip[f]);
	is_ignored(f, VLAN_BLUE, &node1, node2.ip[f]);
	is_ignored(f, 0, &node2, node2.ip[f]);
	if (f == IP4)
		world.node.vtep4 = (struct in6_addr){0};
	else
		world.node.vtep6 = (struct in6_addr){0};
	world_publish();
	is_ignored(f, 0, &node1, node2.ip[f]);
}

// ── ARP reply / NA ─────────────────────────────────────────────────────────────────────────────

static struct bytes announcement(enum family f, uint16_t vlan)
{
	if (f == IP4)
		return frame_arp(&(struct arp){.eth_src = SERVER_MAC,
			.eth_dst = UPLINK_MAC_TEXT,
			.vlan = vlan,
			.op = 2,
			.sha = SERVER_MAC,
			.sip = blue_server.ip[IP4],
			.tha = UPLINK_MAC_TEXT,
			.tip = blue_pod.ip[IP4]});
	return frame_nd(&(struct nd){.eth_src = SERVER_MAC,
		.eth_dst = UPLINK_MAC_TEXT,
		.vlan = vlan,
		.src = blue_server.ip[IP6],
		.dst = blue_pod.ip[IP6],
		.hop_limit = 255,
		.type = 136,
		.flags = 0x60000000,
		.target = blue_server.ip[IP6],
		.option = 2,
		.lladdr = SERVER_MAC});
}

static void expect_seen(enum family f, uint16_t vlan)
{
	expect_punt(&(struct punt){.kind = PUNT_NEIGHBOUR_SEEN,
		.vlan = vlan,
		.mac = frame_mac(SERVER_MAC),
		.ip = frame_addr(blue_server.ip[f]),
		.subnet = SUBNET_NONE});
}

static void answer_on_a_vlan_updates_the_neighbour(void **state)
{
	struct bytes frame = announcement(family(state), VLAN_BLUE);

	run(UPLINK, &frame);
	expect_drop(DROP_ARP_IGNORED);
	expect_seen(family(state), VLAN_BLUE);
}

static void untagged_answer_updates_the_neighbour_and_reaches_the_host(void **state)
{
	struct bytes frame = announcement(family(state), 0);

	run(UPLINK, &frame);
	expect_out(HOST, &frame);
	expect_seen(family(state), 0);
	world.node.carries_host = false;
	world_publish();
	run(UPLINK, &frame);
	expect_drop(DROP_ARP_IGNORED);
	expect_seen(family(state), 0);
}

static void gratuitous_arp_of_a_known_neighbour_updates_it(void **)
{
	struct bytes frame = question(IP4, VLAN_BLUE, blue_server.ip[IP4], blue_server.ip[IP4]);

	run(UPLINK, &frame);
	expect_drop(DROP_ARP_IGNORED);
	expect_seen(IP4, VLAN_BLUE);
	frame = question(IP4, VLAN_BLUE, nobody_blue.ip[IP4], nobody_blue.ip[IP4]);
	run(UPLINK, &frame);
	expect_no_punt();
}

static void question_between_others_is_of_no_interest(void **state)
{
	enum family f = family(state);

	is_ignored(f, VLAN_BLUE, &blue_gateway, blue_server.ip[f]);
	expect_no_punt();
}

// ── IP for a local underlay pod ────────────────────────────────────────────────────────────────

static void ip_for_a_local_underlay_pod_on_its_vlan_is_routed_to_its_port(void **state)
{
	enum family f = family(state);
	struct packet p = from_server(f, &blue_pod);

	comes(p);
	struct bytes expected = delivered(p, &blue_pod);
	expect_out(blue_pod.port, &expected);
	p = untagged(from_server(f, &plain_pod));
	comes(p);
	expected = delivered(p, &plain_pod);
	expect_out(plain_pod.port, &expected);
	p.vlan = TAG_PRIORITY;
	comes(p);
	expect_out(plain_pod.port, &expected);
}

static void ip_for_a_local_underlay_pod_on_another_vlan_is_not_for_us(void **state)
{
	struct packet p = from_server(family(state), &blue_pod);

	p.vlan = VLAN_GREEN;
	world.node.vlans[VLAN_GREEN / 64] |= UINT64_C(1) << VLAN_GREEN % 64;
	world_publish();
	comes(p);
	expect_drop(DROP_NOT_FOR_US);
	comes(from_server(family(state), &plain_pod));
	expect_drop(DROP_NOT_FOR_US);
}

static void ip_for_a_pod_that_is_not_here_is_never_forwarded_on(void **state)
{
	enum family f = family(state);

	comes(from_server(f, &far_blue_pod));
	expect_drop(DROP_NOT_FOR_US);
	comes(from_server(f, &far_overlay_pod));
	expect_drop(DROP_NOT_FOR_US);
	comes(from_server(f, &overlay_pod));
	expect_drop(DROP_NOT_FOR_US);
	comes(from_server(f, &outside));
	expect_drop(DROP_NOT_FOR_US);
}

static void frame_for_another_stations_mac_is_not_for_us(void **state)
{
	struct packet p = from_server(family(state), &blue_pod);

	p.eth_dst = "02:00:00:00:99:99";
	comes(p);
	expect_drop(DROP_NOT_FOR_US);
	comes(untagged(p));
	expect_drop(DROP_NOT_FOR_US);
}

static void ttl_of_one_on_the_way_to_an_underlay_pod_is_exceeded(void **state)
{
	enum family f = family(state);
	struct packet p = from_server(f, &blue_pod);

	p.ttl = 1;
	struct bytes frame = frame_ip(&p);
	run(UPLINK, &frame);
	struct bytes expected = icmp_error_about(&frame, node1.ip[f], p.src, UPLINK_MAC_TEXT,
		SERVER_MAC, VLAN_BLUE, f == IP4 ? 11 : 3, 0);
	expect_out(UPLINK, &expected);
	expect_drop_count(DROP_TTL_EXCEEDED, 1);
}

static void without_an_address_of_its_own_the_node_sends_no_icmp_error(void **state)
{
	struct packet p = from_server(family(state), &blue_pod);

	world.node.vtep4 = (struct in6_addr){0};
	world.node.vtep6 = (struct in6_addr){0};
	world_publish();
	p.ttl = 1;
	comes(p);
	expect_drop(DROP_TTL_EXCEEDED);
}

static void packet_longer_than_the_pods_mtu_is_dropped(void **state)
{
	struct packet p = from_server(family(state), &blue_pod);

	world_set_mtu(&blue_pod, 68);
	p.payload_len = 200;
	comes(p);
	expect_drop(DROP_TOO_BIG);
}

// ── Anything else ──────────────────────────────────────────────────────────────────────────────

static void anything_else_to_the_uplinks_mac_goes_to_the_host_unchanged(void **state)
{
	enum family f = family(state);
	struct packet p = untagged(from_server(f, &node1));

	goes_to_the_host_unchanged(p);
	p.ttl = 1; // it is the host's to judge
	goes_to_the_host_unchanged(p);
	goes_to_the_host_unchanged(untagged(from_server(f, &overlay_pod)));
	goes_to_the_host_unchanged(untagged(from_server(f, &outside)));
	p.eth_dst = HOST_MAC_TEXT;
	goes_to_the_host_unchanged(p);
}

static void untagged_broadcast_and_multicast_go_to_the_host(void **state)
{
	enum family f = family(state);
	struct packet p = untagged(from_server(f, &node1));

	p.eth_dst = f == IP4 ? "01:00:5e:00:00:fb" : "33:33:00:00:00:fb";
	p.dst = f == IP4 ? "224.0.0.251" : "ff02::fb";
	goes_to_the_host_unchanged(p);
	p.eth_dst = BROADCAST_TEXT;
	goes_to_the_host_unchanged(p);
}

static void untagged_frame_of_an_unknown_protocol_goes_to_the_host(void **)
{
	struct packet p = untagged(from_server(IP4, &node1));
	struct bytes frame = frame_ip(&p);

	frame.data[12] = 0x88;
	frame.data[13] = 0xcc;
	run(UPLINK, &frame);
	expect_out(HOST, &frame);
	world.node.carries_host = false;
	world_publish();
	run(UPLINK, &frame);
	expect_drop(DROP_UNKNOWN_ETHERTYPE);
}

static void tagged_broadcast_and_multicast_do_not_go_to_the_host(void **state)
{
	enum family f = family(state);
	struct packet p = from_server(f, &node1);

	p.eth_dst = f == IP4 ? "01:00:5e:00:00:fb" : "33:33:00:00:00:fb";
	p.dst = f == IP4 ? "224.0.0.251" : "ff02::fb";
	comes(p);
	expect_drop(DROP_MULTICAST);
}

static void nothing_goes_to_the_host_if_it_is_not_on_the_uplink(void **state)
{
	struct packet p = untagged(from_server(family(state), &node1));

	world.node.carries_host = false;
	world_publish();
	comes(p);
	expect_drop(DROP_NOT_FOR_US);
	p.eth_dst = BROADCAST_TEXT;
	comes(p);
	expect_drop(DROP_MULTICAST);
}

static void frame_for_the_host_without_a_host_port_is_dropped(void **state)
{
	world.node.host = VPORT_NONE;
	world_publish();
	comes(untagged(from_server(family(state), &node1)));
	expect_drop(DROP_NO_HOST);
}

static void vlan_with_no_network_on_this_node_is_dropped(void **state)
{
	struct packet p = from_server(family(state), &blue_pod);

	p.vlan = VLAN_GREEN;
	comes(p);
	expect_drop(DROP_UNKNOWN_VLAN);
	p.vlan = 4095;
	comes(p);
	expect_drop(DROP_UNKNOWN_VLAN);
}

static const char tests_prefix[] = "from-uplink";
static const struct CMUnitTest tests[] = {
	BOTH(question_for_a_local_underlay_pod_on_its_vlan_is_answered_with_the_uplinks_mac),
	BOTH(probe_for_a_local_underlay_pod_is_answered_as_well),
	BOTH(question_for_a_local_underlay_pod_on_another_vlan_is_not_answered),
	BOTH(question_for_an_overlay_pod_is_not_answered_on_the_wire),
	BOTH(question_for_an_address_that_has_moved_away_is_not_answered),
	BOTH(question_for_the_vtep_is_answered_if_the_host_is_not_on_the_uplink),
	BOTH(answer_on_a_vlan_updates_the_neighbour),
	BOTH(untagged_answer_updates_the_neighbour_and_reaches_the_host),
	TEST4(gratuitous_arp_of_a_known_neighbour_updates_it),
	BOTH(question_between_others_is_of_no_interest),
	BOTH(ip_for_a_local_underlay_pod_on_its_vlan_is_routed_to_its_port),
	BOTH(ip_for_a_local_underlay_pod_on_another_vlan_is_not_for_us),
	BOTH(ip_for_a_pod_that_is_not_here_is_never_forwarded_on),
	BOTH(frame_for_another_stations_mac_is_not_for_us),
	BOTH(ttl_of_one_on_the_way_to_an_underlay_pod_is_exceeded),
	BOTH(without_an_address_of_its_own_the_node_sends_no_icmp_error),
	BOTH(packet_longer_than_the_pods_mtu_is_dropped),
	BOTH(anything_else_to_the_uplinks_mac_goes_to_the_host_unchanged),
	BOTH(untagged_broadcast_and_multicast_go_to_the_host),
	TEST4(untagged_frame_of_an_unknown_protocol_goes_to_the_host),
	BOTH(tagged_broadcast_and_multicast_do_not_go_to_the_host),
	BOTH(nothing_goes_to_the_host_if_it_is_not_on_the_uplink),
	BOTH(frame_for_the_host_without_a_host_port_is_dropped),
	BOTH(vlan_with_no_network_on_this_node_is_dropped),
};

int main(void)
{
	return RUN_TESTS(tests);
}
