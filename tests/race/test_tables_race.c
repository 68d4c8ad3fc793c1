// Readers over bursts while the control thread churns everything: routes, next hops, Subnets,
// ports, the node. Every object carries the same mark in several fields, so that a torn, freed or
// misplaced one shows; memory that is freed reads as zeros. Meant for ThreadSanitizer, and as a
// plain build for longer: test_tables_race [SEED [SECONDS]].
#include "tests/model/random.h"
#include "tests/unit/dataplane/eal.h"
#include "vswitch/burst.h"
#include "vswitch/rcu.h"
#include "vswitch/tables.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>

#define N_READERS 3
#define N_ADDRS 4096
#define N_PERMANENT 256 // of them: replaced, but never deleted
#define N_ROUTES 2048 // full at times
#define N_SUBNETS 64
#define N_VPORTS 32
#define SECONDS 5

static struct rcu *rcu;
static struct tables *tables;
static atomic_bool stop;
static atomic_ulong n_checked, n_failed;

static void check(bool good, const char *what)
{
	if (good)
		return;
	if (atomic_fetch_add(&n_failed, 1) < 10)
		fprintf(stderr, "wrong: %s\n", what);
}

static struct in6_addr addr_of(uint32_t i)
{
	struct in6_addr a = {0};
	a.s6_addr16[5] = 0xffff;
	a.s6_addr32[3] = htonl(0x0a000000 + i);
	return a;
}

// ── Readers ────────────────────────────────────────────────────────────────────────────────────

static void check_route(const struct route *r, const struct in6_addr *addr)
{
	check(memcmp(&r->addr, addr, sizeof(*addr)) == 0, "route of another address");
	check(r->vlan != 0 && r->subnet == r->vlan * 3u, "route is torn");
	const struct nexthop *nh =
		atomic_load_explicit(&tables->nexthops[r->nexthop], memory_order_acquire);
	if (nh == NULL)
		return; // deleted after its route, which we still hold
	check(nh->id == r->nexthop, "next hop in another's slot");
	check(nh->port == r->vlan, "next hop of another route");
}

static void look_up_burst(uint64_t *rnd)
{
	struct in6_addr addr[BURST_MAX];
	const struct in6_addr *keys[BURST_MAX];
	const struct route *routes[BURST_MAX];
	uint32_t index[BURST_MAX];

	for (unsigned i = 0; i < BURST_MAX; i++) {
		index[i] = random_below(rnd, i % 2 == 0 ? N_PERMANENT : N_ADDRS);
		addr[i] = addr_of(index[i]);
		keys[i] = &addr[i];
	}
	(void)route_table_find(tables->routes, keys, BURST_MAX, routes);
	for (unsigned i = 0; i < BURST_MAX; i++) {
		bool hit = routes[i] != NULL;
		check(hit || index[i] >= N_PERMANENT, "permanent route is missing");
		if (hit)
			check_route(routes[i], &addr[i]);
	}
}

static void check_snapshots(uint64_t *rnd)
{
	const struct subnets *s = atomic_load_explicit(&tables->subnets, memory_order_acquire);
	const struct node *node = atomic_load_explicit(&tables->node, memory_order_acquire);
	uint16_t index = (uint16_t)random_below(rnd, N_VPORTS);
	const struct vport *v = atomic_load_explicit(&tables->vports[index], memory_order_acquire);
	struct in6_addr a = addr_of(random_below(rnd, N_ADDRS));

	const struct subnet *found = subnets_find(s, &a);
	check(found == NULL || found->vlan == s->n, "Subnet of another snapshot");
	check(node->vxlan_port == node->uplink, "node is torn");
	check(v == NULL || (v->index == index && v->subnet6 != 0 && v->subnet4 == v->subnet6 * 5u),
		"port is torn");
}

static void *reader(void *arg)
{
	uint16_t number = *(uint16_t *)arg;
	uint64_t rnd = 4711 + number;

	rcu_online(rcu, number);
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		look_up_burst(&rnd);
		check_snapshots(&rnd);
		atomic_fetch_add_explicit(&n_checked, BURST_MAX, memory_order_relaxed);
		rcu_quiescent(rcu, number);
		if (random_below(&rnd, 100) == 0) { // now and then a worker sleeps
			rcu_offline(rcu, number);
			(void)usleep(10);
			rcu_online(rcu, number);
		}
	}
	rcu_offline(rcu, number);
	return NULL;
}

// ── Control ────────────────────────────────────────────────────────────────────────────────────

static uint32_t nexthop_of[N_ADDRS]; // NEXTHOP_NONE: no route either
static uint32_t n_changes, n_refused;

