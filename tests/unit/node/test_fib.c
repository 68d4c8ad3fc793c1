// The FIB: what Networks, Subnets and nodes make of the tables, and what is shown of them.
#include "tests/unit/node/fib_networks.h"

#include "ctrl/node/fib_priv.h"
#include "tests/unit/dataplane/eal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void own_addresses_are_routed_to_the_host(void **)
{
	const struct route *r = route(&w, "10.9.0.1");

	assert_non_null(r);
	assert_int_equal(r->kind, ROUTE_NODE_SELF);
	assert_int_equal(nexthop(&w, r->nexthop)->kind, NEXTHOP_HOST);
	assert_int_equal(route(&w, "fd09::1")->kind, ROUTE_NODE_SELF);
}

static void the_node_says_its_vtep_vni_and_vlans(void **)
{
	const struct node *n = w.tables->node;

	assert_true(n->has_vni);
	assert_int_equal(n->vni, 4);
	assert_memory_equal(&n->vtep4, &w.config.host_addr[0].ip, 16);
	assert_memory_equal(&n->vtep_mac, uplink_mac, 6);
	assert_int_equal(n->uplink, w.uplink_index);
	for (uint32_t vlan = 0; vlan < VLAN_COUNT; vlan++)
		assert_int_equal(n->vlans[vlan / 64] >> vlan % 64 & 1, vlan == 56);
}

// One whose Subnets have VLANs of their own.
static void put_loose_network(void)
{
	put(&w, "{" API "\"kind\":\"Network\",\"metadata\":{\"name\":\"loose\"},\"spec\":{"
		"\"type\":\"Underlay\",\"nodeSelector\":{\"net\":\"a\"}}}");
	world_turn(&w);
}

static void a_subnet_has_its_network_s_vlan_or_its_own(void **)
{
	put_loose_network();
	put_subnet(&w, "wire-2", "loose", "192.168.57.0/24", "192.168.57.254", 57);

	assert_int_equal(subnet(&w, "wire")->vlan, 56);
	assert_int_equal(subnet(&w, "wire-2")->vlan, 57);
	assert_true(subnet(&w, "wire")->attached);
	assert_true(subnet(&w, "over")->overlay);
	assert_true(subnet(&w, "over")->nat_outgoing);
}

static void a_subnet_keeps_its_index_while_others_come_and_go(void **)
{
	put_subnet(&w, "b", "overlay", "100.65.0.0/16", NULL, -1);
	put_subnet(&w, "c", "overlay", "100.66.0.0/16", NULL, -1);
	ptrdiff_t c = subnet(&w, "c") - w.tables->subnets->subnet;

	del(&w, KIND_SUBNET, "", "b");
	world_turn(&w);
	assert_null(subnet(&w, "b"));
	assert_int_equal(subnet(&w, "c") - w.tables->subnets->subnet, c);

	put_subnet(&w, "d", "overlay", "100.67.0.0/16", NULL, -1);
	assert_non_null(subnet(&w, "d"));
	assert_int_equal(subnet(&w, "c") - w.tables->subnets->subnet, c);
}

// "first" on VLAN 57 and "second" on 58, with ranges of their own.
static void put_subnets_of_one_prefix(void)
{
	put_loose_network();
	put(&w, "{" API
		"\"kind\":\"Subnet\",\"metadata\":{\"name\":\"first\"},\"spec\":{\"network\":"
		"\"loose\",\"netID\":57,\"range\":{\"version\":\"4\",\"cidr\":\"192.168.58.0/"
		"24\",\"start\":"
		"\"192.168.58.10\",\"end\":\"192.168.58.20\",\"gateway\":\"192.168.58.1\"}}}");
	put(&w, "{" API
		"\"kind\":\"Subnet\",\"metadata\":{\"name\":\"second\"},\"spec\":{\"network\":"
		"\"loose\",\"netID\":58,\"range\":{\"version\":\"4\",\"cidr\":\"192.168.58.0/"
		"24\",\"start\":"
		"\"192.168.58.30\",\"end\":\"192.168.58.40\",\"gateway\":\"192.168.58.2\"}}}");
	world_turn(&w);
}

