// Address management: which address a pod gets, and in which words it is refused one.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctrl/ipam/mac.h"
#include "objects.h"

#define OVERLAY "\"type\":\"Overlay\",\"netID\":4"

static int setup(void **state)
{
	*state = ipam_new();
	put_network(*state, "net", OVERLAY, "");
	return 0;
}

static int teardown(void **state)
{
	ipam_free(*state);
	return 0;
}

// The addresses a pod gets, as "a" or "a b", or the error.
static const char *got(
	struct ipam *ipam, enum ip_family family, const char *subnet4, const char *subnet6)
{
	static char text[2 * IP_TEXT_MAX + IPAM_ERROR_MAX];
	struct ipam_address a[2];
	char error[IPAM_ERROR_MAX] = "", buf[IP_TEXT_MAX];
	size_t n = 0;

	int ret = ipam_allocate(ipam, "net", family, subnet4, subnet6, "default/pod", a, &n, error);
	assert_int_equal(ret == 0, error[0] == '\0');
	(void)snprintf(text, sizeof(text), "%s", error);
	for (size_t i = 0; i < n; i++) {
		strcat(text, i > 0 ? " " : "");
		strcat(text, ip_text(&a[i].ip.ip, buf));
	}
	return text;
}

static void assert_count(struct ipam *ipam, const char *subnet, int64_t total, int64_t used)
{
	struct ipam_usage usage;

	assert_int_equal(ipam_subnet_usage(ipam, subnet, &usage), 0);
	assert_int_equal(usage.count.total, total);
	assert_int_equal(usage.count.used, used);
	assert_int_equal(usage.count.available, total - used);
}

// ── Totals ─────────────────────────────────────────────────────────────────────────────────────

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

// ── Which address ──────────────────────────────────────────────────────────────────────────────

static void first_underlay_pod_of_the_article_gets_its_start(void **state)
{
	struct ipam_address a[2];
	char error[IPAM_ERROR_MAX], buf[CIDR_TEXT_MAX];
	size_t n;

	put_network(*state, "underlay-network1",
		"\"nodeSelector\":{\"network\":\"network1\"},\"netID\":0", "");
	put_subnet(*state, "underlay-subnet1", "underlay-network1",
		"\"cidr\":\"192.168.56.0/"
		"24\",\"gateway\":\"192.168.56.254\",\"start\":\"192.168.56.100\","
		"\"end\":\"192.168.56.150\"");
	assert_int_equal(ipam_allocate(*state, "underlay-network1", IP_FAMILY_IPV4, NULL, NULL,
				 "default/pod", a, &n, error),
		0);
	assert_int_equal(n, 1);
	assert_string_equal(cidr_text(&a[0].ip, buf), "192.168.56.100/24");
	assert_string_equal(ip_text(&a[0].gateway, buf), "192.168.56.254");
	assert_true(a[0].has_gateway);
	assert_true(a[0].has_net_id);
	assert_int_equal(a[0].net_id, 0);
	assert_string_equal(a[0].subnet, "underlay-subnet1");
}

static void released_address_comes_back_only_after_a_turn(void **state)
{
	struct in6_addr second = ip_of("10.0.0.2");

	put_subnet(*state, "s", "net", "\"cidr\":\"10.0.0.0/29\",\"gateway\":\"10.0.0.1\"");
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, NULL), "10.0.0.2");
	ipam_release(*state, "s", &second);
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, NULL), "10.0.0.3");
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, NULL), "10.0.0.4");
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, NULL), "10.0.0.5");
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, NULL), "10.0.0.6");
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, NULL), "10.0.0.2");
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, NULL),
		"fail to get ipv4 subnet: no available subnet");
}

