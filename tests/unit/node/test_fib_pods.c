// The FIB and the addresses of pods: where their routes lead, and when they have none.
#include "tests/unit/node/fib_networks.h"

#include "tests/unit/dataplane/eal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

static void a_reserved_address_has_a_route_without_a_way(void **)
{
	put_ip(&w, "over", "overlay", "100.64.0.5/16", "", "web-0");

	const struct route *r = route(&w, "100.64.0.5");
	assert_int_equal(r->kind, ROUTE_RESERVED);
	assert_int_equal(r->nexthop, NEXTHOP_NONE);
	assert_true(r->overlay);
}

static void pods_of_an_unknown_node_have_no_way_until_its_nodeinfo_comes(void **)
{
	put_ip(&w, "over", "overlay", "100.64.0.5/16", "node-2", "a");
	put_ip(&w, "over", "overlay", "100.64.0.6/16", "node-2", "b");
	assert_int_equal(route(&w, "100.64.0.5")->kind, ROUTE_REMOTE_POD);
	assert_int_equal(route(&w, "100.64.0.5")->nexthop, NEXTHOP_NONE);

	put_node(&w, "node-2", "10.9.0.2", MAC_2);

	uint32_t tunnel = route(&w, "100.64.0.5")->nexthop;
	assert_int_not_equal(tunnel, NEXTHOP_NONE);
	assert_int_equal(route(&w, "100.64.0.6")->nexthop, tunnel);
	assert_int_equal(nexthop(&w, tunnel)->kind, NEXTHOP_UNRESOLVED);
	assert_int_equal(route(&w, "10.9.0.2")->kind, ROUTE_NODE_OTHER);
	assert_int_equal(route(&w, "172.31.0.2")->kind, ROUTE_NODE_OTHER);
	assert_int_equal(route(&w, "172.31.0.2")->nexthop, tunnel);
}

static void a_pod_of_this_node_is_reachable_while_it_has_a_port(void **)
{
	struct fib_pod p;

	put_ip(&w, "over", "overlay", "100.64.0.7/16", "node-1", "web-0");
	assert_int_equal(route(&w, "100.64.0.7")->kind, ROUTE_RESERVED);

	fib_pod_make(&w, &p, "web-0", "100.64.0.7", "over", NULL, NULL, true);
	struct test_pod t = attach(&w, &p);
	const struct route *r = route(&w, "100.64.0.7");
	assert_int_equal(r->kind, ROUTE_LOCAL_POD);
	assert_int_equal(nexthop(&w, r->nexthop)->kind, NEXTHOP_PORT);
	assert_int_equal(nexthop(&w, r->nexthop)->port, t.port);
	assert_memory_equal(&nexthop(&w, r->nexthop)->dst, p.mac, 6);
	const struct vport *v = w.tables->vports[t.port];
	assert_int_equal(v->subnet4, r->subnet);
	assert_int_equal(v->subnet6, SUBNET_NONE);
	assert_int_equal(nexthop(&w, r->nexthop)->mtu, 1450);

	detach(&w, &t);
	assert_int_equal(route(&w, "100.64.0.7")->kind, ROUTE_RESERVED);
	assert_null(w.tables->vports[t.port]);
}

static void a_port_does_not_get_an_address_that_belongs_to_another_pod(void **)
{
	struct fib_pod p;

	put_ip(&w, "over", "overlay", "100.64.0.7/16", "node-1", "web-1");
	fib_pod_make(&w, &p, "web-0", "100.64.0.7", "over", NULL, NULL, true);
	(void)attach(&w, &p);

	assert_int_equal(route(&w, "100.64.0.7")->kind, ROUTE_RESERVED);
}