static void subnets_of_one_prefix_keep_their_own_gateways(void **)
{
	put_subnets_of_one_prefix();

	const struct subnet *a = subnet(&w, "first"), *b = subnet(&w, "second");
	assert_int_equal(a->vlan, 57);
	assert_int_equal(b->vlan, 58);
	const struct in6_addr one = ip("192.168.58.1"), two = ip("192.168.58.2");
	assert_memory_equal(&nexthop(&w, a->gateway)->remote, &one, 16);
	assert_memory_equal(&nexthop(&w, b->gateway)->remote, &two, 16);
	assert_int_equal(nexthop(&w, b->gateway)->vlan, 58);
}

static void an_address_that_passes_to_another_subnet_is_on_its_vlan(void **)
{
	put_subnets_of_one_prefix();
	put_ip(&w, "first", "loose", "192.168.58.15/24", "node-2", "a");
	assert_int_equal(route(&w, "192.168.58.15")->vlan, 57);
	put_ip(&w, "second", "loose", "192.168.58.15/24", "node-2", "a");
	assert_int_equal(route(&w, "192.168.58.15")->vlan, 58);
}

static void a_network_whose_selector_does_not_match_is_not_attached(void **)
{
	put(&w, "{" API "\"kind\":\"Network\",\"metadata\":{\"name\":\"elsewhere\"},\"spec\":{"
		"\"type\":\"Underlay\",\"netID\":99,\"nodeSelector\":{\"net\":\"b\"}}}");
	put_subnet(&w, "far", "elsewhere", "192.168.99.0/24", "192.168.99.254", -1);

	assert_false(subnet(&w, "far")->attached);
	assert_int_equal(subnet(&w, "far")->gateway, NEXTHOP_NONE);
	assert_int_equal(w.tables->node->vlans[99 / 64] >> 99 % 64 & 1, 0);

	// The node's own NodeInfo carries the labels where the configuration does not.
	put(&w, "{" API
		"\"kind\":\"NodeInfo\",\"metadata\":{\"name\":\"node-1\",\"labels\":{\"net\":"
		"\"b\"}},\"spec\":{}}");
	world_turn(&w);
	assert_true(subnet(&w, "far")->attached);
	assert_int_equal(w.tables->node->vlans[99 / 64] >> 99 % 64 & 1, 1);
}

static void a_network_of_a_type_that_is_not_served_leaves_the_others_alone(void **)
{
	put(&w, "{" API "\"kind\":\"Network\",\"metadata\":{\"name\":\"bgp\"},\"spec\":{\"type\":"
		"\"GlobalBGP\"}}");
	put_subnet(&w, "routed", "bgp", "172.20.0.0/16", NULL, -1);
	put_ip(&w, "routed", "bgp", "172.20.0.5/16", "node-2", "p");
	put_ip(&w, "over", "overlay", "100.64.0.5/16", "node-2", "p");

	assert_null(subnet(&w, "routed"));
	assert_null(route(&w, "172.20.0.5"));
	assert_non_null(route(&w, "100.64.0.5"));
}

static void a_tunnel_is_resolved_before_anybody_uses_it(void **)
{
	uint32_t tunnel = resolved_tunnel();

	const struct nexthop *nh = nexthop(&w, tunnel);
	const struct in6_addr vtep = ip("10.9.0.2");
	assert_memory_equal(&nh->dst, mac_2, 6);
	assert_memory_equal(&nh->inner_dst, mac_2, 6);
	assert_memory_equal(&nh->remote, &vtep, 16);
	assert_int_equal(nh->mtu, 1450);
	assert_int_equal(nh->vlan, 0);
}

static void a_tunnel_by_ipv6_carries_less(void **)
{
	put_ip(&w, "over", "overlay", "100.64.0.5/16", "node-6", "a");
	put_node(&w, "node-6", "fd09::6", MAC_2);
	expect_solicitation(&w, 0, "fd09::1", "fd09::6");
	give_advertisement(&w, 0, "fd09::6", "fd09::1", mac_2);
	wait_nexthop(route(&w, "100.64.0.5")->nexthop, NEXTHOP_TUNNEL, mac_2);
	assert_int_equal(nexthop(&w, route(&w, "100.64.0.5")->nexthop)->mtu, 1430);
}

