// What changes of routes cost the traffic beside them: a worker that forwards frames as fast as it can,
// and a control thread that changes a node's tables all the while, on their own CPUs. Windows with
// changes and without take turns.
//   churn [EAL options: two lcores on CPUs of their own -- [--quick] [--json]]
//   --quick    few windows
//   --json     a line of JSON for each way, instead of a table
// Without any arguments it is a quick check. bench/churn and bench/compare run it as it should be run. Fails
// if a packet is lost.
//
// A quarter of the changes each: a pod elsewhere appears, another one goes, the route to one that
// frames go to is replaced, and the tunnel to a node that they go to.
#include "bench/fail.h"
#include "bench/loop.h"
#include "bench/percentile.h"
#include "bench/row.h"
#include "bench/generator/histogram.h"
#include "tests/unit/dataplane/eal.h"
#include "vswitch/addr.h"
#include "vswitch/dataplane.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_pause.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANGES_PER_SECOND 10000
#define N_ROUTES 100000 // to pods that nobody sends to
#define N_COMING 4096 // of them come and go
#define UNDER_WAY 512 // frames, so that every burst is full
#define POLL_US 1000 // how often the control thread frees what has become due
#define WINDOW_MS 50
#define N_WINDOWS 40 // with changes, and as many without
#define N_WINDOWS_QUICK 5
#define TRIES_MAX 200
#define REST_MS 5000 // in which all frames are back, if none is lost

struct bench {
	struct dataplane *dp;
	struct tables *tables;
	struct port *port[SCENE_PORTS];
	uint32_t window_ms, n_windows;
	bool json;
	uint64_t n_changes;
	struct histogram changes; // cycles of each
};

// What the worker did in a window.
struct work {
	double packets, mpps, cycles_per_packet;
};

// ── The node ───────────────────────────────────────────────────────────────────────────────────

static struct in6_addr bystander(uint32_t i)
{
	struct in6_addr a = {.s6_addr = {0xfd, 0x77}};

	if (i % 2 == 0)
		return addr_of_ip4(htonl(0x0b000000 + i));
	a.s6_addr32[3] = htonl(i);
	return a;
}

// A pod elsewhere; slot 1 is the first tunnel's or port's, it does not matter.
static void put_bystander(struct bench *b, uint32_t i)
{
	const struct route r = {.addr = bystander(i),
		.kind = ROUTE_REMOTE_POD,
		.overlay = true,
		.subnet = SUBNET_NONE,
		.nexthop = 1};

	if (tables_put_route(b->tables, &r) < 0)
		fail("a route does not fit");
}

static void add_port(struct bench *b, enum scene_port number)
{
	struct vport v = {.kind = number == SCENE_UPLINK ? VPORT_UPLINK : VPORT_POD,
		.dev = loop_open(dataplane_pool(b->dp))};

	if (v.dev == NULL || dataplane_add_port(b->dp, &v) < 0 || v.index != (uint16_t)number)
		fail("no port");
	b->port[number] = v.dev;
}

static void node_open(struct bench *b)
{
	const struct dataplane_conf conf = {.n_workers = 1,
		.busy = true,
		.n_buffers = 4096,
		.n_routes = N_ROUTES + N_COMING + 8 * SCENE_FLOWS};

	if (dataplane_open(&conf, &b->dp) < 0)
		fail("the data plane does not open");
	b->tables = dataplane_tables(b->dp);
	for (enum scene_port number = 0; number < SCENE_PORTS; number++)
		add_port(b, number);
	if (scene_tables(b->tables) < 0)
		fail("no memory for the tables");
	for (uint32_t i = 0; i < N_ROUTES; i++)
		put_bystander(b, i);
}

// ── Changes ────────────────────────────────────────────────────────────────────────────────────

static const struct route *route_in_use(const struct bench *b, const struct scene *s, uint64_t i)
{
	const struct route *r = tables_route(b->tables, &s->dst[i % SCENE_FLOWS]);
	if (r == NULL)
		fail("a route is missing");
	return r;
}

static void replace_route(struct bench *b, const struct scene *s, uint64_t i)
{
	if (tables_put_route(b->tables, route_in_use(b, s, i)) < 0)
		fail("a route is not replaced");
}

