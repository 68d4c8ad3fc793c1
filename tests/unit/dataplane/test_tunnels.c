// The headers of tunnels, which the tables keep ready, follow the node whose end points they name.
#include "tests/unit/dataplane/eal.h"
#include "vswitch/rcu.h"
#include "vswitch/tables.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <rte_malloc.h>

#include <cmocka.h>

#define N_TUNNELS 64
#define ROOM 8192 // for a node and some of the tunnels
#define PIECE_MAX (1 << 20)

static struct rcu *rcu;
static struct tables *tables;

static int setup(void **)
{
	rcu = rcu_new(1);
	tables = rcu != NULL ? tables_new(16, rcu) : NULL;
	return tables != NULL ? 0 : -1;
}

static int teardown(void **)
{
	tables_free(tables);
	rcu_free(rcu);
	return 0;
}

static struct in6_addr addr(const char *text)
{
	struct in6_addr a;
	assert_int_equal(inet_pton(AF_INET6, text, &a), 1);
	return a;
}

static uint32_t add_tunnel(const char *remote)
{
	const struct nexthop nh = {.kind = NEXTHOP_TUNNEL, .remote = addr(remote)};
	uint32_t id;

	assert_int_equal(tables_add_nexthop(tables, &nh, &id), 0);
	return id;
}

static const struct outer *outer_of(uint32_t tunnel)
{
	return &tunnel_of(tables->nexthops[tunnel])->outer;
}

// Which end point of the node the tunnel's headers name; NULL: it has none.
static const void *source_of(uint32_t tunnel)
{
	const struct outer *o = outer_of(tunnel);
	return o->len != 0 ? &((const struct outer4 *)&o->bytes[o->l3_off])->ip.src_addr : NULL;
}

static void headers_of_a_tunnel_follow_the_node(void **)
{
	struct node node = {.vtep4 = addr("::ffff:10.9.0.1"), .has_vni = true, .vni = 4};
	uint32_t id = add_tunnel("::ffff:10.9.0.2");

	assert_null(source_of(id));
	assert_int_equal(tables_set_node(tables, &node), 0);
	assert_memory_equal(source_of(id), &node.vtep4.s6_addr[12], 4);
	node.vtep4 = addr("::ffff:10.9.0.7");
	assert_int_equal(tables_set_node(tables, &node), 0);
	assert_memory_equal(source_of(id), &node.vtep4.s6_addr[12], 4);

	const struct nexthop *before = tables->nexthops[id];
	node.host = 5;
	assert_int_equal(tables_set_node(tables, &node), 0);
	assert_ptr_equal(tables->nexthops[id], before);
	node.has_vni = false;
	assert_int_equal(tables_set_node(tables, &node), 0);
	assert_null(source_of(id));
}

// Both tunnels' headers are what outer_make() says now.
static void expect_headers_of(
	const struct node *node, const uint32_t *tunnels, const char *const *remotes)
{
	for (int i = 0; i < 2; i++) {
		const struct in6_addr remote = addr(remotes[i]);
		const struct rte_ether_addr none = {0};
		struct outer expected;

		outer_make(&expected, node,
			&(struct tunnel_to){.remote = &remote, .mac = &none, .inner_mac = &none});
		assert_int_equal(outer_of(tunnels[i])->len, expected.len);
		assert_memory_equal(
			outer_of(tunnels[i])->bytes, expected.bytes, sizeof(expected.bytes));
	}
}

static void whatever_of_the_node_is_in_the_headers_renews_them(void **)
{
	const char *const remotes[] = {"::ffff:10.9.0.2", "fd00::2"};
	const uint32_t tunnels[] = {add_tunnel(remotes[0]), add_tunnel(remotes[1])};
	struct node node = {.vtep4 = addr("::ffff:10.9.0.1"),
		.vtep6 = addr("fd00::1"),
		.vxlan_port = 4789,
		.has_vni = true,
		.vni = 4};

#define EXPECT_AFTER(change)                                         \
	do {                                                         \
		change;                                              \
		assert_int_equal(tables_set_node(tables, &node), 0); \
		expect_headers_of(&node, tunnels, remotes);          \
	} while (0)
	EXPECT_AFTER((void)0);
	EXPECT_AFTER(node.vni = 5);
	EXPECT_AFTER(node.vxlan_port = 8472);
	EXPECT_AFTER(node.vtep4 = addr("::ffff:10.9.0.7"));
	EXPECT_AFTER(node.vtep6 = addr("fd00::7"));
	EXPECT_AFTER(node.vtep_mac.addr_bytes[5] = 1);
	EXPECT_AFTER(node.uplink_mac.addr_bytes[5] = 2);
}

static void other_next_hops_stay_when_the_node_changes(void **)
{
	const struct nexthop nh = {.kind = NEXTHOP_HOST};
	const struct node node = {.has_vni = true};
	uint32_t id;

	assert_int_equal(tables_add_nexthop(tables, &nh, &id), 0);
	const struct nexthop *before = tables->nexthops[id];
	assert_int_equal(tables_set_node(tables, &node), 0);
	assert_ptr_equal(tables->nexthops[id], before);
}

// Takes all memory there is. Each piece holds the address of the one before it.
static void **eat(void)
{
	void **last = NULL;

	for (size_t size = PIECE_MAX; size >= sizeof(last); size /= 2) {
		for (void **p = rte_malloc(NULL, size, 0); p != NULL;
			p = rte_malloc(NULL, size, 0)) {
			*p = last;
			last = p;
		}
	}
	return last;
}

static void give_back(void **last)
{
	while (last != NULL) {
		void **before = *last;

		rte_free(last);
		last = before;
	}
}

static void without_memory_for_all_tunnels_the_node_stays_and_can_be_set_later(void **)
{
	const struct node node = {
		.vtep4 = addr("::ffff:10.9.0.1"), .has_vni = true, .vxlan_port = 4789};
	const struct nexthop *before[N_TUNNELS];
	uint32_t id[N_TUNNELS];

	for (int i = 0; i < N_TUNNELS; i++) {
		id[i] = add_tunnel("::ffff:10.9.0.2");
		before[i] = tables->nexthops[id[i]];
	}
	const struct node *node_before = tables->node;
	void *room = rte_malloc(NULL, ROOM, 0);
	assert_non_null(room);
	void **all = eat();
	rte_free(room);

	assert_int_equal(tables_set_node(tables, &node), -ENOMEM);
	assert_ptr_equal(tables->node, node_before);
	for (int i = 0; i < N_TUNNELS; i++)
		assert_ptr_equal(tables->nexthops[id[i]], before[i]);
	give_back(all);
	assert_int_equal(tables_set_node(tables, &node), 0);
	for (int i = 0; i < N_TUNNELS; i++)
		assert_memory_equal(source_of(id[i]), &node.vtep4.s6_addr[12], 4);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(headers_of_a_tunnel_follow_the_node),
		TEST(whatever_of_the_node_is_in_the_headers_renews_them),
		TEST(other_next_hops_stay_when_the_node_changes),
		TEST(without_memory_for_all_tunnels_the_node_stays_and_can_be_set_later),
	};
	eal_start("tunnels", "0");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