static void round_robin_goes_on_where_the_status_says(void **state)
{
	char error[IPAM_ERROR_MAX];
	struct ipam_usage usage;

	assert_int_equal(put_subnet_range(*state, "s", "net", "\"cidr\":\"10.0.0.0/24\"",
				 "\"status\":{\"lastAllocatedIP\":\"10.0.0.40\"}", error),
		0);
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, NULL), "10.0.0.41");
	// What is known here is newer than what a status says later.
	assert_int_equal(put_subnet_range(*state, "s", "net", "\"cidr\":\"10.0.0.0/24\"",
				 "\"status\":{\"lastAllocatedIP\":\"10.0.0.40\"}", error),
		0);
	assert_int_equal(ipam_subnet_usage(*state, "s", &usage), 0);
	assert_string_equal(usage.last_allocated, "10.0.0.41");
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, NULL), "10.0.0.42");
}

static void last_address_before_the_first_allocation_is_empty(void **state)
{
	struct ipam_usage usage;

	put_subnet(*state, "s", "net", "\"cidr\":\"10.0.0.0/24\"");
	assert_int_equal(ipam_subnet_usage(*state, "s", &usage), 0);
	assert_string_equal(usage.last_allocated, "");
}

static void gateway_excluded_and_reserved_are_passed_over(void **state)
{
	put_subnet(*state, "s", "net",
		"\"cidr\":\"10.0.0.0/"
		"29\",\"gateway\":\"10.0.0.1\",\"excludeIPs\":[\"10.0.0.2\",\"10.0.0.5\"],"
		"\"reservedIPs\":[\"10.0.0.4\"]");
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, NULL), "10.0.0.3");
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, NULL), "10.0.0.6");
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, NULL),
		"fail to get ipv4 subnet: no available subnet");
}

static void subnets_are_filled_in_the_order_of_names(void **state)
{
	struct ip_count v4, v6, dual;
	char last4[NAME_MAX_LEN], last6[NAME_MAX_LEN];

	put_subnet(*state, "b", "net", "\"cidr\":\"10.2.0.0/30\"");
	put_subnet(*state, "c", "net", "\"cidr\":\"10.3.0.0/30\"");
	put_subnet(*state, "a", "net", "\"cidr\":\"10.1.0.0/30\"");
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, NULL), "10.1.0.1");
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, NULL), "10.1.0.2");
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, NULL), "10.2.0.1");
	// A free address in an earlier Subnet does not draw the ring back.
	struct in6_addr first = ip_of("10.1.0.1");
	ipam_release(*state, "a", &first);
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, NULL), "10.2.0.2");
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, NULL), "10.3.0.1");
	assert_int_equal(ipam_network_usage(*state, "net", &v4, &v6, &dual, last4, last6), 0);
	assert_string_equal(last4, "c");
	assert_string_equal(last6, "");
	assert_int_equal(v4.total, 6);
	assert_int_equal(v4.used, 4);
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, NULL), "10.3.0.2");
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, NULL), "10.1.0.1");
}

static void ring_goes_on_where_the_status_says(void **state)
{
	put_network(*state, "other", OVERLAY,
		"\"status\":{\"lastAllocatedSubnet\":\"b\",\"lastAllocatedIPv6Subnet\":\"d\"}");
	put_subnet(*state, "a", "other", "\"cidr\":\"10.1.0.0/24\"");
	put_subnet(*state, "b", "other", "\"cidr\":\"10.2.0.0/24\"");
	put_subnet(*state, "c", "other", "\"cidr\":\"fd01::/120\"");
	put_subnet(*state, "d", "other", "\"cidr\":\"fd02::/120\"");
	struct ipam_address a[2];
	char error[IPAM_ERROR_MAX];
	size_t n;
	assert_int_equal(ipam_allocate(*state, "other", IP_FAMILY_DUAL_STACK, NULL, NULL, "x/y", a,
				 &n, error),
		0);
	assert_string_equal(a[0].subnet, "b");
	assert_string_equal(a[1].subnet, "d");
}

