// Admission of Subnets and IPInstances: every rule is provoked once, in hybridnet's words where it
// has such a rule. The cases of its ValidateAddressRange and Intersect tests are among them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cluster.h"
#include "ctrl/model/admit.h"

#define SPEC_MAX 2048

static int setup(void **state)
{
	struct cluster *c = calloc(1, sizeof(*c));

	*state = c;
	cluster_add(c, "Network", "overlay", "\"type\":\"Overlay\",\"netID\":4", "");
	cluster_add(c, "Network", "vlan", "\"nodeSelector\":{\"net\":\"a\"},\"netID\":56", "");
	cluster_add(c, "Network", "trunk", "\"nodeSelector\":{\"net\":\"b\"}", "");
	cluster_add(c, "Network", "bgp",
		"\"nodeSelector\":{\"net\":\"c\"},\"mode\":\"BGP\",\"netID\":100,"
		"\"config\":{\"bgpPeers\":[{\"asn\":200,\"address\":\"192.168.56.254\"}]}",
		"");
	return 0;
}

static int teardown(void **state)
{
	cluster_fini(*state);
	free(*state);
	return 0;
}

static void ranges_are_answered_as_by_hybridnet(void **state)
{
	static const char *const cases[][2] = {
		{"\"version\":\"123\"", "unsupported IP Version 123"},
		{"\"cidr\":\"10.0.0.0/24\"", "unsupported IP Version "},
		{"\"version\":5,\"cidr\":\"10.0.0.0/24\"", "unsupported IP Version 5"},
		{"\"version\":\"4\",\"start\":\"192.168.8\"", "invalid range start 192.168.8"},
		{"\"version\":\"4\",\"end\":\"192.168.8\"", "invalid range end 192.168.8"},
		{"\"version\":\"4\",\"cidr\":\"192.168.8.0/24\",\"gateway\":\"192.168.8\"",
			"invalid range gateway 192.168.8"},
		{"\"version\":\"6\",\"cidr\":\"192.168.8.0/24\",\"gateway\":\"192.168.8.254\"",
			"address families of ip version and gateway mismatch"},
		{"\"version\":\"4\",\"cidr\":\"192.168.8/24\"", "invalid range CIDR 192.168.8/24"},
		{"\"version\":\"4\"", "invalid range CIDR "},
		{"\"version\":\"4\",\"cidr\":\"192.168.8.10/24\"",
			"CIDR notation is not standard, should start from 192.168.8.0 but from "
			"192.168.8.10"},
		{"\"version\":\"4\",\"cidr\":\"192.168.8.1/32\"",
			"types of /32 or /128 cidrs is not supported"},
		{"\"version\":\"6\",\"cidr\":\"fd00::1/128\"",
			"types of /32 or /128 cidrs is not supported"},
		{"\"version\":\"4\",\"cidr\":\"192.168.8.0/24\",\"start\":\"192.168.9.1\"",
			"start 192.168.9.1 is not in CIDR 192.168.8.0/24"},
		{"\"version\":\"4\",\"cidr\":\"192.168.8.0/24\",\"end\":\"192.168.9.1\"",
			"end 192.168.9.1 is not in CIDR 192.168.8.0/24"},
		{"\"version\":\"4\",\"cidr\":\"192.168.8.0/24\",\"end\":\"fd00::1\"",
			"end fd00::1 is not in CIDR 192.168.8.0/24"},
		{"\"version\":\"4\",\"cidr\":\"192.168.8.0/24\",\"start\":\"192.168.8.11\",\"end\":"
		 "\"192.168.8.10\"",
			"subnet should have at least one available IP. start=192.168.8.11, "
			"end=192.168.8.10"},
		{"\"version\":\"4\",\"cidr\":\"192.168.8.0/24\",\"gateway\":\"192.168.9.254\"",
			"gateway 192.168.9.254 is not in CIDR 192.168.8.0/24"},
		{"\"version\":\"4\",\"cidr\":\"192.168.8.0/24\",\"reservedIPs\":[\"192.168.8\"]",
			"invalid reserved ip 192.168.8"},
		{"\"version\":\"4\",\"cidr\":\"192.168.8.0/24\",\"reservedIPs\":[\"192.168.9.100\","
		 "\"192.168.8\"]",
			"reserved ip 192.168.9.100 is not in CIDR 192.168.8.0/24"},
		{"\"version\":\"4\",\"cidr\":\"192.168.8.0/24\",\"excludeIPs\":[\"192.168.8\"]",
			"invalid excluded ip 192.168.8"},
		{"\"version\":\"4\",\"cidr\":\"192.168.8.0/24\",\"excludeIPs\":[\"\"]",
			"invalid excluded ip "},
		{"\"version\":\"4\",\"cidr\":\"192.168.8.0/24\",\"excludeIPs\":[\"192.168.9.100\"]",
			"excluded ip 192.168.9.100 is not in CIDR 192.168.8.0/24"},
		{"\"version\":\"4\",\"cidr\":\"192.168.8.0/24\",\"start\":\"192.168.8.10\",\"end\":"
		 "\"192.168.8.100\",\"gateway\":\"192.168.8.254\",\"reservedIPs\":[\"192.168.8."
		 "50\"],"
		 "\"excludeIPs\":[\"192.168.8.90\"]",
			""},
		{"\"version\":\"4\",\"cidr\":\"192.168.8.0/31\"",
			"canonicalize subnet failed: CIDR 192.168.8.0/31 too small to allocate "
			"from"},
		{"\"version\":\"4\",\"cidr\":\"192.168.8.0/24\",\"start\":\"192.168.8.255\"",
			"subnet should have at least one available IP. start=192.168.8.255, "
			"end=192.168.8.254"},
		// hybridnet lets this pass, and stops at more than 65536 addresses.
		{"\"version\":\"6\",\"cidr\":\"192.168.8.0/24\"",
			"address families of ip version and CIDR mismatch"},
		{"\"version\":\"4\",\"cidr\":\"fd00::/64\"",
			"address families of ip version and CIDR mismatch"},
		{"\"version\":\"6\",\"cidr\":\"fd00::/64\"", ""},
		{"\"version\":\"4\",\"cidr\":\"10.0.0.0/8\"", ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char spec[SPEC_MAX];

		(void)snprintf(
			spec, sizeof(spec), "\"network\":\"overlay\",\"range\":{%s}", cases[i][0]);
		assert_string_equal(create_answer(*state, "Subnet", "s", spec), cases[i][1]);
	}
}

#define RANGE "\"range\":{\"version\":\"4\",\"cidr\":\"10.0.0.0/24\"}"
#define GATEWAY_RANGE \
	"\"range\":{\"version\":\"4\",\"cidr\":\"10.0.0.0/24\",\"gateway\":\"10.0.0.1\"}"

static void subnets_are_created_by_the_rules_of_their_network(void **state)
{
	static const char *const cases[][2] = {
		{RANGE, "must have parent network"},
		{"\"network\":\"\"," RANGE, "must have parent network"},
		{"\"network\":\"none\"," RANGE, "parent network none does not exist"},
		{"\"network\":\"trunk\"," GATEWAY_RANGE, "must have valid Net ID"},
		{"\"network\":\"trunk\",\"netID\":7," GATEWAY_RANGE, ""},
		{"\"network\":\"trunk\",\"netID\":5000," GATEWAY_RANGE,
			"VLAN id 5000 is out of range 0-4094"},
		{"\"network\":\"trunk\",\"netID\":-1," GATEWAY_RANGE,
			"VLAN id -1 is out of range 0-4094"},
		{"\"network\":\"vlan\",\"netID\":57," GATEWAY_RANGE,
			"have inconsistent Net ID with network"},
		{"\"network\":\"vlan\",\"netID\":56," GATEWAY_RANGE, ""},
		{"\"network\":\"vlan\"," GATEWAY_RANGE, ""},
		{"\"network\":\"vlan\",\"config\":{\"autoNatOutgoing\":false}," GATEWAY_RANGE,
			"must not set autoNatOutgoing with underlay subnet"},
		{"\"network\":\"vlan\",\"config\":{\"private\":true}," GATEWAY_RANGE, ""},
		{"\"network\":\"vlan\"," RANGE, "must assign gateway for a vlan subnet"},
		{"\"network\":\"bgp\",\"netID\":1," RANGE,
			"must not assign net ID for (global) bgp subnet"},
		{"\"network\":\"bgp\",\"config\":{\"autoNatOutgoing\":true}," RANGE,
			"must not set autoNatOutgoing with underlay subnet"},
		{"\"network\":\"bgp\"," RANGE, ""},
		{"\"network\":\"overlay\",\"netID\":4," RANGE,
			"must not assign net ID for overlay subnet"},
		{"\"network\":\"overlay\",\"config\":{\"autoNatOutgoing\":false}," RANGE, ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(create_answer(*state, "Subnet", "s", cases[i][0]), cases[i][1]);
}

static void subnets_do_not_overlap(void **state)
{
	static const char *const cases[][3] = {
		{"overlay", "\"cidr\":\"10.0.0.0/16\"",
			"different but overlapped CIDR with existing subnet low, this is not "
			"suppored yet"},
		{"overlay", "\"cidr\":\"10.0.0.128/25\"",
			"different but overlapped CIDR with existing subnet low, this is not "
			"suppored yet"},
		{"bgp", "\"cidr\":\"10.0.0.0/24\",\"start\":\"10.0.0.200\"",
			"the same CIDR with existing subnet low, this is allowed but need to be in "
			"the same "
			"network"},
		{"overlay", "\"cidr\":\"10.0.0.0/24\",\"start\":\"10.0.0.100\"",
			"overlap with existing subnet low"},
		{"overlay", "\"cidr\":\"10.0.0.0/24\",\"start\":\"10.0.0.101\"", ""},
		{"overlay",
			"\"cidr\":\"10.0.0.0/"
			"24\",\"start\":\"10.0.0.100\",\"excludeIPs\":[\"10.0.0.100\"]",
			""},
		{"overlay", "\"cidr\":\"10.0.1.0/24\"", ""},
		{"bgp", "\"cidr\":\"10.0.1.0/24\"", ""},
	};

	cluster_add(*state, "Subnet", "low",
		"\"network\":\"overlay\",\"range\":{\"version\":\"4\",\"cidr\":\"10.0.0.0/"
		"24\",\"end\":\"10.0.0.100\"}",
		"");
	cluster_add(*state, "Subnet", "six",
		"\"network\":\"overlay\",\"range\":{\"version\":\"6\",\"cidr\":\"::/1\"}", "");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char spec[SPEC_MAX];

		(void)snprintf(spec, sizeof(spec),
			"\"network\":\"%s\",\"range\":{\"version\":\"4\",%s}", cases[i][0],
			cases[i][1]);
		assert_string_equal(create_answer(*state, "Subnet", "s", spec), cases[i][2]);
	}
	// Families share no addresses, and an existing Subnet is not its own rival.
	assert_string_equal(create_answer(*state, "Subnet", "low",
				    "\"network\":\"overlay\",\"range\":{\"version\":\"4\",\"cidr\":"
				    "\"10.0.0.0/24\"}"),
		"");
	assert_string_equal(create_answer(*state, "Subnet", "s6",
				    "\"network\":\"overlay\",\"range\":{\"version\":\"6\",\"cidr\":"
				    "\"0:1::/64\"}"),
		"different but overlapped CIDR with existing subnet six, this is not suppored yet");
}

static struct object *range_of(const char *range)
{
	char spec[SPEC_MAX];

	(void)snprintf(
		spec, sizeof(spec), "\"network\":\"n\",\"range\":{\"version\":\"4\",%s}", range);
	return object_of("Subnet", "s", spec, "");
}

#define R "\"cidr\":\"192.168.1.0/24\","
#define IP(n) "\"192.168.1." n "\""

static void intersecting_ranges_are_those_of_hybridnets_test(void **)
{
	static const struct {
		const char *a, *b;
		bool overlap;
	} cases[] = {
		{"\"cidr\":\"192.168.1.5/24\"", "\"cidr\":\"192.168.100.5/24\"", false},
		{"\"cidr\":\"192.168.1.5/24\"", "\"cidr\":\"192.168.1.5/24\"", true},
		{R "\"start\":" IP("10") ",\"end\":" IP("50"),
			R "\"start\":" IP("51") ",\"end\":" IP("100"), false},
		{R "\"start\":" IP("10") ",\"end\":" IP("50"),
			R "\"start\":" IP("50") ",\"end\":" IP("100"), true},
		{R "\"start\":" IP("50") ",\"end\":" IP("100"),
			R "\"start\":" IP("10") ",\"end\":" IP("50"), true},
		{R "\"start\":" IP("49") ",\"end\":" IP("100") ",\"excludeIPs\":[" IP("49") "," IP(
			 "50") "]",
			R "\"start\":" IP("10") ",\"end\":" IP("50"), false},
		{R "\"start\":" IP("49") ",\"end\":" IP("100"),
			R "\"start\":" IP("10") ",\"end\":" IP("50") ",\"excludeIPs\":[" IP(
				"49") "," IP("50") "]",
			false},
		{R "\"start\":" IP("50") ",\"end\":" IP("100") ",\"excludeIPs\":[" IP("50") "]",
			R
			"\"start\":" IP("10") ",\"end\":" IP("49") ",\"excludeIPs\":[" IP("49") "]",
			false},
		{R "\"start\":" IP("49") ",\"end\":" IP("100") ",\"excludeIPs\":[" IP("100") "]",
			R
			"\"start\":" IP("10") ",\"end\":" IP("50") ",\"excludeIPs\":[" IP("10") "]",
			true},
		{R "\"start\":" IP("49") ",\"end\":" IP("100") ",\"excludeIPs\":[" IP("100") "]",
			R "\"start\":" IP("50") ",\"end\":" IP("50"), true},
		// Gateway and exclusions of both sides together, some said twice.
		{R "\"start\":" IP("49") ",\"end\":" IP("51") ",\"gateway\":" IP(
			 "49") ",\"excludeIPs\":[" IP("50") "," IP("49") "]",
			R "\"end\":" IP("51") ",\"excludeIPs\":[" IP("50") "," IP("51") "," IP(
				"51") "]",
			false},
		{R "\"start\":" IP("49") ",\"end\":" IP("51") ",\"gateway\":" IP(
			 "49") ",\"excludeIPs\":[" IP("49") "," IP("49") "]",
			R "\"end\":" IP("51") ",\"excludeIPs\":[" IP("50") "," IP("50") "]", true},
		{"\"cidr\":\"fd00::/64\"", "\"cidr\":\"fd00::/64\"", true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct object *a = range_of(cases[i].a), *b = range_of(cases[i].b);

		assert_int_equal(
			subnets_overlap(OBJECT_AS(subnet_obj, a), OBJECT_AS(subnet_obj, b)),
			cases[i].overlap);
		assert_int_equal(
			subnets_overlap(OBJECT_AS(subnet_obj, b), OBJECT_AS(subnet_obj, a)),
			cases[i].overlap);
		object_free(a);
		object_free(b);
	}
}

#define FULL(start, end, gateway, excluded, reserved)                                  \
	"\"range\":{\"version\":\"4\",\"cidr\":\"10.0.0.0/24\",\"start\":\"" start     \
	"\",\"end\":\"" end "\",\"gateway\":\"" gateway "\",\"excludeIPs\":[" excluded \
	"],\"reservedIPs\":[" reserved "]}"
#define SAME FULL("10.0.0.2", "10.0.0.99", "10.0.0.1", "\"10.0.0.5\",\"10.0.0.6\"", "\"10.0.0.7\"")

static void subnet_changes_only_where_it_may(void **state)
{
	static const struct {
		const char *name, *spec, *answer;
	} cases[] = {
		{"v", "\"network\":\"vlan\",\"netID\":56," SAME, ""},
		{"v", "\"network\":\"trunk\",\"netID\":56," SAME, "must not change parent network"},
		{"v", "\"network\":\"vlan\"," SAME, "must not change net ID"},
		{"v",
			"\"network\":\"vlan\",\"netID\":56,\"config\":{\"autoNatOutgoing\":true}"
			"," SAME,
			"must not set autoNatOutgoing with vlan subnet"},
		{"v", "\"network\":\"vlan\",\"netID\":56,\"config\":{\"private\":true}," SAME, ""},
		{"v",
			"\"network\":\"vlan\",\"netID\":56,\"range\":{\"version\":\"4\",\"cidr\":"
			"\"10\"}",
			"invalid range CIDR 10"},
		{"v",
			"\"network\":\"vlan\",\"netID\":56," FULL("10.0.0.3", "10.0.0.99",
				"10.0.0.1", "\"10.0.0.5\",\"10.0.0.6\"", ""),
			"must not change range start"},
		{"v",
			"\"network\":\"vlan\",\"netID\":56," FULL("10.0.0.2", "10.0.0.98",
				"10.0.0.1", "\"10.0.0.5\",\"10.0.0.6\"", ""),
			"must not change range end"},
		{"v",
			"\"network\":\"vlan\",\"netID\":56," FULL("10.0.0.2", "10.0.0.99",
				"10.0.0.254", "\"10.0.0.5\",\"10.0.0.6\"", ""),
			"must not change range gateway"},
		{"v",
			"\"network\":\"vlan\",\"netID\":56,\"range\":{\"version\":\"4\",\"cidr\":"
			"\"10.0.0.0/25\","
			"\"start\":\"10.0.0.2\",\"end\":\"10.0.0.99\",\"gateway\":\"10.0.0.1\"}",
			"must not change range CIDR"},
		{"v",
			"\"network\":\"vlan\",\"netID\":56," FULL(
				"10.0.0.2", "10.0.0.99", "10.0.0.1", "\"10.0.0.5\"", ""),
			"must not change excluded IPs"},
		{"v",
			"\"network\":\"vlan\",\"netID\":56," FULL("10.0.0.2", "10.0.0.99",
				"10.0.0.1", "\"10.0.0.5\",\"10.0.0.8\"", ""),
			"must not change excluded IPs"},
		// Another order and other reserved addresses are no change of what is excluded.
		{"v",
			"\"network\":\"vlan\",\"netID\":56," FULL("10.0.0.2", "10.0.0.99",
				"10.0.0.1", "\"10.0.0.6\",\"10.0.0.5\"",
				"\"10.0.0.9\",\"10.0.0.10\""),
			""},
		{"o", "\"network\":\"overlay\",\"netID\":4," RANGE,
			"must not assign net ID for overlay subnet"},
		{"o", "\"network\":\"overlay\",\"config\":{\"autoNatOutgoing\":false}," RANGE, ""},
		{"b", "\"network\":\"bgp\",\"netID\":4," RANGE,
			"must not assign net ID for (global) bgp subnet"},
		{"b", "\"network\":\"bgp\",\"config\":{\"autoNatOutgoing\":false}," RANGE,
			"must not set autoNatOutgoing with (global) bgp subnet"},
	};

	cluster_add(*state, "Subnet", "v", "\"network\":\"vlan\",\"netID\":56," SAME, "");
	cluster_add(*state, "Subnet", "o", "\"network\":\"overlay\"," RANGE, "");
	cluster_add(*state, "Subnet", "b", "\"network\":\"bgp\"," RANGE, "");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(update_answer(*state, "Subnet", cases[i].name, cases[i].spec),
			cases[i].answer);
}

#define INSTANCE(network, subnet, version, ip, mac)        \
	"\"network\":\"" network "\",\"subnet\":\"" subnet \
	"\",\"address\":{\"version\":\"" version "\",\"ip\":\"" ip "\",\"mac\":\"" mac "\"}"
#define MAC "02:12:34:00:00:01"

static void subnet_in_use_is_not_deleted(void **state)
{
	cluster_add(*state, "Subnet", "s", "\"network\":\"overlay\"," RANGE, "");
	assert_string_equal(delete_answer(*state, "Subnet", "s"), "");
	cluster_add(*state, "IPInstance", "10-0-0-5",
		INSTANCE("overlay", "s", "4", "10.0.0.5/24", MAC), "");
	assert_string_equal(
		delete_answer(*state, "Subnet", "s"), "still have using ips [10.0.0.5]");
	cluster_add(*state, "IPInstance", "10-0-0-6",
		INSTANCE("overlay", "s", "4", "10.0.0.6/24", MAC), "");
	cluster_add(*state, "IPInstance", "10-0-1-6",
		INSTANCE("overlay", "t", "4", "10.0.1.6/24", MAC), "");
	assert_string_equal(
		delete_answer(*state, "Subnet", "s"), "still have using ips [10.0.0.5 10.0.0.6]");
}

static void ipinstance_fits_its_subnet(void **state)
{
	static const char *const cases[][2] = {
		{INSTANCE("overlay", "s", "4", "10.0.0.5/24", MAC), ""},
		{INSTANCE("none", "s", "4", "10.0.0.5/24", MAC), "network none does not exist"},
		{INSTANCE("overlay", "none", "4", "10.0.0.5/24", MAC),
			"subnet none does not exist"},
		{INSTANCE("vlan", "s", "4", "10.0.0.5/24", MAC),
			"subnet s is of network overlay, not of vlan"},
		{INSTANCE("overlay", "s", "4", "10.0.1.5/24", MAC),
			"address 10.0.1.5 is not in CIDR 10.0.0.0/24 of subnet s"},
		{INSTANCE("overlay", "s", "6", "fd00::5/64", MAC),
			"address fd00::5 is not in CIDR 10.0.0.0/24 of subnet s"},
		{INSTANCE("overlay", "s", "6", "10.0.0.5/24", MAC),
			"address families of ip version 6 and address 10.0.0.5 mismatch"},
		{INSTANCE("overlay", "s", "4", "10.0.0.5/24", "01:00:5e:00:00:01"),
			"01:00:5e:00:00:01 is not the MAC address of an interface"},
		{INSTANCE("overlay", "s", "4", "10.0.0.5/24", "00-00-00-00-00-00"),
			"00:00:00:00:00:00 is not the MAC address of an interface"},
		{INSTANCE("overlay", "s", "4", "10.0.0.9/24", MAC),
			"address 10.0.0.9 is already that of ipinstance default/taken"},
	};

	cluster_add(*state, "Subnet", "s", "\"network\":\"overlay\"," RANGE, "");
	cluster_add(*state, "IPInstance", "taken",
		INSTANCE("overlay", "s", "4", "10.0.0.9/24", MAC), "");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(
			create_answer(*state, "IPInstance", "i", cases[i][0]), cases[i][1]);
	assert_string_equal(create_answer(*state, "IPInstance", "taken",
				    INSTANCE("overlay", "s", "4", "10.0.0.9/24", MAC)),
		"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			ranges_are_answered_as_by_hybridnet, setup, teardown),
		cmocka_unit_test_setup_teardown(
			subnets_are_created_by_the_rules_of_their_network, setup, teardown),
		cmocka_unit_test_setup_teardown(subnets_do_not_overlap, setup, teardown),
		cmocka_unit_test(intersecting_ranges_are_those_of_hybridnets_test),
		cmocka_unit_test_setup_teardown(subnet_changes_only_where_it_may, setup, teardown),
		cmocka_unit_test_setup_teardown(subnet_in_use_is_not_deleted, setup, teardown),
		cmocka_unit_test_setup_teardown(ipinstance_fits_its_subnet, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
