// Out of VXLAN: what comes out of a tunnel, by the rows of the uplink's table in doc/forwarding.md.
// Each test runs over an IPv4 and an IPv6 outer header; the inner family is the one the test says, or
// both.
#include "tests/unit/dataplane/eal.h"
#include "tests/unit/vswitch/suite.h"

#define NOBODY_MAC "00:00:00:00:00:00"
#define GROUP_MAC "ff:ff:ff:ff:ff:f1" // where Linux nodes send broadcast

// A packet from a pod of node2, as it is inside the tunnel.
static struct packet inner(enum family f, const struct station *to)
{
	struct packet p = udp(f, &far_overlay_pod, to);
	p.eth_src = NODE2_VTEP_MAC_TEXT;
	p.eth_dst = VTEP_MAC_TEXT;
	return p;
}

static void comes(enum family outer, struct packet p)
{
	struct bytes in = frame_ip(&p);
	struct bytes frame = from_node2(outer, &in);
	run(UPLINK, &frame);
}

// The whole outer packet is the test's.
static void comes_in(const struct packet *outer, uint8_t flags, uint32_t vni, struct packet p)
{
	struct bytes in = frame_ip(&p);
	struct bytes frame = frame_vxlan(outer, flags, vni, &in);
	run(UPLINK, &frame);
}

static void is_delivered(enum family outer, enum family f, const struct station *to)
{
	struct packet p = inner(f, to);
	comes(outer, p);
	struct bytes expected = delivered(p, to);
	expect_out(to->port, &expected);
}

static void inner_ip_for_a_local_pod_of_either_kind_is_delivered(void **state)
{
	for (enum family f = IP4; f <= IP6; f++) {
		is_delivered(family(state), f, &overlay_pod);
		is_delivered(family(state), f, &blue_pod);
		is_delivered(family(state), f, &plain_pod);
	}
}

static void tunnel_on_a_vlan_is_unwrapped_as_well(void **state)
{
	struct packet o = node2_outer(family(state));
	struct packet p = inner(IP4, &overlay_pod);

	o.vlan = VLAN_BLUE;
	comes_in(&o, 0x08, VNI, p);
	struct bytes expected = delivered(p, &overlay_pod);
	expect_out(overlay_pod.port, &expected);
}

static void outer_checksum_may_be_there_or_not(void **state)
{
	struct packet o = node2_outer(family(state));

	o.no_udp_checksum = !o.no_udp_checksum;
	comes_in(&o, 0x08, VNI, inner(IP4, &overlay_pod));
	assert_int_equal(world.b.n, 1);
}

static void inner_ip_for_this_nodes_own_address_goes_to_the_host(void **state)
{
	for (enum family f = IP4; f <= IP6; f++) {
		struct packet p = inner(f, &node1);
		p.ttl = 1; // arrived: nobody routes it any further
		comes(family(state), p);
		p.eth_src = GATEWAY_MAC_TEXT;
		p.eth_dst = HOST_MAC_TEXT;
		struct bytes expected = frame_ip(&p);
		expect_out(HOST, &expected);
	}
}

static void anything_else_inside_a_tunnel_is_never_forwarded_on(void **state)
{
	static const struct station *const others[] = {&far_overlay_pod, &far_blue_pod,
		&nobody_overlay, &reserved_overlay, &blue_server, &nobody_blue, &node2, &outside};

	for (enum family f = IP4; f <= IP6; f++) {
		for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
			comes(family(state), inner(f, others[i]));
			expect_drop(DROP_NOT_FOR_US);
			expect_no_punt();
		}
	}
}

static void inner_multicast_is_dropped(void **state)
{
	struct packet p = inner(IP4, &overlay_pod);

	p.eth_dst = GROUP_MAC;
	comes(family(state), p);
	expect_drop(DROP_MULTICAST);
	p.eth_dst = VTEP_MAC_TEXT;
	p.dst = "224.0.0.5";
	comes(family(state), p);
	expect_drop(DROP_MULTICAST);
}

static void inner_frame_that_is_neither_ip_nor_arp_is_dropped(void **state)
{
	struct packet p = inner(IP4, &overlay_pod);
	struct bytes in = frame_ip(&p);

	in.data[12] = 0x88;
	struct bytes frame = from_node2(family(state), &in);
	run(UPLINK, &frame);
	expect_drop(DROP_UNKNOWN_ETHERTYPE);
}