static void hundred_allocations_of_every_family_succeed(void **state)
{
	struct ipam *ipam = *state;

	put_network(ipam, "cycle", OVERLAY,
		"\"status\":{\"lastAllocatedSubnet\":\"subnet1\",\"lastAllocatedIPv6Subnet\":"
		"\"subnet4\"}");
	put_subnet(ipam, "subnet1", "cycle", "\"cidr\":\"172.168.0.0/24\"");
	put_subnet(ipam, "subnet2", "cycle", "\"cidr\":\"192.168.0.0/24\"");
	put_subnet(ipam, "subnet3", "cycle", "\"cidr\":\"2048::/120\"");
	put_subnet(ipam, "subnet4", "cycle", "\"cidr\":\"2047::/120\"");
	for (unsigned int i = 0; i < 100; i++) {
		struct ipam_address a[2];
		char error[IPAM_ERROR_MAX];
		size_t n;
		assert_int_equal(
			ipam_allocate(ipam, "cycle", i % 3, NULL, NULL, "x/y", a, &n, error), 0);
		assert_int_equal(n, i % 3 == IP_FAMILY_DUAL_STACK ? 2 : 1);
	}
}

static void hundred_allocations_of_a_v6_subnet_with_gateway_succeed(void **state)
{
	put_subnet(*state, "s", "net",
		"\"cidr\":\"234e:0:4567::/120\",\"gateway\":\"234e:0:4567::3d\"");
	for (int i = 0; i < 100; i++) {
		const char *text = got(*state, IP_FAMILY_IPV6, NULL, NULL);
		assert_memory_equal(text, "234e:0:4567::", 13);
		assert_string_not_equal(text, "234e:0:4567::3d");
	}
}

static void range_near_zero_neither_hangs_nor_fails(void **state)
{
	put_subnet(*state, "s", "net",
		"\"cidr\":\"0.0.0.0/"
		"24\",\"start\":\"0.0.0.2\",\"end\":\"0.0.0.5\",\"gateway\":\"0.0.0.1\"");
	assert_count(*state, "s", 4, 0);
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, NULL), "0.0.0.2");
}

static void last_address_of_all_can_be_allocated(void **state)
{
	put_subnet(*state, "s", "net",
		"\"cidr\":\"ffff::/"
		"16\",\"start\":\"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe\",\"gateway\":\"ffff::"
		"1\"");
	assert_string_equal(
		got(*state, IP_FAMILY_IPV6, NULL, NULL), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
	assert_string_equal(
		got(*state, IP_FAMILY_IPV6, NULL, NULL), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	assert_string_equal(got(*state, IP_FAMILY_IPV6, NULL, NULL),
		"fail to get ipv6 subnet: no available subnet");
}

// ── Private, named, dual stack ─────────────────────────────────────────────────────────────────

static void private_subnet_is_used_only_when_named(void **state)
{
	char error[IPAM_ERROR_MAX];

	assert_int_equal(
		put_subnet_private(*state, "p", "net", "\"cidr\":\"10.9.0.0/24\"", true, error), 0);
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, NULL),
		"fail to get ipv4 subnet: no available subnet");
	assert_string_equal(got(*state, IP_FAMILY_IPV4, "p", NULL), "10.9.0.1");
	// Naming a Subnet does not move the ring.
	put_subnet(*state, "a", "net", "\"cidr\":\"10.1.0.0/24\"");
	put_subnet(*state, "z", "net", "\"cidr\":\"10.2.0.0/24\"");
	assert_string_equal(got(*state, IP_FAMILY_IPV4, "z", NULL), "10.2.0.1");
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, NULL), "10.1.0.1");
}

