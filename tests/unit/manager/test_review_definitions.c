// /validate for Networks and Subnets: every row of hybridnet's rules, from AdmissionReview to
// AdmissionReview, messages word for word; and what concurrent changes see of each other.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "review_world.h"

#define VLAN_NETWORK "\"nodeSelector\":{\"net\":\"a\"},\"netID\":10"
#define OVERLAY_NETWORK "\"type\":\"Overlay\",\"netID\":4"
#define BGP_NETWORK                                                                    \
	"\"nodeSelector\":{\"net\":\"b\"},\"mode\":\"BGP\",\"netID\":100,\"config\":{" \
	"\"bgpPeers\":"                                                                \
	"[{\"asn\":1,\"address\":\"10.0.0.1\"}]}"
#define RANGE(members) "\"network\":\"vlan\",\"range\":{\"version\":\"4\"," members "}"
#define RANGE_56 "\"cidr\":\"192.168.56.0/24\",\"gateway\":\"192.168.56.1\""

static struct world w;

struct rule {
	const char *spec, *message;
};

static int setup(void **)
{
	world_init(&w);
	return 0;
}

static int teardown(void **)
{
	world_fini(&w);
	return 0;
}

static void add_networks(void)
{
	world_add(&w, "Node", "node1", "\"labels\":{\"net\":\"a\"}", "");
	world_add(&w, "Node", "node2", "\"labels\":{\"net\":\"b\"}", "");
	world_add(&w, "Network", "vlan", "",
		"\"spec\":{" VLAN_NETWORK "},\"status\":{\"nodeList\":"
		"[\"node1\"]}");
	world_add(&w, "Network", "overlay", "", "\"spec\":{" OVERLAY_NETWORK "}");
	world_add(&w, "Network", "bgp", "",
		"\"spec\":{" BGP_NETWORK "},\"status\":{\"nodeList\":[\"node2\"]}");
	world_add(&w, "Network", "global", "", "\"spec\":{\"type\":\"GlobalBGP\"}");
}

static void check(
	const char *kind, const char *name, const struct rule *rules, size_t n, bool update)
{
	for (size_t i = 0; i < n; i++) {
		const char *message = update ? world_update(&w, kind, name, rules[i].spec)
					     : world_create(&w, kind, name, rules[i].spec);
		if (strcmp(message, rules[i].message) != 0)
			print_error("row %zu: %s\n", i, rules[i].spec);
		assert_string_equal(message, rules[i].message);
		assert_int_equal(w.code, rules[i].message[0] != '\0' ? 403 : 0);
	}
}

#define CHECK(kind, name, rules, update) \
	check(kind, name, rules, sizeof(rules) / sizeof((rules)[0]), update)

static void networks_are_created_by_the_rules(void **)
{
	static const struct rule rules[] = {
		{"\"nodeSelector\":{\"net\":\"c\"}", ""},
		{"\"type\":\"Underlay\"", "must have node selector for underlay network"},
		{"\"nodeSelector\":{\"net\":\"a\"}", "underlay network cannot be overlapped"},
		{OVERLAY_NETWORK, "must have one overlay network at most"},
		{"\"type\":\"GlobalBGP\"", "must have one global bgp network at most"},
		{"\"type\":\"vlan\"", "unknown network type vlan"},
		{"\"type\":\"overlay\"", "unknown network type overlay"},
		{"\"nodeSelector\":{\"net\":\"c\"},\"mode\":\"BGP\"",
			"must assign net ID for bgp network"},
		{"\"nodeSelector\":{\"net\":\"c\"},\"mode\":\"VXLAN\"",
			"VXLAN mode can only be used for overlay network"},
		{"\"nodeSelector\":{\"net\":\"c\"},\"mode\":\"x\"", "unknown network mode x"},
		{"\"nodeSelector\":{\"net\":\"c\"},\"netID\":4095",
			"VLAN id 4095 is out of range 0-4094"},
	};

	add_networks();
	CHECK("Network", "new", rules, false);
	// Nodes are asked for by the selector, from etcd.
	assert_string_equal(world_create(&w, "Network", "new", VLAN_NETWORK),
		"underlay network cannot be overlapped");
	assert_int_equal(w.n_paths, 2);
	assert_string_equal(w.paths[1], "/api/v1/nodes?limit=500&labelSelector=net%3Da");
}