static void tag_inside_a_tunnel_is_dropped(void **state)
{
	struct packet p = inner(IP4, &overlay_pod);

	p.vlan = VLAN_BLUE;
	comes(family(state), p);
	expect_drop(DROP_UNKNOWN_VLAN);
	p.vlan = TAG_PRIORITY;
	comes(family(state), p);
	expect_drop(DROP_UNKNOWN_VLAN);
}

static void inner_fragment_is_delivered(void **state)
{
	for (enum family f = IP4; f <= IP6; f++) {
		struct packet p = inner(f, &overlay_pod);
		p.offset = 1200;
		comes(family(state), p);
		struct bytes expected = delivered(p, &overlay_pod);
		expect_out(overlay_pod.port, &expected);
	}
}

// ── ARP and ND inside ──────────────────────────────────────────────────────────────────────────

static struct arp arp_inside(uint16_t op, const char *eth_dst, const char *target)
{
	return (struct arp){.eth_src = NODE2_VTEP_MAC_TEXT,
		.eth_dst = eth_dst,
		.op = op,
		.sha = NODE2_VTEP_MAC_TEXT,
		.sip = far_overlay_pod.ip[IP4],
		.tha = NOBODY_MAC,
		.tip = target};
}

static struct nd nd_inside(uint8_t type, const char *target)
{
	return (struct nd){.eth_src = NODE2_VTEP_MAC_TEXT,
		.eth_dst = GROUP_MAC,
		.src = far_overlay_pod.ip[IP6],
		.dst = "ff02::1:ff00:10",
		.hop_limit = 255,
		.type = type,
		.target = target,
		.option = type == 135 ? 1 : 2,
		.lladdr = NODE2_VTEP_MAC_TEXT};
}

static void inner_arp_broadcast_for_a_local_pod_is_answered_through_the_tunnel(void **state)
{
	static const char *const groups[] = {BROADCAST_TEXT, GROUP_MAC, VTEP_MAC_TEXT};
	static const struct station *const targets[] = {&overlay_pod, &blue_pod, &node1};

	for (size_t i = 0; i < 3; i++) {
		struct arp a = arp_inside(1, groups[i], targets[i]->ip[IP4]);
		struct bytes in = frame_arp(&a);
		struct bytes frame = from_node2(family(state), &in);
		run(UPLINK, &frame);
		struct bytes expected = frame_arp(&(struct arp){.eth_src = VTEP_MAC_TEXT,
			.eth_dst = NODE2_VTEP_MAC_TEXT,
			.op = 2,
			.sha = VTEP_MAC_TEXT,
			.sip = targets[i]->ip[IP4],
			.tha = NODE2_VTEP_MAC_TEXT,
			.tip = far_overlay_pod.ip[IP4]});
		expect_tunnel(&expected, 0);
		expect_no_punt();
	}
}

static void inner_solicitation_for_a_local_pod_is_answered_through_the_tunnel(void **state)
{
	struct nd n = nd_inside(135, overlay_pod.ip[IP6]);
	struct bytes in = frame_nd(&n);
	struct bytes frame = from_node2(family(state), &in);

	run(UPLINK, &frame);
	struct bytes expected = frame_nd(&(struct nd){.eth_src = VTEP_MAC_TEXT,
		.eth_dst = NODE2_VTEP_MAC_TEXT,
		.src = overlay_pod.ip[IP6],
		.dst = far_overlay_pod.ip[IP6],
		.hop_limit = 255,
		.type = 136,
		.flags = 0x60000000,
		.target = overlay_pod.ip[IP6],
		.option = 2,
		.lladdr = VTEP_MAC_TEXT});
	expect_tunnel(&expected, 0);
}

static void answer_through_the_tunnel_keeps_to_the_outer_vlan(void **state)
{
	struct arp a = arp_inside(1, GROUP_MAC, overlay_pod.ip[IP4]);
	struct bytes in = frame_arp(&a);
	struct packet o = node2_outer(family(state));

	o.vlan = VLAN_BLUE;
	struct bytes frame = frame_vxlan(&o, 0x08, VNI, &in);
	run(UPLINK, &frame);
	struct bytes got = result();
	assert_int_equal(got.data[12] << 8 | got.data[13], 0x8100);
	assert_int_equal(got.data[14] << 8 | got.data[15], VLAN_BLUE);
}