static void put_route(uint64_t *rnd, uint32_t i)
{
	uint16_t mark = (uint16_t)(1 + random_below(rnd, UINT16_MAX));
	uint32_t old = nexthop_of[i];
	const struct nexthop nh = {.kind = NEXTHOP_PORT, .port = mark};
	struct route r = {.addr = addr_of(i), .vlan = mark, .subnet = mark * 3u};

	if (tables_add_nexthop(tables, &nh, &r.nexthop) < 0) {
		n_refused++;
		return;
	}
	if (tables_put_route(tables, &r) < 0) {
		tables_del_nexthop(tables, r.nexthop);
		n_refused++;
		return;
	}
	tables_del_nexthop(tables, old);
	nexthop_of[i] = r.nexthop;
}

static void change_route(uint64_t *rnd)
{
	uint32_t i = random_below(rnd, N_ADDRS);

	if (i >= N_PERMANENT && nexthop_of[i] != NEXTHOP_NONE && random_below(rnd, 2) == 0) {
		struct in6_addr a = addr_of(i);
		tables_del_route(tables, &a);
		tables_del_nexthop(tables, nexthop_of[i]);
		nexthop_of[i] = NEXTHOP_NONE;
		return;
	}
	put_route(rnd, i);
}

// Replaces a next hop in place; the route that names it follows and its mark stays.
static void change_nexthop(uint64_t *rnd)
{
	uint32_t id = nexthop_of[random_below(rnd, N_ADDRS)];
	const struct nexthop *old = tables->nexthops[id];

	if (id == NEXTHOP_NONE)
		return;
	struct nexthop nh = *old;
	nh.vlan = (uint16_t)random_below(rnd, 4096);
	(void)tables_set_nexthop(tables, id, &nh);
}

static void change_snapshots(uint64_t *rnd)
{
	static struct subnet subnets[N_SUBNETS];
	struct node node = {0};
	struct vport vport = {.index = (uint16_t)random_below(rnd, N_VPORTS)};
	uint32_t n = 1 + random_below(rnd, N_SUBNETS - 1);

	for (uint32_t i = 0; i < n; i++) {
		subnets[i] = (struct subnet){
			.prefix = addr_of(i * 64), .prefix_len = 122, .vlan = (uint16_t)n};
	}
	(void)tables_set_subnets(tables, subnets, n);

	node.uplink = node.vxlan_port = (uint16_t)random_next(rnd);
	(void)tables_set_node(tables, &node);

	vport.subnet6 = 1 + random_below(rnd, UINT16_MAX);
	vport.subnet4 = vport.subnet6 * 5u;
	if (random_below(rnd, 3) == 0)
		tables_del_vport(tables, vport.index);
	else
		(void)tables_set_vport(tables, &vport);
}

static void churn(uint64_t *rnd, time_t until)
{
	while (time(NULL) < until) {
		for (unsigned i = 0; i < 64; i++) {
			change_route(rnd);
			change_nexthop(rnd);
			n_changes += 2;
		}
		change_snapshots(rnd);
		// More would only make the readers' look-ups retry all the time, and fill the memory.
		while (rcu_poll(rcu) > 1000)
			(void)usleep(10);
	}
}

int main(int argc, char **argv)
{
	uint64_t rnd = random_seed(argc, argv);
	long seconds = argc > 2 ? strtol(argv[2], NULL, 0) : SECONDS;
	pthread_t thread[N_READERS];
	uint16_t number[N_READERS];

	eal_start("dp-race", "0@(0-1)");
	rcu = rcu_new(N_READERS);
	tables = rcu != NULL ? tables_new(N_ROUTES, rcu) : NULL;
	if (tables == NULL)
		return 1;
	for (uint32_t i = 0; i < N_PERMANENT; i++)
		put_route(&rnd, i);
	change_snapshots(&rnd); // the first ones bear no mark
	for (uint16_t i = 0; i < N_READERS; i++) {
		number[i] = i;
		if (pthread_create(&thread[i], NULL, reader, &number[i]) != 0)
			abort();
	}
	churn(&rnd, time(NULL) + seconds);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < N_READERS; i++)
		(void)pthread_join(thread[i], NULL);
	tables_free(tables);
	rcu_free(rcu);

	printf("%u changes (%u refused), %lu look-ups, %lu wrong\n", n_changes, n_refused,
		atomic_load(&n_checked), atomic_load(&n_failed));
	return n_failed == 0 && n_checked > 0 && n_changes > n_refused ? 0 : 1;
}