static void replace_nexthop(struct bench *b, const struct scene *s, uint64_t i)
{
	const struct route *r = route_in_use(b, s, i);
	uint32_t id = r->neighbour != NEXTHOP_NONE ? r->neighbour : r->nexthop;

	if (tables_set_nexthop(b->tables, id, atomic_load(&b->tables->nexthops[id])) < 0)
		fail("a next hop is not replaced");
}

// Change number i.
static void change(struct bench *b, const struct scene *s, uint64_t i)
{
	uint64_t turn = i / 4;
	struct in6_addr gone = bystander((uint32_t)(N_ROUTES + (turn + N_COMING / 2) % N_COMING));

	switch (i % 4) {
	case 0:
		put_bystander(b, (uint32_t)(N_ROUTES + turn % N_COMING));
		break;
	case 1:
		tables_del_route(b->tables, &gone);
		break;
	case 2:
		replace_route(b, s, turn);
		break;
	default:
		replace_nexthop(b, s, turn);
	}
}

static void ignore(const struct punt *, void *)
{
}

// As the control thread's event loop, for so many cycles: changes at their time, and what became due.
static void control(struct bench *b, const struct scene *s, uint64_t cycles, bool changes)
{
	const uint64_t hz = rte_get_tsc_hz();
	uint64_t now = rte_rdtsc();
	uint64_t end = now + cycles, next = now, next_poll = now;

	for (; now < end; now = rte_rdtsc()) {
		if (changes && now >= next) {
			change(b, s, b->n_changes++);
			histogram_add(&b->changes, rte_rdtsc() - now);
			next += hz / CHANGES_PER_SECOND;
		} else if (now >= next_poll) {
			dataplane_poll(b->dp, ignore, NULL);
			next_poll = now + hz / 1000000 * POLL_US;
		} else {
			rte_pause();
		}
	}
}

// ── Measuring ──────────────────────────────────────────────────────────────────────────────────

// One in which the worker had no CPU does not count.
static struct work window(struct bench *b, const struct scene *s, bool changes)
{
	const uint64_t hz = rte_get_tsc_hz();
	struct worker_counters before, after;
	uint64_t cycles;
	unsigned tries = 0;

	do {
		if (tries++ == TRIES_MAX)
			fail("nothing is forwarded");
		dataplane_worker_counters(b->dp, 0, &before);
		cycles = rte_rdtsc();
		control(b, s, hz / 1000 * b->window_ms, changes);
		cycles = rte_rdtsc() - cycles;
		dataplane_worker_counters(b->dp, 0, &after);
	} while (after.packets == before.packets);
	double packets = (double)(after.packets - before.packets);
	return (struct work){.packets = packets,
		.mpps = packets * (double)hz / (double)cycles / 1e6,
		.cycles_per_packet = (double)(after.cycles_busy - before.cycles_busy) / packets};
}

static uint64_t n_dropped(const struct bench *b)
{
	struct port_counters c;
	uint64_t n = 0;

	for (uint16_t port = 0; port < SCENE_PORTS; port++) {
		dataplane_port_counters(b->dp, port, &c);
		for (unsigned why = 0; why < DROP_REASON_COUNT; why++)
			n += c.drops[why];
	}
	return n;
}

// Waits until all frames are back. Returns how many are not.
static uint32_t come_to_rest(struct bench *b, const struct scene *s)
{
	struct port *from = b->port[s->from];

	loop_stop(from);
	for (unsigned i = 0; i < REST_MS && loop_under_way(from) > 0; i++)
		rte_delay_us_sleep(1000);
	return loop_under_way(from);
}

struct windows {
	double mpps[2][N_WINDOWS], cycles[2][N_WINDOWS]; // [1]: with changes
	double rate[N_WINDOWS]; // with changes, by that of the window beside it
	double packets; // of all windows
};

static void measure_round(struct bench *b, const struct scene *s, uint32_t i, struct windows *w)
{
	for (uint32_t turn = 0; turn < 2; turn++) {
		bool changes = (i + turn) % 2 != 0; // each goes first as often as the other
		struct work x = window(b, s, changes);

		w->mpps[changes][i] = x.mpps;
		w->cycles[changes][i] = x.cycles_per_packet;
		w->packets += x.packets;
	}
	w->rate[i] = w->mpps[1][i] / w->mpps[0][i];
}

