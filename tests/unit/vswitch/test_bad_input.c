// Frames that are cut short, lie about their lengths, or are made to wear the switch out: each has
// its drop reason, and nothing behind their end is ever read (the buffers end where the frames do,
// so that AddressSanitizer sees it).
#include "tests/unit/dataplane/eal.h"
#include "tests/unit/vswitch/suite.h"

#include <rte_ip.h>

#include <string.h>

#define IP_AT 14

static void runs_tight(uint16_t port, const void *data, uint16_t len)
{
	struct frame *f = &world.frames[0];

	run_mbuf(port, frame_tight(f, 128, data, len));
	frame_tight_free(f);
}

static void is_dropped(uint16_t port, const struct bytes *frame, enum drop_reason why)
{
	runs_tight(port, frame->data, frame->len);
	expect_drop(why);
}

static struct bytes good(enum family f)
{
	struct packet p = udp(f, &overlay_pod, &overlay_pod2);
	return frame_ip(&p);
}

static struct bytes good_tunnel(enum family f)
{
	struct packet p = udp(f, &far_overlay_pod, &overlay_pod);
	struct bytes inner = frame_ip(&p);
	return from_node2(f, &inner);
}

static void set_ip4_checksum(struct bytes *b, size_t at)
{
	struct rte_ipv4_hdr ip;

	memcpy(&ip, b->data + at, sizeof(ip));
	ip.hdr_checksum = 0;
	ip.hdr_checksum = rte_ipv4_cksum(&ip);
	memcpy(b->data + at, &ip, sizeof(ip));
}

static void put16(struct bytes *b, size_t at, unsigned value)
{
	b->data[at] = (uint8_t)(value >> 8);
	b->data[at + 1] = (uint8_t)value;
}

static void frame_cut_at_any_length_is_malformed(void **state)
{
	struct bytes frame = good(family(state));

	for (uint16_t len = 0; len < frame.len; len++) {
		runs_tight(overlay_pod.port, frame.data, len);
		expect_drop(DROP_MALFORMED);
	}
}

static void tagged_frame_cut_at_any_length_is_malformed(void **state)
{
	struct packet p = udp(family(state), &blue_server, &blue_pod);

	p.eth_dst = UPLINK_MAC_TEXT;
	p.vlan = VLAN_BLUE;
	struct bytes frame = frame_ip(&p);
	for (uint16_t len = 0; len < frame.len; len++) {
		runs_tight(UPLINK, frame.data, len);
		expect_drop(DROP_MALFORMED);
	}
}

static void tunnel_packet_cut_at_any_length_is_malformed(void **state)
{
	struct bytes frame = good_tunnel(family(state));

	for (uint16_t len = 0; len < frame.len; len++) {
		runs_tight(UPLINK, frame.data, len);
		expect_drop(DROP_MALFORMED);
	}
}

// The outer headers are right about what is there; the inner frame is not all there.
static void inner_frame_cut_at_any_length_is_malformed(void **state)
{
	struct packet p = udp(family(state), &far_overlay_pod, &overlay_pod);
	struct bytes inner = frame_ip(&p);

	for (uint16_t len = 0; len < inner.len; len++) {
		struct bytes cut = inner;
		cut.len = len;
		struct bytes frame = from_node2(family(state), &cut);
		is_dropped(UPLINK, &frame, DROP_MALFORMED);
	}
}

static void arp_cut_at_any_length_is_malformed(void **)
{
	struct arp a = {.eth_src = overlay_pod.mac,
		.eth_dst = BROADCAST_TEXT,
		.op = 1,
		.sha = overlay_pod.mac,
		.sip = overlay_pod.ip[IP4],
		.tha = "00:00:00:00:00:00",
		.tip = GATEWAY4_TEXT};
	struct bytes frame = frame_arp(&a);

	for (uint16_t len = 0; len < frame.len; len++) {
		runs_tight(overlay_pod.port, frame.data, len);
		expect_drop(DROP_MALFORMED);
	}
	for (size_t at = 14; at < 20; at++) { // hardware, protocol and their address lengths
		struct bytes lying = frame;
		lying.data[at]++;
		is_dropped(overlay_pod.port, &lying, DROP_MALFORMED);
	}
}

static struct bytes solicitation(void)
{
	return frame_nd(&(struct nd){.eth_src = overlay_pod.mac,
		.eth_dst = "33:33:ff:00:00:01",
		.src = overlay_pod.ip[IP6],
		.dst = "ff02::1:ff00:1",
		.hop_limit = 255,
		.type = 135,
		.target = GATEWAY6_TEXT,
		.option = 1,
		.lladdr = overlay_pod.mac});
}

