// The tables against the obvious thing: a plain array for routes and next hops, a linear search
// for Subnets. Random operations; after each batch both must say the same.
#include "tests/model/random.h"
#include "tests/unit/dataplane/eal.h"
#include "vswitch/addr.h"
#include "vswitch/rcu.h"
#include "vswitch/tables.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <arpa/inet.h>

#include <cmocka.h>

#define N_ADDRS 3000 // more than fit
#define N_ROUTES 2048
#define N_NEXTHOPS 500
#define N_OPERATIONS 200000
#define N_SNAPSHOTS 300
#define N_SUBNETS 200
#define N_LOOKUPS 2000

static uint64_t seed;
static struct rcu *rcu;
static struct tables *tables;

static int setup(void **)
{
	rcu = rcu_new(1);
	tables = rcu != NULL ? tables_new(N_ROUTES, rcu) : NULL;
	return tables != NULL ? 0 : -1;
}

static int teardown(void **)
{
	tables_free(tables);
	rcu_free(rcu);
	return 0;
}

// Both families, with neighbouring and far-away addresses.
static struct in6_addr addr_of(uint32_t i)
{
	struct in6_addr a = {0};

	if (i % 2 == 0)
		a.s6_addr16[5] = 0xffff;
	else
		a.s6_addr32[0] = htonl(0xfd000000 + i % 7);
	a.s6_addr32[3] = htonl(i % 3 == 0 ? i : i * 0x9e3779b1);
	return a;
}

// ── Routes and next hops ───────────────────────────────────────────────────────────────────────

static struct route model[N_ADDRS]; // kind ROUTE_KIND_COUNT: absent
static uint32_t n_model;

static void change_route(uint64_t *rnd)
{
	uint32_t i = random_below(rnd, N_ADDRS);
	struct route r = {
		.addr = addr_of(i),
		.kind = random_below(rnd, ROUTE_KIND_COUNT),
		.nexthop = (uint32_t)random_next(rnd),
	};
	bool absent = model[i].kind == ROUTE_KIND_COUNT;

	if (random_below(rnd, 5) < 2) {
		tables_del_route(tables, &r.addr);
		n_model -= !absent;
		model[i].kind = ROUTE_KIND_COUNT;
		return;
	}
	int ret = tables_put_route(tables, &r);
	if (!addr_is_forwarded(&r.addr)) {
		assert_int_equal(ret, -EINVAL);
		return;
	}
	// A full table may take a few more than promised, but never refuses what it promised.
	if (ret < 0) {
		assert_true(absent && n_model >= N_ROUTES);
		return;
	}
	n_model += absent;
	model[i] = r;
}

static void count(const struct route *, void *arg)
{
	(*(uint32_t *)arg)++;
}

static void compare_routes(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < N_ADDRS; i++) {
		struct in6_addr at = addr_of(i);
		const struct route *r = tables_route(tables, &at);
		if (model[i].kind == ROUTE_KIND_COUNT)
			assert_null(r);
		else
			assert_memory_equal(r, &model[i], sizeof(*r));
	}
	tables_each_route(tables, count, &n);
	assert_int_equal(n, n_model);
}

static void routes_behave_like_an_array(void **)
{
	uint64_t rnd = seed;

	n_model = 0;
	for (uint32_t i = 0; i < N_ADDRS; i++)
		model[i].kind = ROUTE_KIND_COUNT;
	for (uint32_t i = 0; i < N_OPERATIONS; i++) {
		change_route(&rnd);
		(void)rcu_poll(rcu);
		if (i % 5000 == 0)
			compare_routes();
	}
	compare_routes();
}

struct model_nexthop {
	uint32_t id; // NEXTHOP_NONE: absent
	uint16_t port;
};

static void change_nexthop(uint64_t *rnd, struct model_nexthop *m)
{
	struct nexthop nh = {.kind = NEXTHOP_PORT, .port = (uint16_t)random_next(rnd)};

	if (m->id == NEXTHOP_NONE) {
		assert_int_equal(tables_add_nexthop(tables, &nh, &m->id), 0);
	} else if (random_below(rnd, 2) == 0) {
		assert_int_equal(tables_set_nexthop(tables, m->id, &nh), 0);
	} else {
		tables_del_nexthop(tables, m->id);
		assert_null(tables->nexthops[m->id]);
		m->id = NEXTHOP_NONE;
	}
	m->port = nh.port;
}