static void an_address_that_passes_to_another_pod_of_the_node_is_at_its_port(void **)
{
	struct fib_pod p;

	put_ip(&w, "over", "overlay", "100.64.0.7/16", "node-1", "web-1");
	fib_pod_make(&w, &p, "web-0", "100.64.0.7", "over", NULL, NULL, true);
	(void)attach(&w, &p);

	put_ip(&w, "over", "overlay", "100.64.0.7/16", "node-1", "web-0");
	assert_int_equal(route(&w, "100.64.0.7")->kind, ROUTE_LOCAL_POD);
}

static void a_port_that_is_attached_before_its_object_is_known_gets_its_route_then(void **)
{
	struct fib_pod p;

	fib_pod_make(&w, &p, "web-0", "100.64.0.7", "over", NULL, NULL, true);
	(void)attach(&w, &p);
	assert_null(route(&w, "100.64.0.7"));

	put_ip(&w, "over", "overlay", "100.64.0.7/16", "node-1", "web-0");
	assert_int_equal(route(&w, "100.64.0.7")->kind, ROUTE_LOCAL_POD);
}

static void the_latest_port_of_an_address_has_it(void **)
{
	struct fib_pod p;

	put_ip(&w, "over", "overlay", "100.64.0.7/16", "node-1", "web-0");
	fib_pod_make(&w, &p, "web-0", "100.64.0.7", "over", NULL, NULL, true);
	struct test_pod old = attach(&w, &p), new = attach(&w, &p);

	assert_int_equal(nexthop(&w, route(&w, "100.64.0.7")->nexthop)->port, new.port);
	detach(&w, &old);
	assert_int_equal(nexthop(&w, route(&w, "100.64.0.7")->nexthop)->port, new.port);
	detach(&w, &new);
	assert_int_equal(route(&w, "100.64.0.7")->kind, ROUTE_RESERVED);
}

// The tables free a replaced route only after a grace period, so a route that is replaced once has
// a new place once.
static void an_address_that_moves_to_another_node_is_replaced_at_once(void **)
{
	struct fib_pod p;

	uint32_t tunnel = resolved_tunnel();
	put_ip(&w, "over", "overlay", "100.64.0.7/16", "node-1", "web-0");
	fib_pod_make(&w, &p, "web-0", "100.64.0.7", "over", NULL, NULL, true);
	(void)attach(&w, &p);

	put_ip(&w, "over", "overlay", "100.64.0.7/16", "node-2", "web-0");
	assert_int_equal(route(&w, "100.64.0.7")->kind, ROUTE_REMOTE_POD);
	assert_int_equal(route(&w, "100.64.0.7")->nexthop, tunnel);

	put_ip(&w, "over", "overlay", "100.64.0.7/16", "node-1", "web-0");
	assert_int_equal(route(&w, "100.64.0.7")->kind, ROUTE_LOCAL_POD);
}

static void a_new_version_that_changes_nothing_of_the_route_is_the_one_that_is_known(void **)
{
	put_ip(&w, "over", "overlay", "100.64.0.5/16", "node-2", "a");
	const struct route *before = route(&w, "100.64.0.5");
	put_ip(&w, "over", "overlay", "100.64.0.5/16", "node-2", "a");
	assert_ptr_equal(route(&w, "100.64.0.5"), before);

	put_ip(&w, "over", "overlay", "100.64.0.6/16", "node-2",
		"b"); // the cache has forgotten the old one
	del(&w, KIND_IPINSTANCE, "default", "100-64-0-5");
	assert_null(route(&w, "100.64.0.5"));
	assert_non_null(route(&w, "100.64.0.6"));
}

static void a_deleted_ipinstance_takes_its_route_along(void **)
{
	put_ip(&w, "over", "overlay", "100.64.0.5/16", "node-2", "a");
	del(&w, KIND_IPINSTANCE, "default", "100-64-0-5");

	assert_null(route(&w, "100.64.0.5"));
}

static void this_node_s_own_address_is_never_a_pod_s(void **)
{
	put_subnet(&w, "nodes", "overlay", "10.9.0.0/24", NULL, -1);
	put_ip(&w, "nodes", "overlay", "10.9.0.1/24", "node-2", "a");

	assert_int_equal(route(&w, "10.9.0.1")->kind, ROUTE_NODE_SELF);
}