// Sets the checksum of the ICMPv6 message that fills the rest of the frame.
static void set_icmp6_checksum(struct bytes *b)
{
	struct rte_ipv6_hdr ip;
	uint8_t message[256];
	uint16_t len = (uint16_t)(b->len - IP_AT - 40);

	put16(b, IP_AT + 40 + 2, 0);
	memcpy(&ip, b->data + IP_AT, sizeof(ip));
	memcpy(message, b->data + IP_AT + 40, len);
	uint16_t sum = rte_ipv6_udptcp_cksum(&ip, message);
	memcpy(b->data + IP_AT + 40 + 2, &sum, sizeof(sum));
}

static void neighbour_discovery_of_any_wrong_length_is_malformed(void **)
{
	struct bytes whole = solicitation();

	for (uint16_t len = 8; len < 32; len++) {
		if (len == 24)
			continue; // a solicitation without an option
		struct bytes frame = whole;
		frame.len = (uint16_t)(IP_AT + 40 + len);
		put16(&frame, IP_AT + 4, len);
		set_icmp6_checksum(&frame);
		is_dropped(overlay_pod.port, &frame, DROP_MALFORMED);
	}
	runs_tight(overlay_pod.port, whole.data, whole.len);
	assert_int_equal(world.b.n, 1);
}

static void neighbour_discovery_with_broken_rules_is_dropped(void **)
{
	struct bytes frame = solicitation();

	frame.data[IP_AT + 7] = 254; // it was forwarded
	is_dropped(overlay_pod.port, &frame, DROP_MALFORMED);
	frame = solicitation();
	frame.data[IP_AT + 40 + 20]++;
	is_dropped(overlay_pod.port, &frame, DROP_BAD_CHECKSUM);
	frame = solicitation();
	frame.data[IP_AT + 40 + 25] = 0; // an option without length
	set_icmp6_checksum(&frame);
	is_dropped(overlay_pod.port, &frame, DROP_MALFORMED);
	frame = solicitation();
	frame.data[IP_AT + 40 + 25] = 2; // an option that is longer than the packet
	set_icmp6_checksum(&frame);
	is_dropped(overlay_pod.port, &frame, DROP_MALFORMED);
	frame = solicitation();
	frame.data[IP_AT + 40 + 1] = 1; // code
	set_icmp6_checksum(&frame);
	is_dropped(overlay_pod.port, &frame, DROP_MALFORMED);
	frame = solicitation();
	frame.data[IP_AT + 40 + 8] = 0xff; // a multicast target
	set_icmp6_checksum(&frame);
	is_dropped(overlay_pod.port, &frame, DROP_MALFORMED);
}

static void neighbour_discovery_of_an_ip4_mapped_address_is_malformed(void **)
{
	struct nd n = {.eth_src = NODE2_MAC_TEXT,
		.eth_dst = UPLINK_MAC_TEXT,
		.vlan = VLAN_BLUE,
		.src = far_blue_pod.ip[IP6],
		.dst = blue_pod.ip[IP6],
		.hop_limit = 255,
		.type = 136,
		.target = "::ffff:192.168.56.20",
		.option = 2,
		.lladdr = NODE2_MAC_TEXT};
	struct bytes frame = frame_nd(&n);

	is_dropped(UPLINK, &frame, DROP_MALFORMED);
	expect_no_punt();
	n.type = 135;
	n.option = 1;
	n.target = "::ffff:192.168.56.13"; // a local pod's, if it were IPv4
	frame = frame_nd(&n);
	is_dropped(UPLINK, &frame, DROP_MALFORMED);
	expect_no_punt();
}

static void ip4_header_that_lies_is_malformed(void **)
{
	static const struct {
		size_t at;
		uint8_t value;
	} lies[] = {{0, 0x55}, {0, 0x44}, {0, 0x40}, {0, 0x4f}, {2, 0xff}, {3, 19}, {3, 27}};

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct bytes frame = good(IP4);
		frame.data[IP_AT + lies[i].at] = lies[i].value;
		if (lies[i].at != 0)
			set_ip4_checksum(&frame, IP_AT);
		runs_tight(overlay_pod.port, frame.data, frame.len);
		assert_int_equal(world.b.n, 0);
		if (lies[i].value != 0x4f) // there the options' bytes make the checksum wrong
			expect_drop(DROP_MALFORMED);
	}
}

static void ip4_header_with_a_wrong_checksum_is_dropped(void **)
{
	for (size_t at = 8; at < 20; at++) {
		struct bytes frame = good(IP4);
		frame.data[IP_AT + at] ^= 0x10;
		is_dropped(overlay_pod.port, &frame, DROP_BAD_CHECKSUM);
	}
}

