// The frames of neighbour discovery, byte by byte.
#include "ctrl/node/neighbour_frame.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct neighbour_speaker tagged = {.mac = {0x52, 0x54, 0, 0, 0, 1}, .vlan = 56};
static const struct neighbour_speaker untagged = {.mac = {0x52, 0x54, 0, 0, 0, 1}};
static const uint8_t station[6] = {0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0xee};

static struct in6_addr ip(const char *text)
{
	struct in6_addr ip = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

	if (inet_pton(AF_INET, text, &ip.s6_addr[12]) != 1)
		assert_int_equal(inet_pton(AF_INET6, text, &ip), 1);
	return ip;
}

static void check(const uint8_t *frame, uint16_t len, const uint8_t *expected, size_t expected_len)
{
	assert_int_equal(len, expected_len);
	assert_memory_equal(frame, expected, expected_len);
}

static void an_arp_request_on_a_vlan(void **)
{
	const uint8_t expected[64] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0, 0, 1,
		0x81, 0, 0, 56, 8, 6, //
		0, 1, 8, 0, 6, 4, 0, 1, //
		0x52, 0x54, 0, 0, 0, 1, 192, 168, 56, 100, //
		0, 0, 0, 0, 0, 0, 192, 168, 56, 254};
	const struct in6_addr sender = ip("192.168.56.100"), target = ip("192.168.56.254");
	uint8_t frame[NEIGHBOUR_FRAME_MAX];

	uint16_t len = neighbour_frame_request(frame, &tagged, &sender, &target, NULL);

	check(frame, len, expected, sizeof(expected));
}

static void an_untagged_arp_request_to_a_known_station(void **)
{
	const uint8_t expected[60] = {0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0x52, 0x54, 0, 0, 0, 1, 8,
		6, //
		0, 1, 8, 0, 6, 4, 0, 1, //
		0x52, 0x54, 0, 0, 0, 1, 10, 0, 0, 1, //
		0, 0, 0, 0, 0, 0, 10, 0, 0, 2};
	const struct in6_addr sender = ip("10.0.0.1"), target = ip("10.0.0.2");
	uint8_t frame[NEIGHBOUR_FRAME_MAX];

	uint16_t len = neighbour_frame_request(frame, &untagged, &sender, &target, station);

	check(frame, len, expected, sizeof(expected));
}

static void an_arp_probe_has_no_sender(void **)
{
	const uint8_t nobody[4] = {0};
	const struct in6_addr target = ip("10.0.0.2");
	uint8_t frame[NEIGHBOUR_FRAME_MAX];

	(void)neighbour_frame_request(frame, &untagged, &in6addr_any, &target, NULL);

	assert_memory_equal(&frame[28], nobody, 4);
}

static void gratuitous_arp_comes_as_request_and_as_reply(void **)
{
	uint8_t expected[64] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0, 0, 1, 0x81, 0,
		0, 56, 8, 6, //
		0, 1, 8, 0, 6, 4, 0, 1, //
		0x52, 0x54, 0, 0, 0, 1, 192, 168, 56, 100, //
		0, 0, 0, 0, 0, 0, 192, 168, 56, 100};
	const struct in6_addr pod = ip("192.168.56.100");
	uint8_t frame[NEIGHBOUR_FRAME_MAX];

	uint16_t len = neighbour_frame_announce(frame, &tagged, &pod, NEIGHBOUR_ANNOUNCE_REQUEST);
	check(frame, len, expected, sizeof(expected));

	expected[25] = 2;
	memset(&expected[36], 0xff, 6);
	len = neighbour_frame_announce(frame, &tagged, &pod, NEIGHBOUR_ANNOUNCE_REPLY);
	check(frame, len, expected, sizeof(expected));
}