static void the_gateway_s_address_is_never_a_pod_s(void **)
{
	put_subnet(&w, "links", "overlay", "169.254.1.0/24", NULL, -1);
	put_ip(&w, "links", "overlay", "169.254.1.1/24", "node-2", "a");
	put_ip(&w, "links", "overlay", "169.254.1.2/24", "node-2", "b");

	assert_null(route(&w, "169.254.1.1"));
	assert_int_equal(route(&w, "169.254.1.2")->kind, ROUTE_REMOTE_POD);
}

// ── Size ───────────────────────────────────────────────────────────────────────────────────────

#define N_MANY 100000
#define N_NODES 1000

static double seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int setup_many(void **)
{
	world_open(&w, &(struct world_options){.n_routes = 131072});
	world_start(&w);
	put_network(&w, "overlay", "Overlay", 4);
	put_subnet(&w, "over", "overlay", "100.64.0.0/15", NULL, -1);
	return 0;
}

static void a_hundred_thousand_pods_of_a_thousand_nodes_are_routed(void **)
{
	char text[64], node[32], vtep[32];

	double start = seconds();
	for (uint32_t i = 0; i < N_MANY; i++) {
		uint32_t a = i + 256;
		(void)snprintf(text, sizeof(text), "100.%u.%u.%u/15", 64 + (a >> 16), a >> 8 & 0xff,
			a & 0xff);
		(void)snprintf(node, sizeof(node), "node-%u", 1000 + i % N_NODES);
		put_ip(&w, "over", "overlay", text, node, "p");
	}
	double loaded = seconds();
	for (uint32_t i = 0; i < N_NODES; i++) {
		(void)snprintf(node, sizeof(node), "node-%u", 1000 + i);
		(void)snprintf(vtep, sizeof(vtep), "10.9.%u.%u", 1 + i / 250, 1 + i % 250);
		put_node(&w, node, vtep, MAC_2);
	}
	double tunnels = seconds();
	put_node(&w, "node-1000", "10.9.1.1", "52:54:00:00:00:33");
	double changed = seconds();
	print_message("%d IPInstances in %.2f s, %d NodeInfos in %.2f s, one changed NodeInfo in "
		      "%.0f us (store in memory, JSON and admission included)\n",
		N_MANY, loaded - start, N_NODES, tunnels - loaded, (changed - tunnels) * 1e6);

	assert_int_equal(route(&w, "100.64.1.0")->kind, ROUTE_REMOTE_POD);
	assert_int_not_equal(route(&w, "100.65.135.159")->nexthop, NEXTHOP_NONE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_reserved_address_has_a_route_without_a_way),
		TEST(pods_of_an_unknown_node_have_no_way_until_its_nodeinfo_comes),
		TEST(a_pod_of_this_node_is_reachable_while_it_has_a_port),
		TEST(a_port_does_not_get_an_address_that_belongs_to_another_pod),
		TEST(an_address_that_passes_to_another_pod_of_the_node_is_at_its_port),
		TEST(a_port_that_is_attached_before_its_object_is_known_gets_its_route_then),
		TEST(the_latest_port_of_an_address_has_it),
		TEST(an_address_that_moves_to_another_node_is_replaced_at_once),
		TEST(a_new_version_that_changes_nothing_of_the_route_is_the_one_that_is_known),
		TEST(a_deleted_ipinstance_takes_its_route_along),
		TEST(this_node_s_own_address_is_never_a_pod_s),
		TEST(the_gateway_s_address_is_never_a_pod_s),
		cmocka_unit_test_setup_teardown(
			a_hundred_thousand_pods_of_a_thousand_nodes_are_routed, setup_many,
			teardown),
	};

	eal_start("fib-pods", "0@0,1@0");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
