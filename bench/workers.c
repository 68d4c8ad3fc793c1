// What it costs a worker that another one works beside it: cycles per packet of each of two workers, alone
// and both at once, on their own CPUs. Nothing else runs meanwhile: the ports themselves make the frames.
//   own      each worker forwards between two pods of its own, on ring ports
//   shared   both send to one vhost-user pod, with one queue pair
//   queues   the same with two queue pairs, one for each worker
//
//   workers EAL options [-- --json]    a line of JSON for each worker, instead of text
// EAL: two lcores on CPUs of their own, and the main one, which sleeps, on either; with --single-file-segments,
// since a guest takes few pieces of memory. bench/compare runs it so.
#include "bench/fail.h"
#include "bench/percentile.h"
#include "bench/row.h"
#include "bench/source.h"
#include "pmd/ring.h"
#include "pmd/vhost.h"
#include "vswitch/counter.h"
#include "vswitch/dataplane.h"

#include <rte_cycles.h>
#include <rte_eal.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define N_WORKERS 2
#define RING 1024
#define N_ROUNDS 60
// Of the windows' values. Other programs only ever add to what workers need, so that a low one is right; but
// with a guest it depends on how the two happen to meet at the ring, and the median says what is usual.
#define UNDISTURBED 10
#define USUAL 50
#define WINDOW_US 10000
#define SETTLE_US 1000
#define LOST_MAX 0.01
#define TRIES_MAX (10 * N_ROUNDS)

static bool json;
static struct dataplane *dp;
static struct source *source[N_WORKERS]; // of each worker
static struct pod pod[N_WORKERS]; // theirs

// ── Who sends ──────────────────────────────────────────────────────────────────────────────────

static uint64_t n_queues_of(uint16_t worker)
{
	struct worker_counters c;

	dataplane_worker_counters(dp, worker, &c);
	return c.n_queues;
}

// Queues of pods are dealt out in turn, so each worker gets one of the sources.
static void add_source(uint32_t number)
{
	struct source *s = source_new(dataplane_pool(dp));
	uint64_t before[N_WORKERS];

	for (uint16_t i = 0; i < N_WORKERS; i++)
		before[i] = n_queues_of(i);
	if (s == NULL)
		fail("no memory");
	struct pod p = pod_add(dp, &s->port, number);
	for (uint16_t i = 0; i < N_WORKERS; i++) {
		if (n_queues_of(i) > before[i]) {
			source[i] = s;
			pod[i] = p;
		}
	}
}

// ── Measuring ──────────────────────────────────────────────────────────────────────────────────

// What the workers' counters say.
struct work {
	uint64_t cycles, packets, drops;
};

// What a worker did in a window.
struct speed {
	double cycles; // per packet
	double mpps;
	double loss; // share
};

// Of all windows.
struct speeds {
	double cycles[N_ROUNDS], mpps[N_ROUNDS], loss[N_ROUNDS];
};

static void look(struct work now[N_WORKERS])
{
	for (uint16_t i = 0; i < N_WORKERS; i++) {
		struct worker_counters w;
		struct port_counters p;
		dataplane_worker_counters(dp, i, &w);
		dataplane_port_counters(dp, pod[i].index, &p);
		now[i] = (struct work){
			.cycles = w.cycles_busy - counter_read(&source[i]->guest_cycles),
			.packets = w.packets};
		for (unsigned why = 0; why < DROP_REASON_COUNT; why++)
			now[i].drops += p.drops[why];
	}
}

// Lets the workers do that for a window. ret_speed: of each that sends. False: the machine disturbed it, a
// worker or the guest had no CPU.
static bool window(const enum doing doing[N_WORKERS], struct speed ret_speed[N_WORKERS])
{
	struct work before[N_WORKERS], after[N_WORKERS];
	uint64_t time;

	if (source[0]->guest != NULL)
		guest_forget(source[0]->guest);
	for (uint16_t i = 0; i < N_WORKERS; i++)
		atomic_store(&source[i]->doing, doing[i]);
	(void)usleep(SETTLE_US);
	look(before);
	time = rte_rdtsc();
	(void)usleep(WINDOW_US);
	look(after);
	time = rte_rdtsc() - time;
	for (uint16_t i = 0; i < N_WORKERS; i++)
		atomic_store(&source[i]->doing, DOES_NOTHING);
	(void)usleep(SETTLE_US);
	for (uint16_t i = 0; i < N_WORKERS; i++) {
		double packets = (double)(after[i].packets - before[i].packets);
		if (doing[i] != DOES_SEND)
			continue;
		double dropped = (double)(after[i].drops - before[i].drops);
		if (packets == 0 || dropped > packets * LOST_MAX)
			return false;
		ret_speed[i] = (struct speed){
			.cycles = (double)(after[i].cycles - before[i].cycles) / packets,
			.mpps = packets * (double)rte_get_tsc_hz() / (double)time / 1e6,
			.loss = dropped / packets};
	}
	return true;
}

static void keep(struct speeds of[N_WORKERS], unsigned round, const struct speed speed[N_WORKERS])
{
	for (uint16_t i = 0; i < N_WORKERS; i++) {
		of[i].cycles[round] = speed[i].cycles;
		of[i].mpps[round] = speed[i].mpps;
		of[i].loss[round] = speed[i].loss;
	}
}

