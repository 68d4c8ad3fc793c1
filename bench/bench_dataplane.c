// What the data plane costs, with ring ports and one worker: cycles per packet between two local
// pods, with and without silent ports beside them; CPU time of an idle node; latency of the first
// packet after a rest.
//   bench_dataplane [EAL options: at least two lcores, better on cores of their own]
#include "bench/fail.h"
#include "bench/percentile.h"
#include "bench/pods.h"
#include "pmd/ring.h"
#include "vswitch/dataplane.h"

#include <rte_cycles.h>
#include <rte_eal.h>

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define RING 2048
#define IN_FLIGHT 1024 // packets, so that every burst is full
#define N_SILENT 300
#define N_WINDOWS 60
#define WINDOW_US 20000
#define TRIES_MAX 100
#define N_WAKES 300

static struct dataplane *dp;

static struct pod add_pod(uint32_t number)
{
	return pod_add(dp, ring_open("pod", dataplane_pool(dp), RING, false), number);
}

static void open_dataplane(bool busy)
{
	const struct dataplane_conf conf = {
		.n_workers = 1, .busy = busy, .n_buffers = 8192, .n_routes = 4096};

	if (dataplane_open(&conf, &dp) < 0)
		fail("the data plane does not open");
}

static struct rte_mbuf *packet(const struct pod_headers *h, uint16_t i)
{
	struct rte_mbuf *m = pod_packet(dataplane_pool(dp), h, i);

	if (m == NULL)
		fail("no packet");
	return m;
}

// ── Forwarding ─────────────────────────────────────────────────────────────────────────────────

// Keeps the packets circulating for a window.
static void circulate(const struct pod *from, const struct pod *to, const struct pod_headers *h)
{
	struct rte_mbuf *pkts[BURST_MAX];
	uint64_t end = rte_rdtsc() + rte_get_tsc_hz() / 1000000 * WINDOW_US;

	while (rte_rdtsc() < end) {
		uint16_t n = ring_drain(to->dev, pkts, BURST_MAX);
		for (uint16_t i = 0; i < n; i++)
			pod_rewrite(pkts[i], h, i);
		if (ring_feed(from->dev, pkts, n) != n)
			fail("the ring is full");
	}
}

// Returns the worker's cycles per packet in a window, in the first one that it has a CPU in.
static double window(const struct pod *from, const struct pod *to, const struct pod_headers *h)
{
	struct worker_counters before, after;

	for (unsigned i = 0; i < TRIES_MAX; i++) {
		dataplane_worker_counters(dp, 0, &before);
		circulate(from, to, h);
		dataplane_worker_counters(dp, 0, &after);
		if (after.packets > before.packets)
			return (double)(after.cycles_busy - before.cycles_busy) /
			       (double)(after.packets - before.packets);
	}
	fail("nothing is forwarded");
}

// A benchmark of something that was dropped would be a fast one.
static void check_drops(const struct pod *from)
{
	struct port_counters c;

	dataplane_port_counters(dp, from->index, &c);
	for (unsigned i = 0; i < DROP_REASON_COUNT; i++) {
		if (c.drops[i] > 0)
			fail(drop_name(i));
	}
}

static void bench_forwarding(bool busy, uint32_t n_silent)
{
	double cycles[N_WINDOWS];

	open_dataplane(busy);
	struct pod a = add_pod(1), b = add_pod(2);
	for (uint32_t i = 0; i < n_silent; i++)
		(void)add_pod(3 + i);
	struct pod_headers h = pod_headers(&a, &b);
	for (uint16_t i = 0; i < IN_FLIGHT; i++) {
		struct rte_mbuf *m = packet(&h, i);
		if (ring_feed(a.dev, &m, 1) != 1)
			fail("the ring is full");
	}
	(void)window(&a, &b, &h);
	for (unsigned i = 0; i < N_WINDOWS; i++)
		cycles[i] = window(&a, &b, &h);
	check_drops(&a);
	printf("pod to pod, %3u silent ports, %-8s  %6.1f cycles/packet (tenth best), %6.1f "
	       "(median)\n",
		n_silent, busy ? "busy" : "adaptive", percentile(cycles, N_WINDOWS, 10),
		percentile(cycles, N_WINDOWS, 50));
	dataplane_close(dp);
}

// ── Idling ─────────────────────────────────────────────────────────────────────────────────────

static double seconds_of(clockid_t clock)
{
	struct timespec t;
	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// CPU time of the workers.
static double cpu_seconds(void)
{
	return seconds_of(CLOCK_PROCESS_CPUTIME_ID) - seconds_of(CLOCK_THREAD_CPUTIME_ID);
}

static void bench_idle_cpu(uint32_t n_ports)
{
	const unsigned seconds = 3;

	open_dataplane(false);
	for (uint32_t i = 0; i < n_ports; i++)
		(void)add_pod(1 + i);
	(void)usleep(100000);
	double before = cpu_seconds();
	(void)sleep(seconds);
	printf("idle with %3u ports: %.2f %% of a core\n", n_ports,
		(cpu_seconds() - before) / seconds * 100);
	dataplane_close(dp);
}

// Sends one packet and waits for it. Returns how many microseconds it took from ring to ring.
static double ping(const struct pod *from, const struct pod *to, struct rte_mbuf **m)
{
	uint64_t start = rte_rdtsc();

	if (ring_feed(from->dev, m, 1) != 1)
		fail("the ring is full");
	while (ring_drain(to->dev, m, 1) == 0)
		rte_pause();
	return (double)(rte_rdtsc() - start) * 1e6 / (double)rte_get_tsc_hz();
}

// One packet at a time, the next one gap_us later. The gap is spent spinning, so that only the
// worker ever sleeps.
static void bench_latency(bool busy, uint32_t gap_us)
{
	double us[N_WAKES];

	open_dataplane(busy);
	struct pod a = add_pod(1), b = add_pod(2);
	struct pod_headers h = pod_headers(&a, &b);
	struct rte_mbuf *m = packet(&h, 0);
	double cpu = cpu_seconds();
	double all = seconds_of(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < N_WAKES; i++) {
		pod_rewrite(m, &h, 0);
		us[i] = ping(&a, &b, &m);
		rte_delay_us_block(gap_us);
	}
	cpu = cpu_seconds() - cpu;
	all = seconds_of(CLOCK_MONOTONIC) - all;
	printf("%-8s  gap %5u us: %6.1f us (median), %6.1f (99 %%), worker %5.1f %% of a core\n",
		busy ? "busy" : "adaptive", gap_us, percentile(us, N_WAKES, 50),
		percentile(us, N_WAKES, 99), cpu / all * 100);
	rte_pktmbuf_free(m);
	dataplane_close(dp);
}

int main(int argc, char **argv)
{
	const struct rlimit files = {.rlim_cur = 4096, .rlim_max = 4096};
	(void)setrlimit(RLIMIT_NOFILE, &files);

	if (rte_eal_init(argc, argv) < 0)
		fail("EAL does not start");
	for (unsigned i = 0; i < 2; i++) {
		bench_forwarding(true, 0);
		bench_forwarding(false, 0);
		bench_forwarding(true, N_SILENT);
		bench_forwarding(false, N_SILENT);
	}
	bench_idle_cpu(10);
	bench_idle_cpu(N_SILENT);
	for (uint32_t gap_us = 10; gap_us <= 10000; gap_us *= 10) {
		bench_latency(true, gap_us);
		bench_latency(false, gap_us);
	}
	return 0;
}