static void ip6_header_that_lies_is_malformed(void **)
{
	struct bytes frame = good(IP6);

	frame.data[IP_AT] = 0x50;
	is_dropped(overlay_pod.port, &frame, DROP_MALFORMED);
	frame = good(IP6);
	put16(&frame, IP_AT + 4, 39);
	is_dropped(overlay_pod.port, &frame, DROP_MALFORMED);
	put16(&frame, IP_AT + 4, 7); // no room for the UDP header
	is_dropped(overlay_pod.port, &frame, DROP_MALFORMED);
}

static void ip6_with_an_ip4_mapped_address_is_malformed(void **)
{
	struct packet p = udp(IP6, &overlay_pod, &overlay_pod2);

	p.src = "::ffff:100.64.0.10";
	struct bytes frame = frame_ip(&p);
	is_dropped(overlay_pod.port, &frame, DROP_MALFORMED);
	p = udp(IP6, &overlay_pod, &overlay_pod2);
	p.dst = "::ffff:100.64.0.11";
	frame = frame_ip(&p);
	is_dropped(overlay_pod.port, &frame, DROP_MALFORMED);
}

// A packet with n extension headers of the given type, each of len_units * 8 + 8 bytes.
static struct bytes extended(uint8_t type, unsigned n, uint8_t len_units)
{
	uint8_t payload[1024] = {0};
	uint16_t len = 0;
	struct packet p = udp(IP6, &overlay_pod, &overlay_pod2);

	for (unsigned i = 0; i < n; i++) {
		payload[len] = i + 1 < n ? type : IPPROTO_UDP;
		payload[len + 1] = len_units;
		len = (uint16_t)(len + 8 * (len_units + 1));
	}
	payload[len + 5] = 8; // the UDP header's length
	p.payload = payload;
	p.payload_len = (uint16_t)(len + 8);
	p.proto = n > 0 ? type : IPPROTO_UDP;
	return frame_ip(&p);
}

static void chain_of_extension_headers_has_an_end(void **)
{
	static const uint8_t types[] = {IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS};

	for (size_t i = 0; i < sizeof(types); i++) {
		struct bytes frame = extended(types[i], 8, 0);
		runs_tight(overlay_pod.port, frame.data, frame.len);
		assert_int_equal(world.b.n, 1);
		assert_int_equal(pkt(world.b.pkt[0])->proto, IPPROTO_UDP);
		frame = extended(types[i], 2, 5);
		runs_tight(overlay_pod.port, frame.data, frame.len);
		assert_int_equal(world.b.n, 1);
		frame = extended(types[i], 9, 0);
		is_dropped(overlay_pod.port, &frame, DROP_MALFORMED);
		frame = extended(types[i], 100, 0);
		is_dropped(overlay_pod.port, &frame, DROP_MALFORMED);
		frame = extended(types[i], 1, 0);
		frame.data[IP_AT + 40 + 1] = 255; // longer than the packet
		is_dropped(overlay_pod.port, &frame, DROP_MALFORMED);
	}
}

static void chain_of_fragment_headers_has_an_end(void **)
{
	struct bytes frame = extended(IPPROTO_FRAGMENT, 9, 0);

	is_dropped(overlay_pod.port, &frame, DROP_MALFORMED);
}

static void stack_of_vlan_tags_is_dropped(void **)
{
	struct packet p = udp(IP4, &blue_server, &blue_pod);
	p.eth_dst = UPLINK_MAC_TEXT;
	p.vlan = VLAN_BLUE;
	struct bytes plain = frame_ip(&p);

	for (unsigned n = 1; n < 20; n++) {
		struct bytes frame = plain;
		for (unsigned i = 0; i < n; i++) {
			memmove(frame.data + 16, frame.data + 12, frame.len - 12u);
			frame.len = (uint16_t)(frame.len + 4);
		}
		is_dropped(UPLINK, &frame, DROP_UNKNOWN_ETHERTYPE);
		runs_tight(overlay_pod.port, frame.data, frame.len);
		assert_int_equal(world.b.n_dead, 1);
	}
	plain.data[12] = 0x88; // a service tag
	plain.data[13] = 0xa8;
	plain.data[14] = 0;
	run(overlay_pod.port, &plain);
	expect_drop(DROP_SPOOFED_MAC);
}

static void frame_from_a_group_address_is_malformed(void **state)
{
	struct packet p = udp(family(state), &overlay_pod, &overlay_pod2);

	p.eth_src = "03:00:00:00:00:01";
	struct bytes frame = frame_ip(&p);
	is_dropped(overlay_pod.port, &frame, DROP_MALFORMED);
}

