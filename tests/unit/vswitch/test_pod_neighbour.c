// What a pod sees of its link: ARP, neighbour discovery and ping to the virtual gateway; and the
// ICMP errors it gets.
#include "tests/unit/dataplane/eal.h"
#include "tests/unit/vswitch/suite.h"

#include <string.h>

#define NOBODY_MAC "00:00:00:00:00:00"
#define POD_LINK_LOCAL "fe80::12:34ff:fe00:10"
#define SOLICITED_NODE "ff02::1:ff00:1"
#define SOLICITED_NODE_MAC "33:33:ff:00:00:01"

static struct arp arp_request(const char *target)
{
	return (struct arp){.eth_src = overlay_pod.mac,
		.eth_dst = BROADCAST_TEXT,
		.op = 1,
		.sha = overlay_pod.mac,
		.sip = overlay_pod.ip[IP4],
		.tha = NOBODY_MAC,
		.tip = target};
}

static struct nd solicitation(const char *target)
{
	return (struct nd){.eth_src = overlay_pod.mac,
		.eth_dst = SOLICITED_NODE_MAC,
		.src = overlay_pod.ip[IP6],
		.dst = SOLICITED_NODE,
		.hop_limit = 255,
		.type = 135,
		.target = target,
		.option = 1,
		.lladdr = overlay_pod.mac};
}

static struct nd advertisement(const char *target)
{
	struct nd n = solicitation(target);
	n.eth_dst = "33:33:00:00:00:01";
	n.dst = "ff02::1";
	n.type = 136;
	n.option = 2;
	n.flags = 0x20000000;
	return n;
}

static void sends_arp(struct arp a)
{
	struct bytes frame = frame_arp(&a);
	run(overlay_pod.port, &frame);
}

static void sends_nd(struct nd n)
{
	struct bytes frame = frame_nd(&n);
	run(overlay_pod.port, &frame);
}

static void arp_is_answered_for_any_address_with_the_gateways_mac(void **)
{
	static const char *const targets[] = {"169.254.1.1", "100.64.0.1", "100.64.0.11",
		"192.168.56.1", "10.0.0.1", "198.51.100.7"};

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		sends_arp(arp_request(targets[i]));
		struct bytes expected = frame_arp(&(struct arp){.eth_src = GATEWAY_MAC_TEXT,
			.eth_dst = overlay_pod.mac,
			.op = 2,
			.sha = GATEWAY_MAC_TEXT,
			.sip = targets[i],
			.tha = overlay_pod.mac,
			.tip = overlay_pod.ip[IP4]});
		expect_out(overlay_pod.port, &expected);
		assert_int_equal(world.b.n_dropped, 0);
	}
}

static void arp_for_the_pods_own_address_stays_silent(void **)
{
	struct arp probe = arp_request(overlay_pod.ip[IP4]);

	sends_arp(probe); // gratuitous
	expect_drop(DROP_ARP_IGNORED);
	probe.sip = "0.0.0.0"; // duplicate address detection
	sends_arp(probe);
	expect_drop(DROP_ARP_IGNORED);
}

static void arp_probe_for_a_foreign_address_finds_a_duplicate(void **)
{
	struct arp probe = arp_request(overlay_pod2.ip[IP4]);

	probe.sip = "0.0.0.0";
	sends_arp(probe);
	assert_int_equal(result().data[21], 2);
}

static void padded_arp_is_answered(void **)
{
	struct arp a = arp_request("169.254.1.1");
	struct bytes frame = frame_arp(&a);

	frame.len = 60;
	run(overlay_pod.port, &frame);
	assert_int_equal(result().len, 42); // the driver pads it again
	assert_int_equal(result().data[21], 2);
}

static void arp_reply_of_a_pod_is_ignored(void **)
{
	struct arp reply = arp_request("169.254.1.1");

	reply.op = 2;
	sends_arp(reply);
	expect_drop(DROP_ARP_IGNORED);
}

