// What a pod may not send wherever it is for, by doc/forwarding.md: groups, what is not its own,
// expired and too long packets, and, beside each, what just passes.
#include "tests/unit/dataplane/eal.h"
#include "tests/unit/vswitch/suite.h"

#include <string.h>

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
		sends(&overlay_pod, p);
		expect_refusal(&overlay_pod, p, DROP_TTL_EXCEEDED, f == IP4 ? 11 : 3, 0);
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

	world_set_mtu(&overlay_pod2, 1400);
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

static void only_what_is_too_long_of_a_burst_is_dropped(void **state)
{
	enum family f = family(state);
	struct packet small = of_len(udp(f, &overlay_pod, &overlay_pod2), 100);
	struct packet large = of_len(udp(f, &overlay_pod, &far_overlay_pod), 1451);

	sends_both(&overlay_pod, small, large);
	expect_drop_count(DROP_TOO_BIG, 1);
	assert_int_equal(result().len, 114);
	sends_both(&overlay_pod, large, small);
	expect_drop_count(DROP_TOO_BIG, 1);
	assert_int_equal(result().len, 114);
	sends_both(&overlay_pod, of_len(small, 1400), of_len(large, 1450));
	assert_int_equal(world.b.n, 2);
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

static const char tests_prefix[] = "pod-refused";
static const struct CMUnitTest tests[] = {
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
	BOTH(only_what_is_too_long_of_a_burst_is_dropped),
	BOTH(buffer_without_room_for_the_headers_is_dropped),
};

int main(void)
{
	return RUN_TESTS(tests);
}
