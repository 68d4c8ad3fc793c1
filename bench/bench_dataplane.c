// What the data plane costs, with ring ports and one worker: cycles per packet between two local
// pods, with and without silent ports beside them; CPU time of an idle node; latency of the first
// packet after a rest.
//   bench_dataplane [EAL options: at least two lcores, better on cores of their own]
#include "pmd/ring.h"
#include "vswitch/dataplane.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define RING 2048
#define IN_FLIGHT 1024 // packets, so that every burst is full
#define N_SILENT 300
#define N_WINDOWS 60
#define WINDOW_US 20000
#define N_WAKES 300
#define FRAME_LEN 60
#define N_FLOWS 64

static struct dataplane *dp;

struct pod {
	struct port *dev;
	uint16_t index;
	uint32_t addr; // IPv4, host order
	struct rte_ether_addr mac;
};

static void fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static struct in6_addr mapped(uint32_t ip4)
{
	struct in6_addr a = {0};
	a.s6_addr16[5] = 0xffff;
	a.s6_addr32[3] = htonl(ip4);
	return a;
}

static struct pod add_pod(uint32_t number)
{
	struct pod pod = {
		.dev = ring_open("pod", dataplane_pool(dp), RING, false),
		.addr = 0x64400000 + number,
		.mac = {{0x02, 0x12, 0x34, 0, (uint8_t)(number >> 8), (uint8_t)number}},
	};
	struct vport vport = {
		.dev = pod.dev,
		.kind = VPORT_POD,
		.overlay = true,
		.mtu = 1450,
		.mac = pod.mac,
		.ip4 = mapped(pod.addr),
		.subnet4 = SUBNET_NONE,
		.subnet6 = SUBNET_NONE,
	};
	struct nexthop nh = {.kind = NEXTHOP_PORT, .dst = pod.mac};
	struct route route = {
		.addr = vport.ip4, .kind = ROUTE_LOCAL_POD, .overlay = true, .subnet = SUBNET_NONE};

	if (pod.dev == NULL || dataplane_add_port(dp, &vport) < 0)
		fail("no port");
	pod.index = nh.port = vport.index;
	if (tables_add_nexthop(dataplane_tables(dp), &nh, &route.nexthop) < 0 ||
		tables_put_route(dataplane_tables(dp), &route) < 0)
		fail("no route");
	return pod;
}

static void open_dataplane(bool busy)
{
	const struct dataplane_conf conf = {
		.n_workers = 1, .busy = busy, .n_buffers = 8192, .n_routes = 4096};

	if (dataplane_open(&conf, &dp) < 0)
		fail("the data plane does not open");
}

// ── Packets ────────────────────────────────────────────────────────────────────────────────────

struct headers {
	struct rte_ether_hdr eth;
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
} __attribute__((packed, aligned(2)));

static struct headers headers(const struct pod *from, const struct pod *to)
{
	struct headers h = {
		.eth = {.dst_addr = {{0xee, 0xee, 0xee, 0xee, 0xee, 0xee}},
			.src_addr = from->mac,
			.ether_type = htons(RTE_ETHER_TYPE_IPV4)},
		.ip = {.version_ihl = RTE_IPV4_VHL_DEF,
			.time_to_live = 64,
			.next_proto_id = IPPROTO_UDP,
			.total_length = htons(FRAME_LEN - sizeof(struct rte_ether_hdr)),
			.src_addr = htonl(from->addr),
			.dst_addr = htonl(to->addr)},
		.udp = {.dst_port = htons(7),
			.dgram_len = htons(FRAME_LEN - offsetof(struct headers, udp))},
	};
	h.ip.hdr_checksum = rte_ipv4_cksum(&h.ip);
	return h;
}

// Makes m a fresh packet of flow i.
static void rewrite(struct rte_mbuf *m, const struct headers *h, uint16_t i)
{
	struct headers *to = rte_pktmbuf_mtod(m, struct headers *);
	*to = *h;
	to->udp.src_port = htons((uint16_t)(1024 + i % N_FLOWS));
}

static struct rte_mbuf *packet(const struct headers *h, uint16_t i)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(dataplane_pool(dp));
	if (m == NULL || rte_pktmbuf_append(m, FRAME_LEN) == NULL)
		fail("no packet");
	rewrite(m, h, i);
	return m;
}

// ── Forwarding ─────────────────────────────────────────────────────────────────────────────────

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

// Keeps the packets circulating for a window. Returns the worker's cycles per packet.
static double window(const struct pod *from, const struct pod *to, const struct headers *h)
{
	struct worker_counters before, after;
	struct rte_mbuf *pkts[BURST_MAX];
	uint64_t end = rte_rdtsc() + rte_get_tsc_hz() / 1000000 * WINDOW_US;

	dataplane_worker_counters(dp, 0, &before);
	while (rte_rdtsc() < end) {
		uint16_t n = ring_drain(to->dev, pkts, BURST_MAX);
		for (uint16_t i = 0; i < n; i++)
			rewrite(pkts[i], h, i);
		if (ring_feed(from->dev, pkts, n) != n)
			fail("the ring is full");
	}
	dataplane_worker_counters(dp, 0, &after);
	return (double)(after.cycles_busy - before.cycles_busy) /
	       (double)(after.packets - before.packets);
}

static void bench_forwarding(bool busy, uint32_t n_silent)
{
	double cycles[N_WINDOWS];

	open_dataplane(busy);
	struct pod a = add_pod(1), b = add_pod(2);
	for (uint32_t i = 0; i < n_silent; i++)
		(void)add_pod(3 + i);
	struct headers h = headers(&a, &b);
	for (uint16_t i = 0; i < IN_FLIGHT; i++) {
		struct rte_mbuf *m = packet(&h, i);
		if (ring_feed(a.dev, &m, 1) != 1)
			fail("the ring is full");
	}
	(void)window(&a, &b, &h);
	for (unsigned i = 0; i < N_WINDOWS; i++)
		cycles[i] = window(&a, &b, &h);
	qsort(cycles, N_WINDOWS, sizeof(cycles[0]), compare);
	struct port_counters c;
	dataplane_port_counters(dp, a.index, &c);
	for (unsigned i = 0; i < DROP_REASON_COUNT; i++) {
		if (c.drops[i] > 0)
			printf("  %s: %lu\n", drop_name(i), c.drops[i]);
	}
	printf("pod to pod, %3u silent ports, %-8s  %6.1f cycles/packet (tenth best), %6.1f "
	       "(median)\n",
		n_silent, busy ? "busy" : "adaptive", cycles[N_WINDOWS / 10],
		cycles[N_WINDOWS / 2]);
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
	struct headers h = headers(&a, &b);
	struct rte_mbuf *m = packet(&h, 0);
	double cpu = cpu_seconds();
	double all = seconds_of(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < N_WAKES; i++) {
		rewrite(m, &h, 0);
		us[i] = ping(&a, &b, &m);
		rte_delay_us_block(gap_us);
	}
	cpu = cpu_seconds() - cpu;
	all = seconds_of(CLOCK_MONOTONIC) - all;
	qsort(us, N_WAKES, sizeof(us[0]), compare);
	printf("%-8s  gap %5u us: %6.1f us (median), %6.1f (99 %%), worker %5.1f %% of a core\n",
		busy ? "busy" : "adaptive", gap_us, us[N_WAKES / 2], us[N_WAKES * 99 / 100],
		cpu / all * 100);
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