static void arp_with_a_foreign_sender_is_spoofed(void **)
{
	struct arp a = arp_request("169.254.1.1");

	a.sip = overlay_pod2.ip[IP4];
	sends_arp(a);
	expect_drop(DROP_SPOOFED_IP);
	a.tip = a.sip; // gratuitous
	sends_arp(a);
	expect_drop(DROP_SPOOFED_IP);
	a = arp_request("169.254.1.1");
	a.op = 2;
	a.sip = "0.0.0.0";
	sends_arp(a);
	expect_drop(DROP_SPOOFED_IP);
	a = arp_request("169.254.1.1");
	a.sha = overlay_pod2.mac;
	sends_arp(a);
	expect_drop(DROP_SPOOFED_MAC);
	a = arp_request("169.254.1.1");
	a.eth_src = overlay_pod2.mac;
	sends_arp(a);
	expect_drop(DROP_SPOOFED_MAC);
}

static struct nd answer(const char *target, const char *to, uint32_t flags)
{
	return (struct nd){.eth_src = GATEWAY_MAC_TEXT,
		.eth_dst = overlay_pod.mac,
		.src = target,
		.dst = to,
		.hop_limit = 255,
		.type = 136,
		.flags = flags,
		.target = target,
		.option = 2,
		.lladdr = GATEWAY_MAC_TEXT};
}

#define ROUTER_SOLICITED_OVERRIDE 0xe0000000
#define ROUTER_OVERRIDE 0xa0000000

static void solicitation_is_answered_for_any_address_with_the_gateways_mac(void **)
{
	static const char *const targets[] = {
		GATEWAY6_TEXT, "fd64::1", "fd64::11", "fd56::1", "fd00::1", "2001:db8::7"};

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		sends_nd(solicitation(targets[i]));
		struct nd n = answer(targets[i], overlay_pod.ip[IP6], ROUTER_SOLICITED_OVERRIDE);
		struct bytes expected = frame_nd(&n);
		expect_out(overlay_pod.port, &expected);
	}
}

static void solicitation_from_a_link_local_address_is_answered(void **)
{
	struct nd n = solicitation(GATEWAY6_TEXT);

	n.src = POD_LINK_LOCAL;
	sends_nd(n);
	struct nd a = answer(GATEWAY6_TEXT, POD_LINK_LOCAL, ROUTER_SOLICITED_OVERRIDE);
	struct bytes expected = frame_nd(&a);
	expect_out(overlay_pod.port, &expected);
}

static void solicitation_without_an_option_is_answered_with_one(void **)
{
	struct nd n = solicitation(GATEWAY6_TEXT);

	n.option = 0;
	sends_nd(n);
	struct nd a = answer(GATEWAY6_TEXT, overlay_pod.ip[IP6], ROUTER_SOLICITED_OVERRIDE);
	struct bytes expected = frame_nd(&a);
	expect_out(overlay_pod.port, &expected);
}

static void solicitation_for_the_pods_own_address_stays_silent(void **)
{
	struct nd n = solicitation(overlay_pod.ip[IP6]);

	sends_nd(n);
	expect_drop(DROP_ARP_IGNORED);
	n.src = "::"; // duplicate address detection
	n.option = 0;
	sends_nd(n);
	expect_drop(DROP_ARP_IGNORED);
	n.target = POD_LINK_LOCAL;
	sends_nd(n);
	expect_drop(DROP_ARP_IGNORED);
}

static void duplicate_detection_for_a_foreign_address_is_answered_to_all(void **)
{
	struct nd n = solicitation(overlay_pod2.ip[IP6]);

	n.src = "::";
	n.option = 0;
	sends_nd(n);
	struct nd a = answer(overlay_pod2.ip[IP6], "ff02::1", ROUTER_OVERRIDE);
	a.eth_dst = "33:33:00:00:00:01";
	struct bytes expected = frame_nd(&a);
	expect_out(overlay_pod.port, &expected);
}

static void advertisement_of_the_pods_own_address_is_ignored(void **)
{
	sends_nd(advertisement(overlay_pod.ip[IP6]));
	expect_drop(DROP_ARP_IGNORED);
}

static void neighbour_discovery_with_a_foreign_sender_is_spoofed(void **)
{
	struct nd n = solicitation(GATEWAY6_TEXT);

	n.src = overlay_pod2.ip[IP6];
	sends_nd(n);
	expect_drop(DROP_SPOOFED_IP);
	n = advertisement(overlay_pod2.ip[IP6]);
	sends_nd(n);
	expect_drop(DROP_SPOOFED_IP);
	n = solicitation(GATEWAY6_TEXT);
	n.lladdr = overlay_pod2.mac;
	sends_nd(n);
	expect_drop(DROP_SPOOFED_MAC);
	n = advertisement(overlay_pod.ip[IP6]);
	n.lladdr = overlay_pod2.mac;
	sends_nd(n);
	expect_drop(DROP_SPOOFED_MAC);
}

