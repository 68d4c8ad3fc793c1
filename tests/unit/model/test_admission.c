// Admission of Networks: every rule is provoked once, and its words are compared with hybridnet's.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cluster.h"

#define UNDERLAY "\"type\":\"Underlay\",\"nodeSelector\":{\"net\":\"a\"}"
#define OVERLAY "\"type\":\"Overlay\",\"netID\":4"
#define GLOBAL_BGP "\"type\":\"GlobalBGP\""
#define PEER "\"config\":{\"bgpPeers\":[{\"asn\":200,\"address\":\"192.168.56.254\"}]}"
#define BGP UNDERLAY ",\"mode\":\"BGP\",\"netID\":100"

struct rule {
	const char *spec, *answer;
};

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct cluster));
	return *state == NULL;
}

static int teardown(void **state)
{
	cluster_fini(*state);
	free(*state);
	return 0;
}

static void networks_are_created_by_the_rules(void **state)
{
	static const struct rule rules[] = {
		{UNDERLAY, ""},
		{"\"nodeSelector\":{\"net\":\"a\"},\"netID\":0", ""},
		{"\"type\":\"Underlay\"", "must have node selector for underlay network"},
		{"", "must have node selector for underlay network"},
		{"\"nodeSelector\":{}", "must have node selector for underlay network"},
		{OVERLAY, ""},
		{OVERLAY ",\"nodeSelector\":{\"net\":\"a\"}",
			"must not assign node selector for overlay network"},
		{"\"type\":\"Overlay\"", "must assign net ID for overlay network"},
		{GLOBAL_BGP, ""},
		{GLOBAL_BGP ",\"nodeSelector\":{\"net\":\"a\"}",
			"must not assign node selector for global bgp network"},
		{GLOBAL_BGP ",\"netID\":1", "must not assign net ID for global bgp network"},
		{"\"type\":\"others\"", "unknown network type others"},
		{"\"type\":\"overlay\"", "unknown network type overlay"},
		{OVERLAY ",\"mode\":\"BGP\"", "BGP mode can only be used for underlay network"},
		{UNDERLAY ",\"mode\":\"BGP\"", "must assign net ID for bgp network"},
		{BGP, "at least one bgp router need to be set"},
		{BGP ",\"config\":{}", "at least one bgp router need to be set"},
		{BGP ",\"config\":{\"bgpPeers\":[]}", "at least one bgp router need to be set"},
		{BGP ",\"config\":{\"bgpPeers\":[{\"asn\":1,\"address\":\"192.168.56\"}]}",
			"invalid bgp peer ip address 192.168.56"},
		{BGP ",\"config\":{\"bgpPeers\":[{\"address\":\"fd00::1\"}]}",
			"bgp peer fd00::1's AS number need to be set"},
		{BGP "," PEER, ""},
		{OVERLAY ",\"mode\":\"VLAN\"", "VLAN mode can only be used for underlay network"},
		{UNDERLAY ",\"mode\":\"VXLAN\"", "VXLAN mode can only be used for overlay network"},
		{UNDERLAY ",\"mode\":\"GlobalBGP\"",
			"GlobalBGP mode can only be used for global bgp network"},
		{UNDERLAY ",\"mode\":\"vlan\"", "unknown network mode vlan"},
		// Of our own.
		{UNDERLAY ",\"netID\":4094", ""},
		{UNDERLAY ",\"netID\":4095", "VLAN id 4095 is out of range 0-4094"},
		{UNDERLAY ",\"netID\":5000", "VLAN id 5000 is out of range 0-4094"},
		{UNDERLAY ",\"netID\":-1", "VLAN id -1 is out of range 0-4094"},
		{"\"type\":\"Overlay\",\"netID\":0", "VNI 0 is out of range 1-16777215"},
		{"\"type\":\"Overlay\",\"netID\":16777215", ""},
		{"\"type\":\"Overlay\",\"netID\":16777216",
			"VNI 16777216 is out of range 1-16777215"},
		{UNDERLAY ",\"switchID\":\"virtual-switch\"", ""},
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		assert_string_equal(
			create_answer(*state, "Network", "n", rules[i].spec), rules[i].answer);
}

static void there_is_one_overlay_network_and_one_global_bgp_network(void **state)
{
	cluster_add(*state, "Network", "first", OVERLAY, "");
	cluster_add(*state, "Network", "global", GLOBAL_BGP, "");
	assert_string_equal(create_answer(*state, "Network", "second", OVERLAY),
		"must have one overlay network at most");
	assert_string_equal(create_answer(*state, "Network", "second", GLOBAL_BGP),
		"must have one global bgp network at most");
	// An object is not its own rival: what exists can be judged again.
	assert_string_equal(create_answer(*state, "Network", "first", OVERLAY), "");
	assert_string_equal(create_answer(*state, "Network", "global", GLOBAL_BGP), "");
}

static struct object *node(const char *name, const char *labels)
{
	char text[512];

	(void)snprintf(text, sizeof(text),
		HEAD "\"NodeInfo\",\"metadata\":{\"name\":\"%s\",\"labels\":{%s}}}", name, labels);
	return decoded(text);
}

static void node_is_in_one_underlay_network_only(void **state)
{
	struct cluster *c = *state;

	c->obj[KIND_NODEINFO][c->n[KIND_NODEINFO]++] =
		node("node1", "\"net\":\"a\",\"rack\":\"1\"");
	c->obj[KIND_NODEINFO][c->n[KIND_NODEINFO]++] = node("node2", "\"net\":\"b\"");
	cluster_add(c, "Network", "a", "\"nodeSelector\":{\"net\":\"a\"},\"netID\":1", "");
	assert_string_equal(create_answer(c, "Network", "r", "\"nodeSelector\":{\"rack\":\"1\"}"),
		"underlay network cannot be overlapped");
	assert_string_equal(
		create_answer(c, "Network", "b", "\"nodeSelector\":{\"net\":\"b\"}"), "");
	assert_string_equal(
		create_answer(c, "Network", "a", "\"nodeSelector\":{\"net\":\"a\"}"), "");
	// Also when only the other's status says so (its selector has changed since).
	cluster_add(c, "Network", "s", "\"nodeSelector\":{\"net\":\"c\"}",
		"\"status\":{\"nodeList\":[\"node2\"]}");
	assert_string_equal(create_answer(c, "Network", "b", "\"nodeSelector\":{\"net\":\"b\"}"),
		"underlay network cannot be overlapped");
	// And when a selector is changed later.
	assert_string_equal(update_answer(c, "Network", "s", "\"nodeSelector\":{\"rack\":\"1\"}"),
		"underlay network cannot be overlapped");
}

static void network_changes_only_where_it_may(void **state)
{
	static const struct {
		const char *name, *spec, *answer;
	} rules[] = {
		{"vlan", UNDERLAY ",\"netID\":10", ""},
		{"vlan", "\"type\":\"Overlay\",\"netID\":10", "network type must not be changed"},
		{"vlan", "\"type\":\"Underlay\",\"netID\":10",
			"must have node selector for underlay network"},
		{"vlan", "\"nodeSelector\":{\"net\":\"z\"},\"netID\":10", ""},
		{"vlan", UNDERLAY ",\"netID\":10,\"mode\":\"VLAN\"",
			"network mode must not be changed"},
		{"vlan", UNDERLAY ",\"netID\":11", "net ID must not be changed"},
		{"vlan", UNDERLAY, "net ID must not be changed"},
		{"overlay", OVERLAY ",\"nodeSelector\":{\"net\":\"a\"}",
			"node selector must not be assigned for overlay network"},
		{"global", GLOBAL_BGP ",\"nodeSelector\":{\"net\":\"a\"}",
			"node selector must not be assigned for global bgp network"},
		{"bgp", BGP "," PEER, ""},
		{"bgp", BGP, "at least one bgp router need to be set"},
		{"bgp", BGP ",\"config\":{\"bgpPeers\":[]}",
			"at least one bgp router need to be set"},
		{"bgp", BGP ",\"config\":{\"bgpPeers\":[{\"asn\":1,\"address\":\"x\"}]}",
			"invalid bgp peer ip address x"},
		{"bgp", BGP ",\"config\":{\"bgpPeers\":[{\"address\":\"10.0.0.1\"}]}",
			"bgp peer 10.0.0.1's AS number need to be set"},
		{"odd", "\"type\":\"others\"", "unknown network type others"},
		{"odd", "\"type\":\"other\"", "network type must not be changed"},
		{"oddmode", UNDERLAY ",\"mode\":\"token\"", "unknown network mode token"},
	};

	cluster_add(*state, "Network", "vlan", UNDERLAY ",\"netID\":10", "");
	cluster_add(*state, "Network", "overlay", OVERLAY, "");
	cluster_add(*state, "Network", "global", GLOBAL_BGP, "");
	cluster_add(*state, "Network", "bgp", BGP "," PEER, "");
	cluster_add(*state, "Network", "odd", "\"type\":\"others\"", "");
	cluster_add(*state, "Network", "oddmode", UNDERLAY ",\"mode\":\"token\"", "");
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		assert_string_equal(update_answer(*state, "Network", rules[i].name, rules[i].spec),
			rules[i].answer);
}

static void network_with_a_subnet_is_not_deleted(void **state)
{
	cluster_add(*state, "Network", "n", OVERLAY, "");
	cluster_add(*state, "Network", "other", OVERLAY, "");
	cluster_add(*state, "Subnet", "s",
		"\"network\":\"n\",\"range\":{\"version\":\"4\",\"cidr\":\"10.0.0.0/24\"}", "");
	assert_string_equal(delete_answer(*state, "Network", "n"), "still have child subnet s");
	assert_string_equal(delete_answer(*state, "Network", "other"), "");
}

static void bgp_network_whose_nodes_have_global_addresses_is_not_deleted(void **state)
{
	cluster_add(
		*state, "Network", "bgp", BGP "," PEER, "\"status\":{\"nodeList\":[\"node1\"]}");
	cluster_add(
		*state, "Network", "bgp2", BGP "," PEER, "\"status\":{\"nodeList\":[\"node2\"]}");
	cluster_add(*state, "Network", "global", GLOBAL_BGP, "");
	cluster_add(*state, "IPInstance", "10-0-0-1",
		"\"network\":\"global\",\"subnet\":\"s\",\"address\":{\"version\":\"4\",\"ip\":"
		"\"10.0.0.1/24\","
		"\"mac\":\"02:12:34:00:00:01\"},\"binding\":{\"nodeName\":\"node1\"}",
		"");
	assert_string_equal(delete_answer(*state, "Network", "bgp"),
		"still have global bgp ip instance in use");
	assert_string_equal(delete_answer(*state, "Network", "bgp2"), "");
}

static void name_that_no_label_can_hold_is_refused(void **state)
{
	char name[LABEL_MAX_LEN + 1], want[256];

	memset(name, 'a', sizeof(name) - 1);
	name[LABEL_MAX_LEN] = '\0';
	(void)snprintf(
		want, sizeof(want), "name %s is longer than the 63 characters of a label", name);
	assert_string_equal(create_answer(*state, "Network", name, OVERLAY), want);
	assert_string_equal(create_answer(*state, "Subnet", name, ""), want);
	assert_string_equal(create_answer(*state, "Network", name + 1, OVERLAY), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(networks_are_created_by_the_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(
			there_is_one_overlay_network_and_one_global_bgp_network, setup, teardown),
		cmocka_unit_test_setup_teardown(
			node_is_in_one_underlay_network_only, setup, teardown),
		cmocka_unit_test_setup_teardown(network_changes_only_where_it_may, setup, teardown),
		cmocka_unit_test_setup_teardown(
			network_with_a_subnet_is_not_deleted, setup, teardown),
		cmocka_unit_test_setup_teardown(
			bgp_network_whose_nodes_have_global_addresses_is_not_deleted, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			name_that_no_label_can_hold_is_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