static void inner_arp_that_is_not_for_a_local_pod_is_ignored(void **state)
{
	static const struct station *const others[] = {
		&far_overlay_pod, &nobody_overlay, &reserved_overlay, &node2, &outside};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct arp a = arp_inside(1, GROUP_MAC, others[i]->ip[IP4]);
		struct bytes in = frame_arp(&a);
		struct bytes frame = from_node2(family(state), &in);
		run(UPLINK, &frame);
		expect_drop(DROP_ARP_IGNORED);
		struct nd n = nd_inside(135, others[i]->ip[IP6]);
		in = frame_nd(&n);
		frame = from_node2(family(state), &in);
		run(UPLINK, &frame);
		expect_drop(DROP_ARP_IGNORED);
	}
}

static void inner_arp_reply_and_advertisement_are_ignored(void **state)
{
	struct arp a = arp_inside(2, VTEP_MAC_TEXT, overlay_pod.ip[IP4]);
	struct bytes in = frame_arp(&a);
	struct bytes frame = from_node2(family(state), &in);

	run(UPLINK, &frame);
	expect_drop(DROP_ARP_IGNORED);
	expect_no_punt();
	struct nd n = nd_inside(136, overlay_pod.ip[IP6]);
	in = frame_nd(&n);
	frame = from_node2(family(state), &in);
	run(UPLINK, &frame);
	expect_drop(DROP_ARP_IGNORED);
	expect_no_punt();
}

// ── Which tunnels are ours ─────────────────────────────────────────────────────────────────────

static void other_vni_is_dropped(void **state)
{
	struct packet o = node2_outer(family(state));

	comes_in(&o, 0x08, VNI + 1, inner(IP4, &overlay_pod));
	expect_drop(DROP_UNKNOWN_VNI);
	comes_in(&o, 0x08, VNI | 0x800000, inner(IP4, &overlay_pod));
	expect_drop(DROP_UNKNOWN_VNI);
	world.node.has_vni = false;
	world_publish();
	comes_in(&o, 0x08, VNI, inner(IP4, &overlay_pod));
	expect_drop(DROP_UNKNOWN_VNI);
}

static void wrong_vxlan_flags_are_dropped(void **state)
{
	static const uint8_t wrong[] = {0x00, 0x88, 0x0c, 0xf7};
	struct packet o = node2_outer(family(state));

	for (size_t i = 0; i < sizeof(wrong); i++) {
		comes_in(&o, wrong[i], VNI, inner(IP4, &overlay_pod));
		expect_drop(DROP_UNKNOWN_VNI);
	}
}

static void vxlan_to_another_port_or_address_is_not_unwrapped(void **state)
{
	enum family f = family(state);
	struct packet o = node2_outer(f);
	struct packet p = inner(IP4, &overlay_pod);

	o.dport = 4789;
	comes_in(&o, 0x08, VNI, p);
	assert_int_equal(pkt(world.b.pkt[0])->out, HOST);
	world.node.vxlan_port = 4789;
	world_publish();
	comes_in(&o, 0x08, VNI, p);
	assert_int_equal(pkt(world.b.pkt[0])->out, overlay_pod.port);
	o.dst = f == IP4 ? "10.0.0.9" : "fd00::9";
	comes_in(&o, 0x08, VNI, p);
	assert_int_equal(pkt(world.b.pkt[0])->out, HOST);
	o = node2_outer(f);
	o.dport = 4789;
	o.eth_dst = "02:00:00:00:99:99";
	comes_in(&o, 0x08, VNI, p);
	expect_drop(DROP_NOT_FOR_US);
}

static void fragment_of_a_vxlan_packet_is_dropped(void **state)
{
	struct packet o = node2_outer(family(state));

	o.no_fragment = false;
	o.more = true;
	comes_in(&o, 0x08, VNI, inner(IP4, &overlay_pod));
	expect_drop(DROP_TUNNEL_FRAGMENT);
}

