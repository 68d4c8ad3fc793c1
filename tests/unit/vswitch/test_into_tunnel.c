// Into VXLAN: the outer headers that a packet for another node gets. Each test runs for both outer
// families or, where the outer one does not matter, for both inner ones.
#include "tests/unit/dataplane/eal.h"
#include "tests/unit/vswitch/suite.h"

static void pods_packet_is_wrapped_with_all_headers_right(void **state)
{
	if (family(state) == IP6)
		world_set_tunnel(IP6);
	for (enum family f = IP4; f <= IP6; f++) {
		for (uint16_t len = 0; len < 40; len++) { // odd and even, for the checksum
			struct packet p = udp(f, &overlay_pod, &far_overlay_pod);
			p.payload_len = len;
			struct bytes frame = frame_ip(&p);
			run(overlay_pod.port, &frame);
			struct bytes in = into_tunnel(p);
			expect_tunnel(&in, 0);
		}
	}
}

static void chain_is_wrapped_with_the_checksum_over_all_of_it(void **state)
{
	struct packet p = udp(IP4, &overlay_pod, &far_overlay_pod);
	p.payload_len = 100;
	struct bytes frame = frame_ip(&p);

	if (family(state) == IP6)
		world_set_tunnel(IP6);
	for (uint16_t cut = 42; cut < 60; cut++) {
		struct rte_mbuf *head = frame_mbuf(&world.frames[0], 128, frame.data, cut);
		struct rte_mbuf *tail = frame_mbuf(
			&world.frames[1], 0, frame.data + cut, (uint16_t)(frame.len - cut));
		head->next = tail;
		head->nb_segs = 2;
		head->pkt_len = frame.len;
		run_mbuf(overlay_pod.port, head);
		struct bytes in = into_tunnel(p);
		expect_tunnel(&in, 0);
	}
}

static void tunnel_over_a_vlan_is_tagged(void **)
{
	struct nexthop nh = *world.tab->nexthops[world.tunnel];
	struct packet p = udp(IP4, &overlay_pod, &far_overlay_pod);
	struct bytes frame = frame_ip(&p);

	nh.vlan = 77;
	assert_int_equal(tables_set_nexthop(world.tab, world.tunnel, &nh), 0);
	run(overlay_pod.port, &frame);
	struct bytes got = result();
	assert_int_equal(got.len, frame.len + 54);
	assert_int_equal(got.data[12] << 8 | got.data[13], 0x8100);
	assert_int_equal(got.data[14] << 8 | got.data[15], 77);
	assert_int_equal(got.data[16] << 8 | got.data[17], 0x0800);
}

static void dscp_and_ecn_are_copied_to_the_outer_header(void **state)
{
	if (family(state) == IP6)
		world_set_tunnel(IP6);
	for (enum family f = IP4; f <= IP6; f++) {
		for (uint8_t ecn = 0; ecn < 4; ecn++) {
			struct packet p = udp(f, &overlay_pod, &far_overlay_pod);
			p.tos = 0xb8 | ecn;
			struct bytes frame = frame_ip(&p);
			run(overlay_pod.port, &frame);
			struct bytes in = into_tunnel(p);
			expect_tunnel(&in, p.tos);
		}
	}
}

static uint16_t entropy_port(struct packet p)
{
	struct bytes frame = frame_ip(&p);
	run(overlay_pod.port, &frame);
	struct bytes got = result();
	return (uint16_t)(got.data[34] << 8 | got.data[35]);
}

static void outer_source_port_is_the_flows(void **state)
{
	struct packet p = udp(family(state), &overlay_pod, &far_overlay_pod);
	unsigned different = 0;
	uint16_t first = entropy_port(p);

	p.payload_len = 99;
	assert_int_equal(entropy_port(p), first);
	for (uint16_t i = 1; i <= 100; i++) {
		p.sport = (uint16_t)(1000 + i);
		different += entropy_port(p) != first;
	}
	assert_in_range(different, 95, 100);
	p.proto = IPPROTO_TCP;
	p.sport = 1000;
	assert_int_not_equal(entropy_port(p), first);
}

static void fragments_of_one_datagram_have_one_outer_source_port(void **state)
{
	struct packet p = udp(family(state), &overlay_pod, &far_overlay_pod);

	p.more = true;
	uint16_t first = entropy_port(p);
	p.offset = 1200;
	assert_int_equal(entropy_port(p), first);
	p.more = false;
	assert_int_equal(entropy_port(p), first);
}

static void tunnel_without_an_own_address_or_vni_is_not_entered(void **state)
{
	enum family f = family(state);
	struct packet p = udp(IP4, &overlay_pod, &far_overlay_pod);
	struct bytes frame = frame_ip(&p);

	if (f == IP6)
		world_set_tunnel(IP6);
	*(f == IP4 ? &world.node.vtep4 : &world.node.vtep6) = (struct in6_addr){0};
	world_publish();
	run(overlay_pod.port, &frame);
	expect_drop(DROP_NO_VTEP);
	world.node.vtep4 = frame_addr(node1.ip[IP4]);
	world.node.vtep6 = frame_addr(node1.ip[IP6]);
	world.node.has_vni = false;
	world_publish();
	run(overlay_pod.port, &frame);
	expect_drop(DROP_NO_VTEP);
}

static const char tests_prefix[] = "into-tunnel";
static const struct CMUnitTest tests[] = {
	BOTH(dscp_and_ecn_are_copied_to_the_outer_header),
	BOTH(pods_packet_is_wrapped_with_all_headers_right),
	BOTH(chain_is_wrapped_with_the_checksum_over_all_of_it),
	TEST4(tunnel_over_a_vlan_is_tagged),
	BOTH(outer_source_port_is_the_flows),
	BOTH(fragments_of_one_datagram_have_one_outer_source_port),
	BOTH(tunnel_without_an_own_address_or_vni_is_not_entered),
};

int main(void)
{
	return RUN_TESTS(tests);
}