// Cycles are a percentile, all else are medians.
static void print(const char *name, uint16_t worker, struct speeds *alone, struct speeds *beside,
	unsigned percent)
{
	struct row r = {.frame = POD_FRAME_LEN,
		.flows = POD_FLOWS,
		.mpps = percentile(beside->mpps, N_ROUNDS, USUAL),
		.cycles = percentile(beside->cycles, N_ROUNDS, percent),
		.mpps_alone = percentile(alone->mpps, N_ROUNDS, USUAL),
		.cycles_alone = percentile(alone->cycles, N_ROUNDS, percent),
		.loss = percentile(beside->loss, N_ROUNDS, USUAL),
		.spread = spread(beside->mpps, N_ROUNDS)};

	r.ratio = r.cycles / r.cycles_alone;
	(void)snprintf(r.name, sizeof(r.name), "%s, worker %u", name, worker);
	if (json)
		row_print(&r);
	else
		printf("%-17s: %6.1f cycles/packet alone, %6.1f beside the other: %.2f\n", r.name,
			r.cycles_alone, r.cycles, r.ratio);
}

// The worker that is not measured does `other` meanwhile.
static void measure(const char *name, enum doing other, unsigned percent)
{
	static struct speeds alone[N_WORKERS], beside[N_WORKERS];

	for (unsigned r = 0, tries = 0; r < N_ROUNDS; r++) {
		struct speed first[N_WORKERS], both[N_WORKERS];
		while (!window((const enum doing[]){DOES_SEND, other}, first) ||
			!window((const enum doing[]){other, DOES_SEND}, first) ||
			!window((const enum doing[]){DOES_SEND, DOES_SEND}, both)) {
			if (tries++ > TRIES_MAX)
				fail("packets are lost, or none are forwarded");
		}
		keep(alone, r, first);
		keep(beside, r, both);
	}
	for (uint16_t i = 0; i < N_WORKERS; i++)
		print(name, i, &alone[i], &beside[i], percent);
}

// ── Scenarios ──────────────────────────────────────────────────────────────────────────────────

static void open_dataplane(bool busy)
{
	const struct dataplane_conf conf = {
		.n_workers = N_WORKERS, .busy = busy, .n_buffers = 16384, .n_routes = 4096};

	if (dataplane_open(&conf, &dp) < 0)
		fail("the data plane does not open");
	memset(source, 0, sizeof(source));
	for (uint32_t i = 0; i < N_WORKERS; i++)
		add_source(1 + i);
	if (source[0] == NULL || source[1] == NULL)
		fail("one worker has both sources");
}

static void bench_own(void)
{
	open_dataplane(false);
	for (uint32_t i = 0; i < N_WORKERS; i++) {
		struct port *ring = ring_open("pod", dataplane_pool(dp), RING, false);
		struct pod to = pod_add(dp, ring, 1 + N_WORKERS + i);
		struct pod_headers h = pod_headers(&pod[i], &to);
		source_to_ring(source[i], &h, ring);
	}
	measure("own", DOES_NOTHING, UNDISTURBED);
	dataplane_close(dp);
}

// Until what they were told to do before is over.
static void wait_for_workers(void)
{
	for (uint16_t i = 0; i < N_WORKERS; i++) {
		struct worker_counters now, then;
		dataplane_worker_counters(dp, i, &then);
		do {
			(void)usleep(SETTLE_US);
			dataplane_worker_counters(dp, i, &now);
		} while (now.rounds < then.rounds + 2);
	}
}

static void bench_shared(const char *name, uint16_t n_queues)
{
	char path[64];
	struct guest guest = {0};
	struct port *port;

	(void)snprintf(path, sizeof(path), "/tmp/strata-bench-workers-%d", (int)getpid());
	open_dataplane(true); // a guest polls
	const struct vhost_conf conf = {
		.name = "guest",
		.path = path,
		.pool = dataplane_pool(dp),
		.n_queue_pairs = n_queues,
		.n_workers = N_WORKERS,
		.mtu = RTE_ETHER_MTU,
		.server = true,
	};
	if (vhost_open(&conf, &port) < 0)
		fail("no vhost-user port");
	struct pod to = pod_add(dp, port, 1 + N_WORKERS);
	if (guest_open(&guest, path, n_queues) < 0)
		fail("no guest");
	while (!port->ops->link_up(port))
		(void)usleep(SETTLE_US);
	for (uint16_t i = 0; i < N_WORKERS; i++) {
		struct pod_headers h = pod_headers(&pod[i], &to);
		source_to_guest(source[i], &h, &guest, i);
	}
	measure(name, DOES_RECEIVE, USUAL);
	wait_for_workers();
	guest_close(&guest);
	dataplane_close(dp);
}

int main(int argc, char **argv)
{
	int n_eal = rte_eal_init(argc, argv);

	if (n_eal < 0)
		fail("EAL does not start");
	json = argc - n_eal == 2 && strcmp(argv[n_eal + 1], "--json") == 0;
	if (argc - n_eal > 1 && !json)
		fail("usage: workers EAL options [-- --json]");
	bench_own();
	bench_shared("shared", 1);
	bench_shared("queues", 2);
	return 0;
}