static void networks_change_by_the_rules(void **)
{
	static const struct rule vlan[] = {
		{VLAN_NETWORK, ""},
		{OVERLAY_NETWORK, "network type must not be changed"},
		{"\"netID\":10", "must have node selector for underlay network"},
		{VLAN_NETWORK ",\"mode\":\"VLAN\"", "network mode must not be changed"},
		{"\"nodeSelector\":{\"net\":\"a\"}", "net ID must not be changed"},
		{"\"nodeSelector\":{\"net\":\"a\"},\"netID\":11", "net ID must not be changed"},
		{"\"nodeSelector\":{\"net\":\"b\"},\"netID\":10",
			"underlay network cannot be overlapped"},
		{"\"nodeSelector\":{\"net\":\"c\"},\"netID\":10", ""},
	};
	static const struct rule overlay[] = {
		{OVERLAY_NETWORK ",\"nodeSelector\":{\"a\":\"b\"}",
			"node selector must not be assigned for overlay network"},
	};
	static const struct rule global[] = {
		{"\"type\":\"GlobalBGP\",\"nodeSelector\":{\"a\":\"b\"}",
			"node selector must not be assigned for global bgp network"},
	};
	static const struct rule bgp[] = {
		{BGP_NETWORK, ""},
		{"\"nodeSelector\":{\"net\":\"b\"},\"mode\":\"BGP\",\"netID\":100",
			"at least one bgp router need to be set"},
		{"\"nodeSelector\":{\"net\":\"b\"},\"mode\":\"BGP\",\"netID\":100,\"config\":{"
		 "\"bgpPeers\":[{\"asn\":1,\"address\":\"10.0.0\"}]}",
			"invalid bgp peer ip address 10.0.0"},
	};

	add_networks();
	CHECK("Network", "vlan", vlan, true);
	CHECK("Network", "overlay", overlay, true);
	CHECK("Network", "global", global, true);
	CHECK("Network", "bgp", bgp, true);
}

static void networks_in_use_are_not_deleted(void **)
{
	add_networks();
	assert_string_equal(world_delete(&w, "Network", "vlan"), "");
	world_add(&w, "Subnet", "s", "", "\"spec\":{" RANGE(RANGE_56) "}");
	assert_string_equal(world_delete(&w, "Network", "vlan"), "still have child subnet s");
	assert_string_equal(world_delete(&w, "Network", "bgp"), "");
	world_add(&w, "IPInstance", "10-1-0-5",
		"\"namespace\":\"default\",\"labels\":{\"networking.alibaba.com/"
		"network\":\"global\"}",
		"\"spec\":{\"network\":\"global\",\"subnet\":\"g\",\"address\":{\"ip\":\"10.1.0.5/"
		"24\",\"mac\":\"02:12:34:00:00:01\"},\"binding\":{\"nodeName\":\"node2\"}}");
	assert_string_equal(
		world_delete(&w, "Network", "bgp"), "still have global bgp ip instance in use");
}

static void subnets_are_created_by_the_rules(void **)
{
	static const struct rule rules[] = {
		{RANGE(RANGE_56), ""},
		{"\"range\":{\"version\":\"4\",\"cidr\":\"192.168.56.0/24\"},\"network\":\"\"",
			"must have parent network"},
		{"\"network\":\"none\",\"range\":{\"version\":\"4\",\"cidr\":\"10.9.0.0/24\"}",
			"parent network none does not exist"},
		{RANGE(RANGE_56) ",\"netID\":11", "have inconsistent Net ID with network"},
		{RANGE(RANGE_56) ",\"config\":{\"autoNatOutgoing\":true}",
			"must not set autoNatOutgoing with underlay subnet"},
		{RANGE("\"cidr\":\"192.168.56.0/24\""), "must assign gateway for a vlan subnet"},
		{"\"network\":\"bgp\",\"netID\":1,\"range\":{\"version\":\"4\",\"cidr\":\"10.9.0.0/"
		 "24\"}",
			"must not assign net ID for (global) bgp subnet"},
		{"\"network\":\"global\",\"config\":{\"autoNatOutgoing\":false},\"range\":{"
		 "\"version\":\"4\",\"cidr\":\"10.9.0.0/24\"}",
			"must not set autoNatOutgoing with underlay subnet"},
		{"\"network\":\"overlay\",\"netID\":4,\"range\":{\"version\":\"4\",\"cidr\":\"10.9."
		 "0.0/24\"}",
			"must not assign net ID for overlay subnet"},
		{RANGE("\"cidr\":\"192.168.56.10/24\",\"gateway\":\"192.168.56.1\""),
			"CIDR notation is not standard, should start from 192.168.56.0 but from "
			"192.168.56.10"},
		{"\"network\":\"overlay\",\"range\":{\"version\":\"4\",\"cidr\":\"10.9.0.0/31\"}",
			"canonicalize subnet failed: CIDR 10.9.0.0/31 too small to allocate from"},
		{"\"network\":\"overlay\",\"range\":{\"version\":\"4\",\"cidr\":\"10.0.0.0/16\"}",
			"different but overlapped CIDR with existing subnet there, this is not "
			"suppored yet"},
		{"\"network\":\"overlay\",\"range\":{\"version\":\"4\",\"cidr\":\"10.0.1.0/24\"}",
			"the same CIDR with existing subnet there, this is allowed but need to be "
			"in the same network"},
		{RANGE("\"cidr\":\"10.0.1.0/24\",\"gateway\":\"10.0.1.1\",\"start\":\"10.0.1.50\""),
			"overlap with existing subnet there"},
		{RANGE("\"cidr\":\"10.0.1.0/"
		       "24\",\"gateway\":\"10.0.1.1\",\"start\":\"10.0.1.101\""),
			""},
		// A range that enumeration would never come to the end of.
		{"\"network\":\"overlay\",\"range\":{\"version\":\"6\",\"cidr\":\"fd00::/32\"}",
			""},
	};

	add_networks();
	world_add(&w, "Subnet", "there", "",
		"\"spec\":{" RANGE("\"cidr\":\"10.0.1.0/24\",\"gateway\":\"10.0.1.1\",\"end\":"
				   "\"10.0.1.100\"") "}");
	CHECK("Subnet", "new", rules, false);
}