// Zero if the checksum in the message is right.
static uint16_t checksum_error(const uint8_t *ip6, uint16_t len)
{
	uint32_t sum = len + IPPROTO_ICMPV6;

	for (int i = 8; i < 40 + len; i += 2)
		sum += (uint32_t)ip6[i] << 8 | ip6[i + 1];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void a_neighbour_solicitation_goes_to_the_solicited_node_group(void **)
{
	const uint8_t expected[] = {0x33, 0x33, 0xff, 0, 0x12, 0x34, 0x52, 0x54, 0, 0, 0, 1, 0x81,
		0, 0, 56, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 58, 255, //
		0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, //
		0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0x12, 0x34, //
		135, 0, 0xc4, 0xff, 0, 0, 0, 0, //
		0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x34, //
		1, 1, 0x52, 0x54, 0, 0, 0, 1};
	const struct in6_addr sender = ip("fd00::1"), target = ip("fd00::1234");
	uint8_t frame[NEIGHBOUR_FRAME_MAX];

	uint16_t len = neighbour_frame_request(frame, &tagged, &sender, &target, NULL);

	assert_int_equal(checksum_error(&frame[18], 32), 0);
	frame[60] = expected[60]; // judged by the line above
	frame[61] = expected[61];
	check(frame, len, expected, sizeof(expected));
}

static void a_known_station_is_solicited_in_private(void **)
{
	const struct in6_addr sender = ip("fd00::1"), target = ip("fd00::1234");
	uint8_t frame[NEIGHBOUR_FRAME_MAX];

	uint16_t len = neighbour_frame_request(frame, &untagged, &sender, &target, station);

	assert_int_equal(len, 86);
	assert_memory_equal(frame, station, 6);
	assert_memory_equal(&frame[38], &target, 16); // destination
	assert_memory_equal(&frame[62], &target, 16); // target
	assert_int_equal(checksum_error(&frame[14], 32), 0);
}

static void a_probe_for_duplicates_has_neither_source_nor_option(void **)
{
	const struct in6_addr target = ip("fd00::1234");
	uint8_t frame[NEIGHBOUR_FRAME_MAX];

	uint16_t len = neighbour_frame_request(frame, &untagged, &in6addr_any, &target, NULL);

	assert_int_equal(len, 78);
	assert_memory_equal(&frame[22], &in6addr_any, 16);
	assert_int_equal(frame[19], 24); // payload length
	assert_int_equal(checksum_error(&frame[14], 24), 0);
}

static void an_unsolicited_advertisement_overrides_what_all_nodes_know(void **)
{
	const uint8_t expected[] = {0x33, 0x33, 0, 0, 0, 1, 0x52, 0x54, 0, 0, 0, 1, 0x81, 0, 0, 56,
		0x86, 0xdd, //
		0x60, 0, 0, 0, 0, 32, 58, 255, //
		0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, //
		0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, //
		136, 0, 0, 0, 0x20, 0, 0, 0, //
		0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, //
		2, 1, 0x52, 0x54, 0, 0, 0, 1};
	const struct in6_addr pod = ip("fd00::1");
	uint8_t frame[NEIGHBOUR_FRAME_MAX];

	uint16_t len = neighbour_frame_announce(frame, &tagged, &pod, NEIGHBOUR_ANNOUNCE_ND);

	assert_int_equal(checksum_error(&frame[18], 32), 0);
	frame[60] = 0; // judged by the line above
	frame[61] = 0;
	check(frame, len, expected, sizeof(expected));
}

static void the_link_local_address_is_made_by_eui64(void **)
{
	const struct in6_addr expected = ip("fe80::5054:ff:fe00:1");
	const struct in6_addr made = neighbour_link_local(untagged.mac);

	assert_memory_equal(&made, &expected, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_arp_request_on_a_vlan),
		cmocka_unit_test(an_untagged_arp_request_to_a_known_station),
		cmocka_unit_test(an_arp_probe_has_no_sender),
		cmocka_unit_test(gratuitous_arp_comes_as_request_and_as_reply),
		cmocka_unit_test(a_neighbour_solicitation_goes_to_the_solicited_node_group),
		cmocka_unit_test(a_known_station_is_solicited_in_private),
		cmocka_unit_test(a_probe_for_duplicates_has_neither_source_nor_option),
		cmocka_unit_test(an_unsolicited_advertisement_overrides_what_all_nodes_know),
		cmocka_unit_test(the_link_local_address_is_made_by_eui64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