static void a_node_s_addresses_that_nothing_is_forwarded_to_have_no_route(void **)
{
	put(&w, "{" API "\"kind\":\"NodeInfo\",\"metadata\":{\"name\":\"node-2\"},\"spec\":{"
		"\"vtepInfo\":{\"ip\":\"10.9.0.2\",\"mac\":\"" MAC_2 "\",\"localIPs\":["
		"\"127.0.0.1\",\"169.254.1.1\",\"::\",\"fe80::2\",\"224.0.0.1\",\"10.9.0.22\"]}}}");
	world_turn(&w);
	assert_non_null(route(&w, "10.9.0.22"));
	static const char *const never[] = {
		"127.0.0.1", "169.254.1.1", "::", "fe80::2", "224.0.0.1"};
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		assert_null(route(&w, never[i]));
}

static void a_tunnel_to_another_network_goes_by_the_node_s_gateway(void **)
{
	put_ip(&w, "over", "overlay", "100.64.0.5/16", "node-3", "a");
	put_node(&w, "node-3", "10.77.0.3", MAC_2);
	expect_arp_request(&w, 0, "10.9.0.1", "10.9.0.254");
	give_arp_reply(&w, 0, "10.9.0.254", mac_router);
	wait_nexthop(route(&w, "100.64.0.5")->nexthop, NEXTHOP_TUNNEL, NULL);

	const struct nexthop *nh = nexthop(&w, route(&w, "100.64.0.5")->nexthop);
	const struct in6_addr vtep = ip("10.77.0.3");
	assert_memory_equal(&nh->dst, mac_router, 6);
	assert_memory_equal(&nh->inner_dst, mac_2, 6);
	assert_memory_equal(&nh->remote, &vtep, 16);
}

static void a_nodeinfo_s_change_costs_one_tunnel_write_and_no_route(void **)
{
	uint32_t tunnel = resolved_tunnel();
	const struct route *before = route(&w, "100.64.0.5");
	const struct nexthop *nh = nexthop(&w, tunnel);

	put_node(&w, "node-2", "10.9.0.2", "52:54:00:00:00:22");

	assert_ptr_equal(route(&w, "100.64.0.5"), before); // routes are replaced whole if at all
	assert_ptr_not_equal(nexthop(&w, tunnel), nh);
	assert_int_equal(nexthop(&w, tunnel)->inner_dst.addr_bytes[5], 0x22);
	assert_int_equal(nexthop(&w, tunnel)->kind, NEXTHOP_TUNNEL);

	nh = nexthop(&w, tunnel);
	put_node(&w, "node-2", "10.9.0.2", "52:54:00:00:00:22");
	assert_ptr_equal(nexthop(&w, tunnel), nh); // the same again is no write at all
}

static void a_node_that_is_gone_takes_its_tunnel_and_addresses_along(void **)
{
	uint32_t tunnel = resolved_tunnel();

	del(&w, KIND_NODEINFO, "", "node-2");

	assert_int_equal(route(&w, "100.64.0.5")->nexthop, NEXTHOP_NONE);
	assert_null(route(&w, "10.9.0.2"));
	assert_null(nexthop(&w, tunnel));
}

static void routes_follow_when_a_subnet_changes_its_vlan(void **)
{
	put_ip(&w, "wire", "under", "192.168.56.100/24", "node-2", "a");
	assert_int_equal(route(&w, "192.168.56.100")->vlan, 56);
	// Admission forbids it, so the event comes past the cache; it must not break anything.
	struct network n = {.type = NETWORK_UNDERLAY, .has_net_id = true, .net_id = 60};
	n.obj.meta.name = "under";
	fib_network_event(w.fib, CACHE_PUT, &n);
	world_turn(&w);

	assert_int_equal(subnet(&w, "wire")->vlan, 60);
	assert_int_equal(route(&w, "192.168.56.100")->vlan, 60);
	assert_int_equal(nexthop(&w, subnet(&w, "wire")->gateway)->vlan, 60);
}

static void mtu_follows_the_vtep_s_family_and_the_configuration(void **)
{
	assert_int_equal(fib_pod_mtu(w.fib, false), 1500);
	assert_int_equal(fib_pod_mtu(w.fib, true), 1450);
	w.config.vtep = ip("fd09::1");
	assert_int_equal(fib_pod_mtu(w.fib, true), 1430);
	w.config.pod_mtu = 1400;
	assert_int_equal(fib_pod_mtu(w.fib, true), 1400);
	assert_int_equal(fib_pod_mtu(w.fib, false), 1400);
}