static void subnets_change_by_the_rules(void **)
{
	static const struct rule rules[] = {
		{RANGE(RANGE_56), ""},
		{RANGE(RANGE_56 ",\"reservedIPs\":[\"192.168.56.9\"]") ",\"config\":{\"private\":"
								       "true}",
			""},
		{"\"network\":\"overlay\",\"range\":{\"version\":\"4\",\"cidr\":\"192.168.56.0/"
		 "24\"}",
			"must not change parent network"},
		{RANGE(RANGE_56) ",\"netID\":10", "must not change net ID"},
		{RANGE(RANGE_56) ",\"config\":{\"autoNatOutgoing\":true}",
			"must not set autoNatOutgoing with vlan subnet"},
		{RANGE(RANGE_56 ",\"start\":\"192.168.56.9\""), "must not change range start"},
		{RANGE(RANGE_56 ",\"end\":\"192.168.56.9\""), "must not change range end"},
		{RANGE("\"cidr\":\"192.168.56.0/24\",\"gateway\":\"192.168.56.2\""),
			"must not change range gateway"},
		{RANGE("\"cidr\":\"192.168.0.0/16\",\"gateway\":\"192.168.56.1\""),
			"must not change range CIDR"},
		{RANGE(RANGE_56 ",\"excludeIPs\":[\"192.168.56.7\"]"),
			"must not change excluded IPs"},
		{RANGE(RANGE_56 ",\"reservedIPs\":[\"10.0.0.1\"]"),
			"reserved ip 10.0.0.1 is not in CIDR 192.168.56.0/24"},
	};

	add_networks();
	world_add(&w, "Subnet", "s", "", "\"spec\":{" RANGE(RANGE_56) "}");
	CHECK("Subnet", "s", rules, true);
}

static void subnets_in_use_are_not_deleted(void **)
{
	add_networks();
	world_add(&w, "Subnet", "s", "", "\"spec\":{" RANGE(RANGE_56) "}");
	assert_string_equal(world_delete(&w, "Subnet", "s"), "");
	for (int i = 5; i < 7; i++) {
		char name[32], rest[256];
		(void)snprintf(name, sizeof(name), "192-168-56-%d", i);
		(void)snprintf(rest, sizeof(rest),
			"\"spec\":{\"network\":\"vlan\",\"subnet\":\"s\",\"address\":{\"ip\":"
			"\"192.168.56.%d/24\",\"mac\":\"02:12:34:00:00:01\"}}",
			i);
		world_add(&w, "IPInstance", name,
			"\"namespace\":\"default\",\"labels\":{\"networking.alibaba.com/"
			"subnet\":\"s\"}",
			rest);
	}
	assert_string_equal(world_delete(&w, "Subnet", "s"),
		"still have using ips [192.168.56.5 192.168.56.6]");
}

static void a_network_being_deleted_may_lose_its_finalizers(void **)
{
	add_networks();
	assert_string_equal(
		world_review(&w, false, "UPDATE", "networks", "",
			"{\"apiVersion\":\"networking.alibaba.com/v1\",\"kind\":\"Network\","
			"\"metadata\":{\"name\":\"x\",\"deletionTimestamp\":\"2026-01-01T00:00:"
			"00Z\"},"
			"\"spec\":{}}",
			NULL),
		"");
}

static void statuses_are_not_judged(void **)
{
	add_networks();
	assert_string_equal(
		world_review(&w, false, "UPDATE", "networks", "status",
			"{\"apiVersion\":\"networking.alibaba.com/v1\",\"kind\":\"Network\","
			"\"metadata\":{\"name\":\"x\"},\"spec\":{}}",
			NULL),
		"");
	assert_int_equal(w.n_paths, 0);
}