static void next_hops_behave_like_an_array(void **)
{
	static struct model_nexthop nexthops[N_NEXTHOPS];
	uint64_t rnd = seed;

	for (uint32_t i = 0; i < N_OPERATIONS; i++) {
		change_nexthop(&rnd, &nexthops[random_below(&rnd, N_NEXTHOPS)]);
		(void)rcu_poll(rcu);
		if (i % 1000 != 0)
			continue;
		for (uint32_t k = 0; k < N_NEXTHOPS; k++) {
			const struct nexthop *nh = tables->nexthops[nexthops[k].id];
			if (nexthops[k].id == NEXTHOP_NONE)
				continue;
			assert_int_equal(nh->id, nexthops[k].id);
			assert_int_equal(nh->port, nexthops[k].port);
		}
	}
}

// ── Subnets ────────────────────────────────────────────────────────────────────────────────────

static bool holds(const struct subnet *s, const struct in6_addr *addr)
{
	for (unsigned bit = 0; bit < s->prefix_len; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);
		if (((s->prefix.s6_addr[bit / 8] ^ addr->s6_addr[bit / 8]) & mask) != 0)
			return false;
	}
	return s->prefix_len != 0;
}

static struct in6_addr random_addr(uint64_t *rnd)
{
	struct in6_addr a = addr_of((uint32_t)random_next(rnd));

	// Few distinct leading bits, so that prefixes of any length have near misses.
	for (unsigned i = 2; i < 16; i++)
		if (random_below(rnd, 3) == 0)
			a.s6_addr[i] = (uint8_t)random_next(rnd);
	return a;
}

static void clear_host_bits(struct subnet *s)
{
	for (unsigned bit = s->prefix_len; bit < 128; bit++)
		s->prefix.s6_addr[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
}

// Equal to an earlier one, or disjoint from all of them, as admission makes sure; else a hole.
static struct subnet random_subnet(uint64_t *rnd, const struct subnet *others, uint32_t n)
{
	struct subnet s = {0};

	if (n > 0 && random_below(rnd, 10) == 0)
		return others[random_below(rnd, n)];
	s.prefix = random_addr(rnd);
	s.prefix_len = (uint8_t)(1 + random_below(rnd, 128));
	clear_host_bits(&s);
	for (uint32_t i = 0; i < n; i++) {
		if (holds(&s, &others[i].prefix) || holds(&others[i], &s.prefix))
			return (struct subnet){0};
	}
	return s;
}

static const struct subnet *find_linearly(const struct subnets *s, const struct in6_addr *addr)
{
	for (uint32_t i = 0; i < s->n; i++) {
		if (holds(&s->subnet[i], addr))
			return &s->subnet[i];
	}
	return NULL;
}

// An address inside a Subnet, just outside one, or anywhere.
static struct in6_addr address_to_ask(uint64_t *rnd, const struct subnet *subnets, uint32_t n)
{
	struct in6_addr a = random_addr(rnd);

	if (n == 0 || random_below(rnd, 3) == 0)
		return a;
	const struct subnet *s = &subnets[random_below(rnd, n)];
	for (unsigned bit = 0; bit < s->prefix_len; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);
		a.s6_addr[bit / 8] = (uint8_t)((a.s6_addr[bit / 8] & ~mask) |
					       (s->prefix.s6_addr[bit / 8] & mask));
	}
	if (s->prefix_len > 0 && random_below(rnd, 2) == 0) {
		unsigned bit = s->prefix_len - 1u;
		a.s6_addr[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
	}
	return a;
}

static void subnet_is_the_one_that_a_linear_search_finds(void **)
{
	static struct subnet subnets[N_SUBNETS];
	uint64_t rnd = seed;
	uint32_t n_found = 0;

	for (uint32_t round = 0; round < N_SNAPSHOTS; round++) {
		uint32_t n = random_below(&rnd, N_SUBNETS);
		for (uint32_t i = 0; i < n; i++)
			subnets[i] = random_subnet(&rnd, subnets, i);
		assert_int_equal(tables_set_subnets(tables, subnets, n), 0);
		(void)rcu_poll(rcu);

		const struct subnets *s = tables->subnets;
		for (uint32_t i = 0; i < N_LOOKUPS; i++) {
			struct in6_addr a = address_to_ask(&rnd, subnets, n);
			const struct subnet *expected = find_linearly(s, &a);
			n_found += expected != NULL;
			assert_ptr_equal(subnets_find(s, &a), expected);
		}
	}
	assert_true(n_found > N_SNAPSHOTS * N_LOOKUPS / 20); // the questions were not all in vain
}

int main(int argc, char **argv)
{
	seed = random_seed(argc, argv);
	eal_start("dp-model", "0");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(routes_behave_like_an_array, setup, teardown),
		cmocka_unit_test_setup_teardown(next_hops_behave_like_an_array, setup, teardown),
		cmocka_unit_test_setup_teardown(
			subnet_is_the_one_that_a_linear_search_finds, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