static void vxlan_inside_vxlan_is_only_another_packet(void **state)
{
	struct packet p = inner(IP4, &overlay_pod);
	struct bytes innermost = frame_ip(&p);
	struct packet o = node2_outer(IP4);
	struct bytes in = frame_vxlan(&o, 0x08, VNI, &innermost);
	struct bytes frame = from_node2(family(state), &in);

	run(UPLINK, &frame); // the second is for this node's own address, so the host's
	assert_int_equal(pkt(world.b.pkt[0])->out, HOST);
	assert_int_equal(result().len, in.len);
	o.dst = overlay_pod.ip[IP4];
	in = frame_vxlan(&o, 0x08, VNI, &innermost);
	frame = from_node2(family(state), &in);
	run(UPLINK, &frame);
	assert_int_equal(pkt(world.b.pkt[0])->out, overlay_pod.port);
	assert_int_equal(result().len, in.len);
}

// ── ECN, TTL and errors ────────────────────────────────────────────────────────────────────────

// RFC 6040, figure 4: rows are the inner field, columns the outer one; 4 means drop.
static void ecn_of_a_packet_out_of_a_tunnel_follows_rfc_6040(void **state)
{
	static const uint8_t merged[4][4] = {
		{0, 0, 0, 4}, {1, 1, 1, 3}, {2, 1, 2, 3}, {3, 3, 3, 3}};

	for (uint8_t in = 0; in < 4; in++) {
		for (uint8_t out = 0; out < 4; out++) {
			for (enum family f = IP4; f <= IP6; f++) {
				struct packet o = node2_outer(family(state));
				struct packet p = inner(f, &overlay_pod);
				o.tos = 0x28 | out;
				p.tos = 0xb8 | in;
				comes_in(&o, 0x08, VNI, p);
				if (merged[in][out] == 4) {
					expect_drop(DROP_ECN_INVALID);
					continue;
				}
				p.tos = 0xb8 | merged[in][out];
				struct bytes expected = delivered(p, &overlay_pod);
				expect_out(overlay_pod.port, &expected);
			}
		}
	}
}

static void ttl_of_one_out_of_a_tunnel_is_exceeded_and_told_through_it(void **state)
{
	for (enum family f = IP4; f <= IP6; f++) {
		struct packet p = inner(f, &overlay_pod);
		p.ttl = 1;
		comes(family(state), p);
		struct bytes quoted = frame_ip(&p);
		struct bytes expected = icmp_error_about(&quoted, node1.ip[f], p.src, VTEP_MAC_TEXT,
			NODE2_VTEP_MAC_TEXT, 0, f == IP4 ? 11 : 3, 0);
		expect_tunnel(&expected, f == IP4 ? 0xc0 : 0);
		expect_drop_count(DROP_TTL_EXCEEDED, 1);
	}
}

static const char tests_prefix[] = "from-tunnel";
static const struct CMUnitTest tests[] = {
	BOTH(inner_ip_for_a_local_pod_of_either_kind_is_delivered),
	BOTH(tunnel_on_a_vlan_is_unwrapped_as_well),
	BOTH(outer_checksum_may_be_there_or_not),
	BOTH(inner_ip_for_this_nodes_own_address_goes_to_the_host),
	BOTH(anything_else_inside_a_tunnel_is_never_forwarded_on),
	BOTH(inner_multicast_is_dropped),
	BOTH(inner_frame_that_is_neither_ip_nor_arp_is_dropped),
	BOTH(tag_inside_a_tunnel_is_dropped),
	BOTH(inner_fragment_is_delivered),
	BOTH(inner_arp_broadcast_for_a_local_pod_is_answered_through_the_tunnel),
	BOTH(inner_solicitation_for_a_local_pod_is_answered_through_the_tunnel),
	BOTH(answer_through_the_tunnel_keeps_to_the_outer_vlan),
	BOTH(inner_arp_that_is_not_for_a_local_pod_is_ignored),
	BOTH(inner_arp_reply_and_advertisement_are_ignored),
	BOTH(other_vni_is_dropped),
	BOTH(wrong_vxlan_flags_are_dropped),
	BOTH(vxlan_to_another_port_or_address_is_not_unwrapped),
	BOTH(fragment_of_a_vxlan_packet_is_dropped),
	BOTH(vxlan_inside_vxlan_is_only_another_packet),
	BOTH(ecn_of_a_packet_out_of_a_tunnel_follows_rfc_6040),
	BOTH(ttl_of_one_out_of_a_tunnel_is_exceeded_and_told_through_it),
};

int main(void)
{
	return RUN_TESTS(tests);
}
