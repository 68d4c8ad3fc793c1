// What a Subnet and a Network count: how many addresses there are, are used, and are left.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "objects.h"

static void totals_are_those_of_hybridnet(void **state)
{
	static const struct {
		const char *range;
		int64_t total;
	} cases[] = {
		{"\"cidr\":\"170.16.0.0/24\"", 254},
		{"\"cidr\":\"170.16.0.0/24\",\"gateway\":\"170.16.0.1\"", 253},
		{"\"cidr\":\"fe20::/120\"", 255},
		{"\"cidr\":\"fe20::/120\",\"gateway\":\"fe20::1\"", 254},
		{"\"cidr\":\"170.16.0.0/24\",\"start\":\"170.16.0.21\",\"end\":\"170.16.0.50\","
		 "\"gateway\":\"170.16.0.1\"",
			30},
		{"\"cidr\":\"192.168.0.0/24\",\"start\":\"192.168.0.100\"", 155},
		{"\"cidr\":\"192.168.0.0/"
		 "24\",\"start\":\"192.168.0.100\",\"end\":\"192.168.0.200\"",
			101},
		{"\"cidr\":\"0.1.0.0/22\"", 1022},
		// A start at the network address and an end at the broadcast are taken as given.
		{"\"cidr\":\"10.0.0.0/24\",\"start\":\"10.0.0.0\",\"end\":\"10.0.0.255\"", 256},
		{"\"cidr\":\"10.0.0.0/30\"", 2},
		{"\"cidr\":\"10.0.0.0/8\"", 16777214},
		{"\"cidr\":\"fd00::/64\"", INT64_MAX},
		{"\"cidr\":\"::/0\"", INT64_MAX},
		{"\"cidr\":\"::/0\",\"start\":\"::\"", INT64_MAX},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_subnet(*state, "s", "net", cases[i].range);
		assert_count(*state, "s", cases[i].total, 0);
	}
}

static void reserved_and_excluded_addresses_are_not_in_the_total(void **state)
{
	put_subnet(*state, "s", "net",
		"\"cidr\":\"170.16.0.0/"
		"24\",\"gateway\":\"170.16.0.1\",\"reservedIPs\":[\"170.16.0.100\","
		"\"170.16.0.101\",\"170.16.0.102\",\"170.16.0.103\",\"170.16.0.104\",\"170.16.0."
		"104\","
		"\"170.16.0.0\"]");
	assert_count(*state, "s", 248, 0);
	put_subnet(*state, "s", "net",
		"\"cidr\":\"170.16.0.0/"
		"24\",\"gateway\":\"170.16.0.1\",\"reservedIPs\":[\"170.16.0.100\","
		"\"170.16.0.101\",\"170.16.0.102\",\"170.16.0.103\",\"170.16.0.104\"],"
		"\"excludeIPs\":["
		"\"170.16.0.200\",\"170.16.0.201\",\"170.16.0.202\",\"170.16.0.203\",\"170.16.0."
		"204\","
		"\"170.16.0.1\",\"170.16.0.100\"]");
	assert_count(*state, "s", 243, 0);
}

static void used_addresses_outside_the_set_are_remembered_not_counted(void **state)
{
	struct in6_addr in = ip_of("10.0.0.7"), out = ip_of("10.0.0.77"),
			reserved = ip_of("10.0.0.8");
	const char *narrow =
		"\"cidr\":\"10.0.0.0/24\",\"end\":\"10.0.0.10\",\"reservedIPs\":[\"10.0.0.8\"]";

	put_subnet(*state, "s", "net", narrow);
	assert_int_equal(ipam_use(*state, "s", &in, "ns/a"), 0);
	assert_int_equal(ipam_use(*state, "s", &out, "ns/b"), 0);
	assert_int_equal(ipam_use(*state, "s", &reserved, "ns/c"), 0);
	assert_count(*state, "s", 9, 1);
	put_subnet(*state, "s", "net", "\"cidr\":\"10.0.0.0/24\"");
	assert_count(*state, "s", 254, 3);
	put_subnet(*state, "s", "net", narrow);
	assert_count(*state, "s", 9, 1);
	ipam_release(*state, "s", &out);
	ipam_release(*state, "s", &reserved);
	ipam_release(*state, "s", &in);
	assert_count(*state, "s", 9, 0);
	put_subnet(*state, "s", "net", "\"cidr\":\"10.0.0.0/24\"");
	assert_count(*state, "s", 254, 0);
}

static void dual_stack_availability_is_that_of_the_scarcer_family(void **state)
{
	struct ip_count v4, v6, dual;
	char last4[NAME_MAX_LEN], last6[NAME_MAX_LEN];

	put_subnet(*state, "a", "net", "\"cidr\":\"100.10.0.0/24\",\"gateway\":\"100.10.0.1\"");
	put_subnet(*state, "b", "net", "\"cidr\":\"100.11.0.0/24\",\"gateway\":\"100.11.0.1\"");
	put_subnet(*state, "c", "net", "\"cidr\":\"fe80::/120\"");
	(void)got(*state, IP_FAMILY_DUAL_STACK, NULL, NULL);
	assert_int_equal(ipam_network_usage(*state, "net", &v4, &v6, &dual, last4, last6), 0);
	assert_int_equal(v4.total, 506);
	assert_int_equal(v4.used, 1);
	assert_int_equal(v6.total, 255);
	assert_int_equal(v6.available, 254);
	assert_int_equal(dual.total, 0);
	assert_int_equal(dual.used, 0);
	assert_int_equal(dual.available, 254);
	assert_int_equal(
		ipam_network_usage(*state, "none", &v4, &v6, &dual, last4, last6), -ENOENT);
}