// Fills in what was measured. Returns how many packets were lost.
static uint64_t measure(struct bench *b, const struct scene *s, struct row *ret_row)
{
	static struct windows w;
	uint64_t dropped = n_dropped(b);
	uint32_t n = b->n_windows;

	w.packets = 0;
	loop_start(b->port[s->from], b->port[s->to], s, UNDER_WAY);
	(void)window(b, s, true);
	for (uint32_t i = 0; i < n; i++)
		measure_round(b, s, i, &w);
	uint64_t lost = come_to_rest(b, s) + n_dropped(b) - dropped;
	*ret_row = (struct row){.frame = s->is_ip6 ? 62 : 60,
		.flows = SCENE_FLOWS,
		.is_ip6 = s->is_ip6,
		.mpps = percentile(w.mpps[1], n, 50),
		.cycles = percentile(w.cycles[1], n, 50),
		.mpps_alone = percentile(w.mpps[0], n, 50),
		.cycles_alone = percentile(w.cycles[0], n, 50),
		.ratio = percentile(w.rate, n, 50),
		.loss = (double)lost / w.packets,
		.spread = spread(w.mpps[1], n)};
	(void)snprintf(ret_row->name, sizeof(ret_row->name), "%s", s->name);
	return lost;
}

static void print_row(const struct row *r, uint64_t lost)
{
	printf("| %s, IPv%c | %.2f | %.1f | %.2f | %.1f | %.3f | %lu |\n", r->name,
		r->is_ip6 ? '6' : '4', r->mpps_alone, r->cycles_alone, r->mpps, r->cycles, r->ratio,
		lost);
	(void)fflush(stdout);
}

static double us(const struct bench *b, double part)
{
	return (double)histogram_percentile(&b->changes, part) * 1e6 / (double)rte_get_tsc_hz();
}

static void print_head(const struct bench *b)
{
	printf("Medians of %u windows with %u routes; %u of them changed a second.\n\n",
		b->n_windows, N_ROUTES + 4 * SCENE_FLOWS, CHANGES_PER_SECOND);
	puts("| way | Mpps | cycles/packet | Mpps, changing | cycles/packet | rate | lost |");
	puts("|---|---|---|---|---|---|---|");
}

static void print_changes(const struct bench *b)
{
	printf("\n%lu changes: p50 %.2f us, p99 %.2f us, p99.9 %.2f us each\n", b->n_changes,
		us(b, 0.5), us(b, 0.99), us(b, 0.999));
}

// Returns how many packets were lost.
static uint64_t measure_way(struct bench *b, enum scene_way way, bool six)
{
	struct scene *s = scene_new(way, six);
	struct row row;

	if (s == NULL)
		fail("no memory");
	uint64_t lost = measure(b, s, &row);
	if (b->json)
		row_print(&row);
	else
		print_row(&row, lost);
	free(s);
	return lost;
}

// Those behind EAL's.
static void take_arguments(struct bench *b, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			b->json = true;
		else if (strcmp(argv[i], "--quick") == 0)
			b->n_windows = N_WINDOWS_QUICK;
		else
			fail("usage: churn [EAL options -- [--quick] [--json]]");
	}
}

static void start(struct bench *b, int argc, char **argv)
{
	if (argc == 1) {
		eal_start("churn", "(0,1)@(0-1)");
		b->window_ms = 10;
		b->n_windows = 2;
		return;
	}
	int n_eal = rte_eal_init(argc, argv);
	if (n_eal < 0)
		fail("EAL does not start");
	take_arguments(b, argc - n_eal, argv + n_eal);
}

int main(int argc, char **argv)
{
	static struct bench b = {.window_ms = WINDOW_MS, .n_windows = N_WINDOWS};
	uint64_t lost = 0;

	start(&b, argc, argv);
	node_open(&b);
	if (!b.json)
		print_head(&b);
	for (enum scene_way way = 0; way < SCENE_WAYS; way++) {
		for (int six = 0; six < 2; six++)
			lost += measure_way(&b, way, six != 0);
	}
	if (b.n_changes == 0)
		fail("nothing was changed");
	if (!b.json)
		print_changes(&b);
	dataplane_close(b.dp);
	return lost == 0 ? 0 : 1;
}