static void router_solicitation_is_dropped_quietly(void **)
{
	struct packet p = udp(IP6, &overlay_pod, &outside);

	p.src = POD_LINK_LOCAL;
	p.dst = "ff02::2";
	p.eth_dst = "33:33:00:00:00:02";
	p.ttl = 255;
	p.proto = IPPROTO_ICMPV6;
	p.icmp_type = 133;
	struct bytes frame = frame_ip(&p);
	run(overlay_pod.port, &frame);
	expect_drop(DROP_ARP_IGNORED);
}

static struct packet ping(enum family f)
{
	struct packet p = udp(f, &overlay_pod, &outside);

	p.dst = f == IP4 ? GATEWAY4_TEXT : GATEWAY6_TEXT;
	p.proto = f == IP4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	p.icmp_type = f == IP4 ? 8 : 128;
	p.icmp_rest = 0x12340001;
	p.ttl = 1; // the gateway is the first hop
	return p;
}

static void gateway_answers_ping(void **state)
{
	enum family f = family(state);
	struct packet p = ping(f);

	if (f == IP6)
		p.src = POD_LINK_LOCAL; // which Linux uses on its link
	struct bytes frame = frame_ip(&p);
	run(overlay_pod.port, &frame);

	struct packet reply = p;
	reply.eth_src = GATEWAY_MAC_TEXT;
	reply.eth_dst = overlay_pod.mac;
	reply.src = p.dst;
	reply.dst = p.src;
	reply.ttl = 64;
	reply.icmp_type = f == IP4 ? 0 : 129;
	struct bytes expected = frame_ip(&reply);
	expect_out(overlay_pod.port, &expected);
}

static void gateway_answers_nothing_but_ping(void **state)
{
	enum family f = family(state);
	struct packet p = ping(f);

	p.icmp_type = f == IP4 ? 13 : 200;
	struct bytes frame = frame_ip(&p);
	run(overlay_pod.port, &frame);
	expect_drop(DROP_TO_GATEWAY);
	p = ping(f);
	p.more = true;
	frame = frame_ip(&p);
	run(overlay_pod.port, &frame);
	expect_drop(DROP_TO_GATEWAY);
	p = ping(f);
	p.eth_dst = BROADCAST_TEXT;
	frame = frame_ip(&p);
	run(overlay_pod.port, &frame);
	expect_drop(DROP_TO_GATEWAY);
	p = udp(f, &overlay_pod, &outside);
	p.dst = f == IP4 ? GATEWAY4_TEXT : GATEWAY6_TEXT;
	frame = frame_ip(&p);
	run(overlay_pod.port, &frame);
	expect_drop(DROP_TO_GATEWAY);
}

// ── When no ICMP error may be sent ─────────────────────────────────────────────────────────────

static void is_dropped_in_silence(struct packet p)
{
	struct bytes frame = frame_ip(&p);
	run(overlay_pod.port, &frame);
	expect_drop(DROP_NO_SUCH_POD);
}

static void icmp_error_is_not_answered_by_another(void **state)
{
	enum family f = family(state);
	static const uint8_t errors[2][5] = {{3, 4, 5, 11, 12}, {1, 2, 3, 4, 127}};
	struct packet p = udp(f, &overlay_pod, &nobody_overlay);

	p.proto = f == IP4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	for (size_t i = 0; i < 5; i++) {
		p.icmp_type = errors[f][i];
		is_dropped_in_silence(p);
	}
	p.icmp_type = f == IP4 ? 8 : 128;
	struct bytes frame = frame_ip(&p);
	run(overlay_pod.port, &frame);
	assert_int_equal(world.b.n, 1);
}

static void only_the_first_fragment_is_answered_by_an_icmp_error(void **state)
{
	struct packet p = udp(family(state), &overlay_pod, &nobody_overlay);

	p.offset = 1480;
	is_dropped_in_silence(p);
	p.offset = 0;
	p.more = true;
	struct bytes frame = frame_ip(&p);
	run(overlay_pod.port, &frame);
	assert_int_equal(world.b.n, 1);
}