static void sums_of_huge_subnets_saturate(void **state)
{
	struct ip_count v4, v6, dual;
	char last4[NAME_MAX_LEN], last6[NAME_MAX_LEN];

	put_subnet(*state, "a", "net", "\"cidr\":\"fd01::/64\"");
	put_subnet(*state, "b", "net", "\"cidr\":\"fd02::/64\"");
	(void)got(*state, IP_FAMILY_IPV6, NULL, NULL);
	assert_int_equal(ipam_network_usage(*state, "net", &v4, &v6, &dual, last4, last6), 0);
	assert_int_equal(v6.total, INT64_MAX);
	assert_int_equal(v6.available, INT64_MAX);
	assert_int_equal(v6.used, 1);
}

static void address_has_one_owner(void **state)
{
	struct in6_addr ip = ip_of("10.0.0.1");

	put_subnet(*state, "s", "net", "\"cidr\":\"10.0.0.0/24\"");
	assert_int_equal(ipam_use(*state, "none", &ip, "ns/a"), -ENOENT);
	assert_int_equal(ipam_use(*state, "s", &ip, "ns/a"), 0);
	assert_int_equal(ipam_use(*state, "s", &ip, "ns/a"), 0);
	assert_int_equal(ipam_use(*state, "s", &ip, "ns/b"), -EEXIST);
	assert_count(*state, "s", 254, 1);
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, NULL), "10.0.0.2");
	ipam_release(*state, "s", &ip);
	ipam_release(*state, "s", &ip);
	assert_count(*state, "s", 254, 1);
	assert_int_equal(ipam_use(*state, "s", &ip, "ns/b"), 0);
}

static void subnet_that_makes_no_sense_is_refused_and_the_old_one_stays(void **state)
{
	static const char *const cases[][2] = {
		{"\"cidr\":\"10.0.0.0/31\"", "CIDR 10.0.0.0/31 too small to allocate from"},
		{"\"cidr\":\"fd00::/127\"", "CIDR fd00::/127 too small to allocate from"},
		{"\"cidr\":\"10.0.0\"", "CIDR is invalid"},
		{"\"cidr\":\"10.0.0.1/24\"", "CIDR has host bits set because a subnet mask of "
					     "length 24 the network address is "
					     "10.0.0.0"},
		{"\"cidr\":\"10.0.0.0/24\",\"gateway\":\"10.0.1.1\"",
			"gateway 10.0.1.1 not in CIDR 10.0.0.0/24"},
		{"\"cidr\":\"10.0.0.0/24\",\"start\":\"10.0.1.1\"",
			"start 10.0.1.1 not in CIDR 10.0.0.0/24"},
		{"\"cidr\":\"10.0.0.0/24\",\"end\":\"10.0.1.1\"",
			"end 10.0.1.1 not in CIDR 10.0.0.0/24"},
		{"\"cidr\":\"10.0.0.0/24\",\"start\":\"10.0.0.9\",\"end\":\"10.0.0.8\"",
			"subnet should have at least one available IP. start=10.0.0.9, "
			"end=10.0.0.8"},
	};
	char error[IPAM_ERROR_MAX];

	put_subnet(*state, "s", "net", "\"cidr\":\"10.0.0.0/24\"");
	(void)got(*state, IP_FAMILY_IPV4, NULL, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
			put_subnet_range(*state, "s", "net", cases[i][0], "", error), -EINVAL);
		assert_string_equal(error, cases[i][1]);
	}
	assert_int_equal(
		put_subnet_range(*state, "s", "", "\"cidr\":\"10.0.0.0/24\"", "", error), -EINVAL);
	assert_string_equal(error, "subnet's partent network can not be empty");
	assert_count(*state, "s", 254, 1);
	ipam_del_subnet(*state, "s");
	ipam_del_subnet(*state, "s");
	struct ipam_usage usage;
	assert_int_equal(ipam_subnet_usage(*state, "s", &usage), -ENOENT);
}

#define IPAM_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IPAM_TEST(totals_are_those_of_hybridnet),
		IPAM_TEST(reserved_and_excluded_addresses_are_not_in_the_total),
		IPAM_TEST(used_addresses_outside_the_set_are_remembered_not_counted),
		IPAM_TEST(dual_stack_availability_is_that_of_the_scarcer_family),
		IPAM_TEST(sums_of_huge_subnets_saturate),
		IPAM_TEST(address_has_one_owner),
		IPAM_TEST(subnet_that_makes_no_sense_is_refused_and_the_old_one_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