// ── What is shown ──────────────────────────────────────────────────────────────────────────────

static const cJSON *record(const cJSON *items, const char *field, const char *value)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, items) {
		const char *text =
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, field));
		if (text != NULL && strcmp(text, value) == 0)
			return item;
	}
	fail_msg("no record with %s=%s", field, value);
	return NULL;
}

static const char *text_of(const cJSON *item, const char *field)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, field));
	return text != NULL ? text : "(none)";
}

static void what_is_in_the_tables_is_shown(void **)
{
	struct fib_pod p;

	(void)resolved_tunnel();
	put_ip(&w, "wire", "under", "192.168.56.7/24", "node-1", "web-0");
	fib_pod_make(&w, &p, "web-0", "192.168.56.7", "wire", NULL, NULL, false);
	(void)attach(&w, &p);

	cJSON *items = fib_show_routes(w.fib);
	assert_string_equal(text_of(record(items, "address", "192.168.56.7"), "kind"), "local-pod");
	assert_string_equal(text_of(record(items, "address", "100.64.0.5"), "network"), "overlay");
	cJSON_Delete(items);

	items = fib_show_nexthops(w.fib);
	assert_string_equal(text_of(record(items, "kind", "tunnel"), "remote"), "10.9.0.2");
	cJSON_Delete(items);

	items = fib_show_neighbours(w.fib);
	assert_string_equal(text_of(record(items, "address", "10.9.0.2"), "state"), "reachable");
	assert_string_equal(text_of(record(items, "address", "10.9.0.2"), "mac"), MAC_2);
	assert_string_equal(text_of(record(items, "address", "192.168.56.254"), "subnet"), "wire");
	cJSON_Delete(items);

	items = fib_show_ports(w.fib);
	const cJSON *port = record(items, "name", "default/web-0/eth0");
	assert_string_equal(text_of(port, "network"), "underlay");
	assert_string_equal(text_of(port, "driver"), "ring");
	assert_string_equal(
		cJSON_GetStringValue(cJSON_GetArrayItem(cJSON_GetObjectItem(port, "ips"), 0)),
		"192.168.56.7");
	cJSON_Delete(items);

	items = fib_show_workers(w.fib);
	assert_int_equal(cJSON_GetArraySize(items), 1);
	cJSON_Delete(items);
	items = fib_show_queues(w.fib);
	const cJSON *queue = record(items, "name", "default/web-0/eth0");
	assert_int_equal(cJSON_GetNumberValue(cJSON_GetObjectItem(queue, "queue")), 0);
	assert_int_equal(cJSON_GetNumberValue(cJSON_GetObjectItem(queue, "worker")), 0);
	cJSON_Delete(items);
	items = fib_show_drops(w.fib);
	assert_true(cJSON_IsArray(items));
	cJSON_Delete(items);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(own_addresses_are_routed_to_the_host),
		TEST(the_node_says_its_vtep_vni_and_vlans),
		TEST(a_subnet_has_its_network_s_vlan_or_its_own),
		TEST(a_subnet_keeps_its_index_while_others_come_and_go),
		TEST(subnets_of_one_prefix_keep_their_own_gateways),
		TEST(an_address_that_passes_to_another_subnet_is_on_its_vlan),
		TEST(a_network_whose_selector_does_not_match_is_not_attached),
		TEST(a_network_of_a_type_that_is_not_served_leaves_the_others_alone),
		TEST(a_tunnel_is_resolved_before_anybody_uses_it),
		TEST(a_tunnel_by_ipv6_carries_less),
		TEST(a_node_s_addresses_that_nothing_is_forwarded_to_have_no_route),
		TEST(a_tunnel_to_another_network_goes_by_the_node_s_gateway),
		TEST(a_nodeinfo_s_change_costs_one_tunnel_write_and_no_route),
		TEST(a_node_that_is_gone_takes_its_tunnel_and_addresses_along),
		TEST(routes_follow_when_a_subnet_changes_its_vlan),
		TEST(mtu_follows_the_vtep_s_family_and_the_configuration),
		TEST(what_is_in_the_tables_is_shown),
	};

	eal_start("fib", "0@0,1@0");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
