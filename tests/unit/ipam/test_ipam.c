// Which address a pod gets, and in which words it is refused one.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "objects.h"

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

// ── Use and assign ─────────────────────────────────────────────────────────────────────────────

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

#define IPAM_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IPAM_TEST(first_underlay_pod_of_the_article_gets_its_start),
		IPAM_TEST(released_address_comes_back_only_after_a_turn),
		IPAM_TEST(round_robin_goes_on_where_the_status_says),
		IPAM_TEST(last_address_before_the_first_allocation_is_empty),
		IPAM_TEST(gateway_excluded_and_reserved_are_passed_over),
		IPAM_TEST(subnets_are_filled_in_the_order_of_names),
		IPAM_TEST(ring_goes_on_where_the_status_says),
		IPAM_TEST(hundred_allocations_of_every_family_succeed),
		IPAM_TEST(hundred_allocations_of_a_v6_subnet_with_gateway_succeed),
		IPAM_TEST(range_near_zero_neither_hangs_nor_fails),
		IPAM_TEST(last_address_of_all_can_be_allocated),
		IPAM_TEST(private_subnet_is_used_only_when_named),
		IPAM_TEST(named_subnet_must_be_of_network_and_family),
		IPAM_TEST(dual_stack_is_all_or_nothing),
		IPAM_TEST(assigned_address_may_be_reserved_but_not_withheld),
		IPAM_TEST(unknown_network_has_no_addresses),
		IPAM_TEST(net_id_is_the_subnets_own_else_the_networks),
		cmocka_unit_test(families_have_their_aliases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