static void what_cannot_be_decoded_is_refused_by_its_field(void **)
{
	assert_string_equal(world_create(&w, "Network", "x", "\"netID\":\"ten\""),
		"spec.netID: must be an integer, is \"ten\"");
	assert_int_equal(w.code, 400);
}

// ── Changes at the same time ───────────────────────────────────────────────────────────────────

static void a_second_overlay_sees_the_first_before_it_is_listed(void **)
{
	assert_string_equal(world_admit(&w, "CREATE", "Network", "one", OVERLAY_NETWORK), "");
	assert_string_equal(world_admit(&w, "CREATE", "Network", "two", OVERLAY_NETWORK),
		"must have one overlay network at most");
	// The same again is no other: a client that lost the answer asks once more.
	assert_string_equal(world_admit(&w, "CREATE", "Network", "one", OVERLAY_NETWORK), "");
	// What was not stored within its time never was.
	w.now_ms += 16000;
	assert_string_equal(world_admit(&w, "CREATE", "Network", "two", OVERLAY_NETWORK), "");
	// Nor is anything stored that a clock far ahead of ours noted.
	w.now_ms -= 32000;
	assert_string_equal(world_admit(&w, "CREATE", "Network", "three", OVERLAY_NETWORK), "");
}

static void the_last_change_of_an_object_is_the_one_that_counts(void **)
{
	assert_string_equal(world_admit(&w, "CREATE", "Network", "one", OVERLAY_NETWORK), "");
	assert_string_equal(
		world_admit(&w, "CREATE", "Network", "one", "\"nodeSelector\":{\"net\":\"c\"}"),
		"");
	assert_string_equal(world_admit(&w, "CREATE", "Network", "two", OVERLAY_NETWORK), "");
}

static void overlapping_subnets_see_each_other(void **)
{
	add_networks();
	assert_string_equal(world_admit(&w, "CREATE", "Subnet", "one", RANGE(RANGE_56)), "");
	assert_string_equal(world_admit(&w, "CREATE", "Subnet", "two", RANGE(RANGE_56)),
		"overlap with existing subnet one");
	assert_string_equal(
		world_admit(&w, "DELETE", "Network", "vlan", ""), "still have child subnet one");
}

static void a_subnet_sees_that_its_network_is_being_deleted(void **)
{
	add_networks();
	assert_string_equal(world_admit(&w, "DELETE", "Network", "vlan", ""), "");
	assert_string_equal(world_admit(&w, "CREATE", "Subnet", "one", RANGE(RANGE_56)),
		"parent network vlan does not exist");
}

static void a_selector_sees_anothers_change(void **)
{
	add_networks();
	world_add(&w, "Node", "node3", "\"labels\":{\"net\":\"c\"}", "");
	assert_string_equal(world_admit(&w, "UPDATE", "Network", "vlan",
				    "\"nodeSelector\":{\"net\":\"c\"},\"netID\":10"),
		"");
	assert_string_equal(
		world_admit(&w, "CREATE", "Network", "new", "\"nodeSelector\":{\"net\":\"c\"}"),
		"underlay network cannot be overlapped");
}

static void a_ledger_that_somebody_wrote_into_does_not_harm(void **)
{
	static const char *const texts[] = {"", "x", "{}", "[1,{},null,{\"at\":1}]",
		"[{\"at\":1700000000000,\"operation\":\"CREATE\",\"kind\":\"Network\",\"name\":"
		"\"x\","
		"\"object\":{\"kind\":7}}]",
		"[{\"at\":\"x\",\"operation\":7,\"object\":[]}]"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		cJSON_Delete(w.ledger);
		w.ledger = cJSON_Parse("{\"metadata\":{\"annotations\":{}}}");
		(void)cJSON_AddStringToObject(
			cJSON_GetObjectItem(
				cJSON_GetObjectItem(w.ledger, "metadata"), "annotations"),
			"strata.networking.alibaba.com/admitted", texts[i]);
		assert_string_equal(
			world_admit(&w, "CREATE", "Network", "two", OVERLAY_NETWORK), "");
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(networks_are_created_by_the_rules),
		TEST(networks_change_by_the_rules),
		TEST(networks_in_use_are_not_deleted),
		TEST(subnets_are_created_by_the_rules),
		TEST(subnets_change_by_the_rules),
		TEST(subnets_in_use_are_not_deleted),
		TEST(a_network_being_deleted_may_lose_its_finalizers),
		TEST(statuses_are_not_judged),
		TEST(what_cannot_be_decoded_is_refused_by_its_field),
		TEST(a_second_overlay_sees_the_first_before_it_is_listed),
		TEST(the_last_change_of_an_object_is_the_one_that_counts),
		TEST(overlapping_subnets_see_each_other),
		TEST(a_subnet_sees_that_its_network_is_being_deleted),
		TEST(a_selector_sees_anothers_change),
		TEST(a_ledger_that_somebody_wrote_into_does_not_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