static void icmp_errors_are_limited_to_a_rate(void **state)
{
	struct packet p = udp(family(state), &overlay_pod, &nobody_overlay);
	struct bytes frame = frame_ip(&p);
	unsigned errors = 0;

	for (unsigned i = 0; i < 200; i++) {
		run(overlay_pod.port, &frame);
		errors += world.b.n;
		expect_drop_count(DROP_NO_SUCH_POD, 1);
		expect_drop_count(DROP_RATE_LIMITED, world.b.n == 0 ? 1 : 0);
	}
	assert_int_equal(errors, 64);
	world.icmp_limit.last -= UINT64_C(3) << 21; // three tokens' time passes
	for (unsigned i = 0; i < 5; i++) {
		run(overlay_pod.port, &frame);
		errors += world.b.n;
	}
	assert_int_equal(errors, 67);
}

static void icmp_error_about_a_long_packet_quotes_only_its_begin(void **state)
{
	enum family f = family(state);
	struct packet p = udp(f, &overlay_pod, &nobody_overlay);

	p.payload_len = 1400;
	struct bytes frame = frame_ip(&p);
	run(overlay_pod.port, &frame);
	p.ttl--;
	frame = frame_ip(&p);
	struct bytes expected = icmp_error_about(&frame, f == IP4 ? GATEWAY4_TEXT : GATEWAY6_TEXT,
		p.src, GATEWAY_MAC_TEXT, overlay_pod.mac, 0, f == IP4 ? 3 : 1, f == IP4 ? 1 : 3);
	expect_out(overlay_pod.port, &expected);
	assert_int_equal(result().len, 14 + (f == IP4 ? 576 : 1280));
}

static void icmp_error_about_a_chain_gives_its_tail_back(void **state)
{
	struct packet p = udp(family(state), &overlay_pod, &nobody_overlay);
	struct bytes frame = frame_ip(&p);
	struct rte_mbuf *head = frame_mbuf(&world.frames[0], 128, frame.data, 70);
	struct rte_mbuf *tail =
		frame_mbuf(&world.frames[1], 0, frame.data + 70, (uint16_t)(frame.len - 70));

	head->next = tail;
	head->nb_segs = 2;
	head->pkt_len = frame.len;
	run_mbuf(overlay_pod.port, head);
	assert_int_equal(world.b.n, 1);
	assert_null(head->next);
	assert_int_equal(head->nb_segs, 1);
	assert_int_equal(head->pkt_len, head->data_len);
	assert_int_equal(world.b.n_dead, 1);
	assert_ptr_equal(world.b.dead[0], tail);
	assert_int_equal(world.b.n_dropped, 1);
}

static const char tests_prefix[] = "pod-neighbour";
static const struct CMUnitTest tests[] = {
	TEST4(arp_is_answered_for_any_address_with_the_gateways_mac),
	TEST4(arp_for_the_pods_own_address_stays_silent),
	TEST4(arp_probe_for_a_foreign_address_finds_a_duplicate),
	TEST4(padded_arp_is_answered),
	TEST4(arp_reply_of_a_pod_is_ignored),
	TEST4(arp_with_a_foreign_sender_is_spoofed),
	TEST6(solicitation_is_answered_for_any_address_with_the_gateways_mac),
	TEST6(solicitation_from_a_link_local_address_is_answered),
	TEST6(solicitation_without_an_option_is_answered_with_one),
	TEST6(solicitation_for_the_pods_own_address_stays_silent),
	TEST6(duplicate_detection_for_a_foreign_address_is_answered_to_all),
	TEST6(advertisement_of_the_pods_own_address_is_ignored),
	TEST6(neighbour_discovery_with_a_foreign_sender_is_spoofed),
	TEST6(router_solicitation_is_dropped_quietly),
	BOTH(gateway_answers_ping),
	BOTH(gateway_answers_nothing_but_ping),
	BOTH(icmp_error_is_not_answered_by_another),
	BOTH(only_the_first_fragment_is_answered_by_an_icmp_error),
	BOTH(icmp_errors_are_limited_to_a_rate),
	BOTH(icmp_error_about_a_long_packet_quotes_only_its_begin),
	BOTH(icmp_error_about_a_chain_gives_its_tail_back),
};

int main(void)
{
	return RUN_TESTS(tests);
}