static void named_subnet_must_be_of_network_and_family(void **state)
{
	put_network(*state, "other", OVERLAY, "");
	put_subnet(*state, "foreign", "other", "\"cidr\":\"10.1.0.0/24\"");
	put_subnet(*state, "six", "net", "\"cidr\":\"fd00::/120\"");
	put_subnet(*state, "four", "net", "\"cidr\":\"10.2.0.0/30\"");
	assert_string_equal(got(*state, IP_FAMILY_IPV4, "none", NULL),
		"fail to get ipv4 subnet: subnet not found");
	assert_string_equal(got(*state, IP_FAMILY_IPV4, "foreign", NULL),
		"fail to get ipv4 subnet: subnet not found");
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, "six"),
		"fail to get ipv4 subnet: subnet not found");
	assert_string_equal(got(*state, IP_FAMILY_IPV6, "four", NULL),
		"fail to get ipv6 subnet: subnet not found");
	assert_string_equal(got(*state, IP_FAMILY_IPV4, "four", "six"),
		"only support one specified subnet when IPv4 family, but [four six]");
	assert_string_equal(got(*state, IP_FAMILY_IPV6, "four", "six"),
		"only support one specified subnet when IPv6 family, but [four six]");
	assert_string_equal(got(*state, IP_FAMILY_DUAL_STACK, "four", NULL),
		"only support two assigned subnets when DualStack family, but [four]");
	assert_string_equal(got(*state, IP_FAMILY_DUAL_STACK, "six", "four"),
		"fail to get paired subnets: subnet not found");
	assert_string_equal(got(*state, IP_FAMILY_DUAL_STACK, "four", "six"), "10.2.0.1 fd00::1");
	assert_string_equal(got(*state, IP_FAMILY_IPV4, "four", NULL), "10.2.0.2");
	assert_string_equal(got(*state, IP_FAMILY_IPV4, "four", NULL),
		"fail to get one available ipv4 address from subnet four");
	assert_string_equal(got(*state, IP_FAMILY_DUAL_STACK, "four", "six"),
		"fail to get ipv4 address from subnet four");
}

static void dual_stack_is_all_or_nothing(void **state)
{
	put_subnet(*state, "four", "net", "\"cidr\":\"10.2.0.0/24\"");
	assert_string_equal(got(*state, IP_FAMILY_DUAL_STACK, NULL, NULL),
		"fail to get paired subnets: no available subnet");
	assert_count(*state, "four", 254, 0);
	put_subnet(*state, "six", "net", "\"cidr\":\"fd00::/126\",\"gateway\":\"fd00::1\"");
	assert_string_equal(got(*state, IP_FAMILY_DUAL_STACK, NULL, NULL), "10.2.0.1 fd00::2");
	assert_string_equal(got(*state, IP_FAMILY_DUAL_STACK, NULL, NULL), "10.2.0.2 fd00::3");
	assert_string_equal(got(*state, IP_FAMILY_DUAL_STACK, "four", "six"),
		"fail to get ipv6 address zfrom subnet six");
	assert_count(*state, "four", 254, 2);
	// Nor has the round robin moved.
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, NULL), "10.2.0.3");
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

// ── Use and assign ─────────────────────────────────────────────────────────────────────────────

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

static const char *assigned(
	struct ipam *ipam, const char *subnet, const char *ip, const char *owner)
{
	static char text[IPAM_ERROR_MAX + NAME_MAX_LEN];
	struct in6_addr addr = ip_of(ip);
	struct ipam_address a;
	char buf[CIDR_TEXT_MAX];

	if (ipam_assign(ipam, "net", subnet, &addr, owner, &a, text) == 0)
		(void)snprintf(text, sizeof(text), "%s of %s", cidr_text(&a.ip, buf), a.subnet);
	return text;
}