static void udp_length_of_a_tunnel_packet_that_lies_is_malformed(void **state)
{
	enum family f = family(state);
	size_t at = IP_AT + (f == IP4 ? 20 : 40) + 4;
	static const int off[] = {1, 100, -60};

	for (size_t i = 0; i < 3; i++) {
		struct bytes frame = good_tunnel(f);
		unsigned len = (unsigned)(frame.data[at] << 8 | frame.data[at + 1]);
		put16(&frame, at, (unsigned)((int)len + off[i]));
		is_dropped(UPLINK, &frame, DROP_MALFORMED);
	}
	for (unsigned len = 0; len < 16; len++) {
		struct bytes frame = good_tunnel(f);
		put16(&frame, at, len);
		is_dropped(UPLINK, &frame, DROP_MALFORMED);
	}
}

static void padding_behind_a_packet_is_cut_off(void **state)
{
	struct packet p = udp(family(state), &overlay_pod, &overlay_pod2);
	p.payload_len = 1;
	struct bytes frame = frame_ip(&p);

	frame.len = (uint16_t)(frame.len + 17);
	run(overlay_pod.port, &frame);
	struct bytes expected = delivered(p, &overlay_pod2);
	expect_out(overlay_pod2.port, &expected);
}

static void nothing_is_read_of_a_protocol_that_has_no_header(void **state)
{
	enum family f = family(state);
	struct packet p = udp(f, &overlay_pod, &nobody_overlay);

	p.proto = 59; // no next header
	p.payload_len = 0;
	struct bytes frame = frame_ip(&p);
	runs_tight(overlay_pod.port, frame.data, frame.len);
	expect_drop_count(DROP_NO_SUCH_POD, 1);
	p.dst = f == IP4 ? GATEWAY4_TEXT : GATEWAY6_TEXT;
	frame = frame_ip(&p);
	is_dropped(overlay_pod.port, &frame, DROP_TO_GATEWAY);
}

static struct rte_mbuf *chain(const struct bytes *frame, uint16_t cut)
{
	struct rte_mbuf *head = frame_mbuf(&world.frames[0], 128, frame->data, cut);
	struct rte_mbuf *tail =
		frame_mbuf(&world.frames[1], 0, frame->data + cut, (uint16_t)(frame->len - cut));

	head->next = tail;
	head->nb_segs = 2;
	head->pkt_len = frame->len;
	return head;
}

static void headers_behind_the_first_segment_are_malformed(void **state)
{
	struct bytes frame = good(family(state));
	uint16_t headers = family(state) == IP4 ? 14 + 20 + 8 : 14 + 40 + 8;

	for (uint16_t cut = 1; cut < headers; cut++) {
		run_mbuf(overlay_pod.port, chain(&frame, cut));
		expect_drop(DROP_MALFORMED);
	}
	run_mbuf(overlay_pod.port, chain(&frame, headers));
	assert_int_equal(world.b.n, 1);
}

static void chain_with_nothing_but_padding_in_its_tail_is_malformed(void **state)
{
	struct bytes frame = good(family(state));
	uint16_t len = frame.len;

	frame.len = (uint16_t)(len + 20);
	run_mbuf(overlay_pod.port, chain(&frame, len));
	expect_drop(DROP_MALFORMED);
	run_mbuf(overlay_pod.port, chain(&frame, (uint16_t)(len - 1)));
	assert_int_equal(result().len, len);
}

static const char tests_prefix[] = "bad-input";
static const struct CMUnitTest tests[] = {
	BOTH(frame_cut_at_any_length_is_malformed),
	BOTH(tagged_frame_cut_at_any_length_is_malformed),
	BOTH(tunnel_packet_cut_at_any_length_is_malformed),
	BOTH(inner_frame_cut_at_any_length_is_malformed),
	TEST4(arp_cut_at_any_length_is_malformed),
	TEST6(neighbour_discovery_of_any_wrong_length_is_malformed),
	TEST6(neighbour_discovery_with_broken_rules_is_dropped),
	TEST6(neighbour_discovery_of_an_ip4_mapped_address_is_malformed),
	TEST4(ip4_header_that_lies_is_malformed),
	TEST4(ip4_header_with_a_wrong_checksum_is_dropped),
	TEST6(ip6_header_that_lies_is_malformed),
	TEST6(ip6_with_an_ip4_mapped_address_is_malformed),
	TEST6(chain_of_extension_headers_has_an_end),
	TEST6(chain_of_fragment_headers_has_an_end),
	TEST4(stack_of_vlan_tags_is_dropped),
	BOTH(frame_from_a_group_address_is_malformed),
	BOTH(udp_length_of_a_tunnel_packet_that_lies_is_malformed),
	BOTH(padding_behind_a_packet_is_cut_off),
	BOTH(nothing_is_read_of_a_protocol_that_has_no_header),
	BOTH(headers_behind_the_first_segment_are_malformed),
	BOTH(chain_with_nothing_but_padding_in_its_tail_is_malformed),
};

int main(void)
{
	return RUN_TESTS(tests);
}
