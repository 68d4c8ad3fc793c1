// The tables, operation by operation. Workers are played by the test itself.
#include "tests/unit/dataplane/eal.h"
#include "vswitch/rcu.h"
#include "vswitch/tables.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>

#include <cmocka.h>

#define N_ROUTES 1024
#define N_WORKERS 2

static struct rcu *rcu;
static struct tables *tables;

static int setup(void **)
{
	rcu = rcu_new(N_WORKERS);
	tables = rcu != NULL ? tables_new(N_ROUTES, rcu) : NULL;
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

static struct in6_addr numbered(uint32_t i)
{
	struct in6_addr a = addr("::ffff:10.0.0.0");
	a.s6_addr32[3] = htonl(0x0a000000 + i);
	return a;
}

static void quiesce(void)
{
	for (uint16_t i = 0; i < N_WORKERS; i++)
		rcu_quiescent(rcu, i);
}

// ── Routes ─────────────────────────────────────────────────────────────────────────────────────

static void route_is_found_under_its_address_only(void **)
{
	struct route r = {.addr = addr("fd00::1"), .kind = ROUTE_REMOTE_POD, .nexthop = 7};
	struct in6_addr other = addr("fd00::2");

	assert_int_equal(tables_put_route(tables, &r), 0);
	const struct route *found = tables_route(tables, &r.addr);
	assert_non_null(found);
	assert_ptr_not_equal(found, &r);
	assert_memory_equal(found, &r, sizeof(r));
	assert_null(tables_route(tables, &other));
}

static void address_that_is_never_forwarded_to_gets_no_route(void **)
{
	static const char *const texts[] = {"::", "::ffff:0.0.0.0", "::1", "::ffff:127.0.0.1",
		"ff02::1", "::ffff:224.0.0.1", "::ffff:255.255.255.255", "fe80::1",
		"::ffff:169.254.1.1", "fe80::ecee:eeff:feee:eeee"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct route r = {.addr = addr(texts[i]), .kind = ROUTE_LOCAL_POD};
		assert_int_equal(tables_put_route(tables, &r), -EINVAL);
		assert_null(tables_route(tables, &r.addr));
	}
}

static void replaced_route_stays_readable_until_workers_moved_on(void **)
{
	struct route r = {.addr = addr("fd00::1"), .nexthop = 1};

	rcu_online(rcu, 0);
	assert_int_equal(tables_put_route(tables, &r), 0);
	const struct route *old = tables_route(tables, &r.addr);
	r.nexthop = 2;
	assert_int_equal(tables_put_route(tables, &r), 0);
	assert_int_equal(tables_route(tables, &r.addr)->nexthop, 2);
	assert_int_equal(old->nexthop, 1);
	assert_int_equal(rcu_poll(rcu), 1);
	assert_int_equal(old->nexthop, 1);
	rcu_quiescent(rcu, 0);
	assert_int_equal(rcu_poll(rcu), 0);
	rcu_offline(rcu, 0);
}

static void deleted_route_is_gone_and_deleting_it_again_does_nothing(void **)
{
	struct route r = {.addr = addr("fd00::1")};

	assert_int_equal(tables_put_route(tables, &r), 0);
	tables_del_route(tables, &r.addr);
	assert_null(tables_route(tables, &r.addr));
	tables_del_route(tables, &r.addr);
	assert_int_equal(rcu_poll(rcu), 0);
}

static void count(const struct route *, void *arg)
{
	(*(uint32_t *)arg)++;
}

static uint32_t n_routes(void)
{
	uint32_t n = 0;
	tables_each_route(tables, count, &n);
	return n;
}

static void promised_number_of_routes_fits(void **)
{
	for (uint32_t i = 0; i < N_ROUTES; i++) {
		struct route r = {.addr = numbered(i), .nexthop = i};
		assert_int_equal(tables_put_route(tables, &r), 0);
	}
	assert_int_equal(n_routes(), N_ROUTES);
	for (uint32_t i = 0; i < N_ROUTES; i++) {
		struct in6_addr at = numbered(i);
		assert_int_equal(tables_route(tables, &at)->nexthop, i);
	}
}

static void full_table_refuses_a_route_and_stays_as_it_is(void **)
{
	uint32_t n = 0;
	int ret = 0;

	while (ret == 0 && n <= 2 * N_ROUTES) {
		struct route r = {.addr = numbered(n), .nexthop = n};
		ret = tables_put_route(tables, &r);
		n += ret == 0;
	}
	assert_int_equal(ret, -ENOSPC);
	assert_int_equal(n_routes(), n);
	struct in6_addr refused = numbered(n);
	assert_null(tables_route(tables, &refused));

	struct route again = {.addr = numbered(0), .nexthop = 99}; // replacing needs no room
	assert_int_equal(tables_put_route(tables, &again), 0);
	assert_int_equal(tables_route(tables, &again.addr)->nexthop, 99);
}

static void place_of_a_deleted_route_is_used_again(void **)
{
	rcu_online(rcu, 0);
	for (uint32_t i = 0; i < 20 * N_ROUTES; i++) {
		struct route r = {.addr = numbered(i)};
		assert_int_equal(tables_put_route(tables, &r), 0);
		if (i >= N_ROUTES / 2) {
			struct in6_addr old = numbered(i - N_ROUTES / 2);
			tables_del_route(tables, &old);
		}
		quiesce();
		(void)rcu_poll(rcu);
	}
	assert_int_equal(n_routes(), N_ROUTES / 2);
	rcu_offline(rcu, 0);
}

// ── Next hops ──────────────────────────────────────────────────────────────────────────────────

static void next_hop_knows_its_slot_and_slot_zero_is_never_given_out(void **)
{
	struct nexthop nh = {.kind = NEXTHOP_PORT, .port = 3};
	uint32_t id = NEXTHOP_NONE;

	assert_int_equal(tables_add_nexthop(tables, &nh, &id), 0);
	assert_int_not_equal(id, NEXTHOP_NONE);
	const struct nexthop *found = tables->nexthops[id];
	assert_int_equal(found->id, id);
	assert_int_equal(found->port, 3);
	assert_int_equal((uintptr_t)found % 64, 0);
}

static void next_hop_is_replaced_in_its_slot(void **)
{
	struct nexthop nh = {.kind = NEXTHOP_UNRESOLVED, .vlan = 56};
	uint32_t id;

	assert_int_equal(tables_add_nexthop(tables, &nh, &id), 0);
	nh.kind = NEXTHOP_NEIGHBOUR;
	assert_int_equal(tables_set_nexthop(tables, id, &nh), 0);
	const struct nexthop *found = tables->nexthops[id];
	assert_int_equal(found->kind, NEXTHOP_NEIGHBOUR);
	assert_int_equal(found->id, id);
}

static void empty_slot_cannot_be_replaced(void **)
{
	struct nexthop nh = {.kind = NEXTHOP_HOST};

	assert_int_equal(tables_set_nexthop(tables, 5, &nh), -ENOENT);
	assert_int_equal(tables_set_nexthop(tables, NEXTHOP_NONE, &nh), -ENOENT);
	assert_int_equal(tables_set_nexthop(tables, NEXTHOP_MAX, &nh), -ENOENT);
	assert_null(tables->nexthops[5]);
	tables_del_nexthop(tables, NEXTHOP_MAX);
	tables_del_nexthop(tables, NEXTHOP_NONE);
	assert_int_equal(rcu_poll(rcu), 0);
}

static void deleted_slot_is_given_out_again_only_after_a_grace_period(void **)
{
	struct nexthop nh = {.kind = NEXTHOP_HOST};
	uint32_t id = NEXTHOP_NONE;
	uint32_t n = 0;

	while (tables_add_nexthop(tables, &nh, &id) == 0)
		n++;
	assert_int_equal(n, NEXTHOP_MAX - 1);

	rcu_online(rcu, 0);
	tables_del_nexthop(tables, 4711);
	(void)rcu_poll(rcu);
	id = 1;
	assert_int_equal(tables_add_nexthop(tables, &nh, &id), -ENOSPC);
	assert_int_equal(id, 1); // untouched on failure
	rcu_quiescent(rcu, 0);
	(void)rcu_poll(rcu);
	assert_int_equal(tables_add_nexthop(tables, &nh, &id), 0);
	assert_int_equal(id, 4711);
	rcu_offline(rcu, 0);
}

// ── Snapshots ──────────────────────────────────────────────────────────────────────────────────

static void new_tables_have_neither_subnets_nor_ports_nor_an_uplink(void **)
{
	const struct node *node = tables->node;
	const struct subnets *subnets = tables->subnets;
	struct in6_addr any = addr("::ffff:10.0.0.1");

	assert_int_equal(node->uplink, VPORT_NONE);
	assert_int_equal(node->host, VPORT_NONE);
	assert_int_equal(subnets->n, 0);
	assert_null(subnets_find(subnets, &any));
	assert_null(tables->vports[0]);
}

static void node_is_replaced_whole(void **)
{
	struct node node = {.uplink = 1, .host = 2, .has_vni = true, .vni = 4};

	assert_int_equal(tables_set_node(tables, &node), 0);
	const struct node *found = tables->node;
	assert_ptr_not_equal(found, &node);
	assert_memory_equal(found, &node, sizeof(node));
}

static void subnet_is_found_by_any_address_inside_its_prefix_only(void **)
{
	struct subnet in[] = {
		{.prefix = addr("fd00:1::"), .prefix_len = 64, .name = "six"},
		{.prefix_len = 0}, // a hole
		{.prefix = addr("::ffff:192.168.56.0"), .prefix_len = 120, .name = "four"},
		{.prefix = addr("::ffff:100.64.0.0"), .prefix_len = 112, .name = "overlay"},
	};
	const struct {
		const char *addr, *name;
	} cases[] = {
		{"::ffff:192.168.56.0", "four"},
		{"::ffff:192.168.56.255", "four"},
		{"::ffff:192.168.57.0", NULL},
		{"::ffff:192.168.55.255", NULL},
		{"::ffff:100.64.255.255", "overlay"},
		{"::ffff:0.0.0.0", NULL},
		{"::", NULL},
		{"fd00:1::", "six"},
		{"fd00:1::ffff:ffff:ffff:ffff", "six"},
		{"fd00:1:0:1::", NULL},
		{"ffff:ffff::", NULL},
	};

	assert_int_equal(tables_set_subnets(tables, in, 4), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct in6_addr at = addr(cases[i].addr);
		const struct subnet *found = subnets_find(tables->subnets, &at);
		if (cases[i].name == NULL)
			assert_null(found);
		else
			assert_string_equal(found->name, cases[i].name);
	}
}

static void of_subnets_with_one_prefix_the_lowest_index_is_found(void **)
{
	struct subnet in[] = {
		{.prefix = addr("fd00:2::"), .prefix_len = 64, .vlan = 9},
		{.prefix = addr("fd00:1::"), .prefix_len = 64, .vlan = 1},
		{.prefix = addr("fd00:1::"), .prefix_len = 64, .vlan = 2},
	};
	struct in6_addr at = addr("fd00:1::5");

	assert_int_equal(tables_set_subnets(tables, in, 3), 0);
	const struct subnets *s = tables->subnets;
	assert_int_equal(s->n_sorted, 2);
	assert_int_equal(subnets_find(s, &at)->vlan, 1);
}

static void port_is_published_replaced_and_removed_at_its_number(void **)
{
	struct vport vport = {.index = 17, .kind = VPORT_POD, .subnet4 = 1};

	assert_int_equal(tables_set_vport(tables, &vport), 0);
	vport.subnet4 = 2;
	assert_int_equal(tables_set_vport(tables, &vport), 0);
	const struct vport *found = tables->vports[17];
	assert_int_equal(found->subnet4, 2);
	tables_del_vport(tables, 17);
	assert_null(tables->vports[17]);

	vport.index = VPORT_MAX;
	assert_int_equal(tables_set_vport(tables, &vport), -EINVAL);
	tables_del_vport(tables, VPORT_MAX);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	eal_start("dp-tables", "0");
	const struct CMUnitTest tests[] = {
		TEST(route_is_found_under_its_address_only),
		TEST(address_that_is_never_forwarded_to_gets_no_route),
		TEST(replaced_route_stays_readable_until_workers_moved_on),
		TEST(deleted_route_is_gone_and_deleting_it_again_does_nothing),
		TEST(promised_number_of_routes_fits),
		TEST(full_table_refuses_a_route_and_stays_as_it_is),
		TEST(place_of_a_deleted_route_is_used_again),
		TEST(next_hop_knows_its_slot_and_slot_zero_is_never_given_out),
		TEST(next_hop_is_replaced_in_its_slot),
		TEST(empty_slot_cannot_be_replaced),
		TEST(deleted_slot_is_given_out_again_only_after_a_grace_period),
		TEST(new_tables_have_neither_subnets_nor_ports_nor_an_uplink),
		TEST(node_is_replaced_whole),
		TEST(subnet_is_found_by_any_address_inside_its_prefix_only),
		TEST(of_subnets_with_one_prefix_the_lowest_index_is_found),
		TEST(port_is_published_replaced_and_removed_at_its_number),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