static void assigned_address_may_be_reserved_but_not_withheld(void **state)
{
	put_subnet(*state, "s", "net",
		"\"cidr\":\"10.0.0.0/"
		"24\",\"gateway\":\"10.0.0.1\",\"excludeIPs\":[\"10.0.0.2\"],\"reservedIPs\":["
		"\"10.0.0.3\"]");
	put_subnet(*state, "t", "net", "\"cidr\":\"fd00::/64\"");
	assert_string_equal(assigned(*state, NULL, "10.0.0.3", "ns/a"), "10.0.0.3/24 of s");
	assert_string_equal(assigned(*state, "s", "10.0.0.3", "ns/a"), "10.0.0.3/24 of s");
	assert_string_equal(assigned(*state, "s", "10.0.0.3", "ns/b"),
		"fail to assign ip 10.0.0.3 to pod ns/b: assigned ip is not available");
	assert_count(*state, "s", 251, 0);
	assert_string_equal(assigned(*state, NULL, "10.0.0.1", "ns/a"),
		"fail to get subnet by { 10.0.0.1}: subnet not found");
	assert_string_equal(assigned(*state, "s", "10.0.0.2", "ns/a"),
		"fail to assign ip 10.0.0.2 to pod ns/a: assigned ip not found");
	assert_string_equal(assigned(*state, "t", "10.0.0.4", "ns/a"),
		"fail to assign ip 10.0.0.4 to pod ns/a: assigned ip not found");
	assert_string_equal(assigned(*state, "none", "10.0.0.4", "ns/a"),
		"fail to get subnet by {none 10.0.0.4}: subnet not found");
	assert_string_equal(assigned(*state, NULL, "fd00::7", "ns/a"), "fd00::7/64 of t");
	assert_string_equal(assigned(*state, NULL, "10.0.0.4", "ns/a"), "10.0.0.4/24 of s");
	assert_count(*state, "s", 251, 1);
	// An assigned address does not move the round robin; a reserved one is not drawn once free.
	struct in6_addr reserved = ip_of("10.0.0.3");
	ipam_release(*state, "s", &reserved);
	assert_string_equal(got(*state, IP_FAMILY_IPV4, NULL, NULL), "10.0.0.5");
}

static void unknown_network_has_no_addresses(void **state)
{
	struct ipam_address a[2];
	char error[IPAM_ERROR_MAX];
	size_t n;

	ipam_del_network(*state, "net");
	ipam_del_network(*state, "net");
	assert_int_equal(
		ipam_allocate(*state, "net", IP_FAMILY_IPV4, NULL, NULL, "x/y", a, &n, error),
		-ENOENT);
	assert_string_equal(error, "fail to get network net: network not found");
}

static void net_id_is_the_subnets_own_else_the_networks(void **state)
{
	char error[IPAM_ERROR_MAX] = "";
	struct object *obj = NULL;
	struct ipam_address a[2];
	size_t n;
	cJSON *json = cJSON_Parse(
		"{\"apiVersion\":\"networking.alibaba.com/v1\",\"kind\":\"Subnet\",\"metadata\":{"
		"\"name\":\"own\"},\"spec\":{\"network\":\"net\",\"netID\":56,"
		"\"range\":{\"version\":\"4\",\"cidr\":\"10.9.0.0/24\"}}}");

	assert_int_equal(object_decode(json, &obj, error), 0);
	assert_int_equal(ipam_put_subnet(*state, OBJECT_AS(subnet_obj, obj), error), 0);
	object_free(obj);
	cJSON_Delete(json);
	put_subnet(*state, "inherited", "net", "\"cidr\":\"10.8.0.0/24\"");
	assert_int_equal(
		ipam_allocate(*state, "net", IP_FAMILY_IPV4, "own", NULL, "x/y", a, &n, error), 0);
	assert_int_equal(a[0].net_id, 56);
	assert_int_equal(ipam_allocate(*state, "net", IP_FAMILY_IPV4, "inherited", NULL, "x/y", a,
				 &n, error),
		0);
	assert_int_equal(a[0].net_id, 4);
	assert_false(a[0].has_gateway);
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

static void families_have_their_aliases(void **)
{
	static const struct {
		const char *text;
		enum ip_family family;
	} cases[] = {
		{"ipv4", IP_FAMILY_IPV4},
		{"IPv4Only", IP_FAMILY_IPV4},
		{"IPv6Only", IP_FAMILY_IPV6},
		{"IPV6", IP_FAMILY_IPV6},
		{"dualStack", IP_FAMILY_DUAL_STACK},
		{"dualstack", IP_FAMILY_DUAL_STACK},
	};
	enum ip_family family;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(ip_family_parse(cases[i].text, &family), 0);
		assert_int_equal(family, cases[i].family);
	}
	assert_int_equal(ip_family_parse("", &family), -EINVAL);
	assert_int_equal(ip_family_parse("IPv5", &family), -EINVAL);
}

