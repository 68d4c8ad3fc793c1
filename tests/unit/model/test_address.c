// Addresses, prefixes, MACs and kinds (ctrl/model).
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctrl/model/object.h"

static struct in6_addr ip(const char *text)
{
	struct in6_addr addr;

	assert_int_equal(ip_parse(text, &addr), 0);
	return addr;
}

static void assert_next(const char *from, int64_t n, const char *to)
{
	struct in6_addr from_ip = ip(from), to_ip = ip(to), got;

	assert_true(ip_add(&from_ip, n, &got));
	assert_int_equal(ip_cmp(&got, &to_ip), 0);
}

static void next_and_previous_address_carry_across_bytes(void **)
{
	static const char *const pairs[][2] = {
		{"192.168.0.1", "192.168.0.2"},
		{"192.168.0.255", "192.168.1.0"},
		{"0.1.0.5", "0.1.0.6"},
		{"ab12::123", "ab12::124"},
		{"ab12::ffff", "ab12::1:0"},
		{"::123", "::124"},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		assert_next(pairs[i][0], 1, pairs[i][1]);
		assert_next(pairs[i][1], -1, pairs[i][0]);
	}
}

static void address_space_has_ends(void **)
{
	struct in6_addr last4 = ip("255.255.255.255"), first4 = ip("0.0.0.0"), got;
	struct in6_addr last6 = ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");

	assert_false(ip_add(&last4, 1, &got));
	assert_false(ip_add(&first4, -1, &got));
	assert_false(ip_add(&last6, 1, &got));
}

static void malformed_addresses_are_refused(void **)
{
	static const char *const bad[] = {
		"", "192.168.8", "192.168.8.256", "1.2.3.4.5", "::g", "1.2.3.4 "};
	struct in6_addr got;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ip_parse(bad[i], &got), -EINVAL);
}

static void prefix_keeps_its_host_bits_and_prints_as_given(void **)
{
	struct cidr cidr;
	char buf[CIDR_TEXT_MAX];

	assert_int_equal(cidr_parse("192.168.0.100/24", &cidr), 0);
	assert_int_equal(cidr.len, 120);
	assert_string_equal(cidr_text(&cidr, buf), "192.168.0.100/24");

	struct in6_addr first = cidr_first(&cidr), last = cidr_last(&cidr);
	struct in6_addr want_first = ip("192.168.0.0"), want_last = ip("192.168.0.255");
	assert_int_equal(ip_cmp(&first, &want_first), 0);
	assert_int_equal(ip_cmp(&last, &want_last), 0);

	assert_int_equal(cidr_parse("2021:23::/64", &cidr), 0);
	last = cidr_last(&cidr);
	want_last = ip("2021:23::ffff:ffff:ffff:ffff");
	assert_int_equal(ip_cmp(&last, &want_last), 0);
}

static void prefix_contains_its_own_addresses_only(void **)
{
	struct cidr cidr;
	struct in6_addr in = ip("10.0.3.255"), out = ip("10.0.4.0"), v6 = ip("::a00:3ff");

	assert_int_equal(cidr_parse("10.0.0.0/22", &cidr), 0);
	assert_true(cidr_contains(&cidr, &in));
	assert_false(cidr_contains(&cidr, &out));
	assert_false(cidr_contains(&cidr, &v6));
}

static void malformed_prefixes_are_refused(void **)
{
	static const char *const bad[] = {"192.168.8/24", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33",
		"10.0.0.0/-1", "fd00::/129", "10.0.0.0/8x"};
	struct cidr got;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(cidr_parse(bad[i], &got), -EINVAL);
}

static void macs_are_read_in_every_notation_of_gos(void **)
{
	static const char *const bad[] = {"", "1.2.3.4", "11.22.33.44.55", "00:00:00:00",
		"00:11:22:33:44:5g", "00:11-22:33:44:55", "00:11:22:33:44:55:", "001122334455",
		"0011.2233.44", "0011.2233.4455.", "0011.2233-4455", "00.11.22.33.44.55",
		"0011:2233:4455", "0:11:22:33:44:55", "00:11:22:33:44:55:66:77"};
	uint8_t mac[6];
	char buf[MAC_TEXT_MAX];

	assert_int_equal(mac_parse("00-16-EA-AE-3C-40", mac), 0);
	assert_string_equal(mac_text(mac, buf), "00:16:ea:ae:3c:40");
	assert_int_equal(mac_parse("08:00:20:0A:8C:6D", mac), 0);
	assert_int_equal(mac_parse("0000.5E00.53ab", mac), 0);
	assert_string_equal(mac_text(mac, buf), "00:00:5e:00:53:ab");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(mac_parse(bad[i], mac), -EINVAL);
}

static void kinds_are_found_by_every_name_that_people_type(void **)
{
	static const char *const words[] = {"nodeinfo", "NodeInfo", "nodeinfos", "nodeinfoes"};
	enum kind kind;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		assert_int_equal(kind_parse(words[i], &kind), 0);
		assert_int_equal(kind, KIND_NODEINFO);
	}
	assert_int_equal(kind_parse("networking", &kind), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(next_and_previous_address_carry_across_bytes),
		cmocka_unit_test(address_space_has_ends),
		cmocka_unit_test(malformed_addresses_are_refused),
		cmocka_unit_test(prefix_keeps_its_host_bits_and_prints_as_given),
		cmocka_unit_test(prefix_contains_its_own_addresses_only),
		cmocka_unit_test(malformed_prefixes_are_refused),
		cmocka_unit_test(macs_are_read_in_every_notation_of_gos),
		cmocka_unit_test(kinds_are_found_by_every_name_that_people_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