// ── MAC addresses ──────────────────────────────────────────────────────────────────────────────

struct macs {
	uint8_t mac[100][6];
	int n;
	int refusals; // how many draws to call in use, whatever they are
};

static bool is_known(void *arg, const uint8_t mac[6])
{
	struct macs *known = arg;

	if (known->refusals > 0) {
		known->refusals--;
		return true;
	}
	for (int i = 0; i < known->n; i++) {
		if (memcmp(known->mac[i], mac, 6) == 0)
			return true;
	}
	return false;
}

static void generated_macs_are_distinct_and_local(void **)
{
	struct macs known = {.refusals = 5};

	for (; known.n < 100; known.n++) {
		uint8_t *mac = known.mac[known.n];
		assert_int_equal(mac_generate(mac, is_known, &known), 0);
		assert_memory_equal(mac, "\x02\x12\x34", 3);
		for (int i = 0; i < known.n; i++)
			assert_memory_not_equal(known.mac[i], mac, 6);
	}
}

static void mac_generation_gives_up_when_all_are_in_use(void **)
{
	struct macs known = {.refusals = 1 << 24};
	uint8_t mac[6] = {0};

	assert_int_equal(mac_generate(mac, is_known, &known), -ENOSPC);
	assert_int_equal(mac[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(totals_are_those_of_hybridnet, setup, teardown),
		cmocka_unit_test_setup_teardown(
			reserved_and_excluded_addresses_are_not_in_the_total, setup, teardown),
		cmocka_unit_test_setup_teardown(
			used_addresses_outside_the_set_are_remembered_not_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(
			first_underlay_pod_of_the_article_gets_its_start, setup, teardown),
		cmocka_unit_test_setup_teardown(
			released_address_comes_back_only_after_a_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(
			round_robin_goes_on_where_the_status_says, setup, teardown),
		cmocka_unit_test_setup_teardown(
			last_address_before_the_first_allocation_is_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(
			gateway_excluded_and_reserved_are_passed_over, setup, teardown),
		cmocka_unit_test_setup_teardown(
			subnets_are_filled_in_the_order_of_names, setup, teardown),
		cmocka_unit_test_setup_teardown(
			ring_goes_on_where_the_status_says, setup, teardown),
		cmocka_unit_test_setup_teardown(
			hundred_allocations_of_every_family_succeed, setup, teardown),
		cmocka_unit_test_setup_teardown(
			hundred_allocations_of_a_v6_subnet_with_gateway_succeed, setup, teardown),
		cmocka_unit_test_setup_teardown(
			range_near_zero_neither_hangs_nor_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(
			last_address_of_all_can_be_allocated, setup, teardown),
		cmocka_unit_test_setup_teardown(
			private_subnet_is_used_only_when_named, setup, teardown),
		cmocka_unit_test_setup_teardown(
			named_subnet_must_be_of_network_and_family, setup, teardown),
		cmocka_unit_test_setup_teardown(dual_stack_is_all_or_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(
			dual_stack_availability_is_that_of_the_scarcer_family, setup, teardown),
		cmocka_unit_test_setup_teardown(sums_of_huge_subnets_saturate, setup, teardown),
		cmocka_unit_test_setup_teardown(address_has_one_owner, setup, teardown),
		cmocka_unit_test_setup_teardown(
			assigned_address_may_be_reserved_but_not_withheld, setup, teardown),
		cmocka_unit_test_setup_teardown(unknown_network_has_no_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(
			net_id_is_the_subnets_own_else_the_networks, setup, teardown),
		cmocka_unit_test_setup_teardown(
			subnet_that_makes_no_sense_is_refused_and_the_old_one_stays, setup,
			teardown),
		cmocka_unit_test(families_have_their_aliases),
		cmocka_unit_test(generated_macs_are_distinct_and_local),
		cmocka_unit_test(mac_generation_gives_up_when_all_are_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
