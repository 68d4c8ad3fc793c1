// The generator for kernel pods. It obeys the same orders as `generate`, but makes and counts frames inside
// the kernel, where that costs a fraction of what packet sockets do: an XDP program makes frames that
// BPF_PROG_TEST_RUN then sends by a device as if they had been redirected there (BPF_F_TEST_XDP_LIVE_FRAMES, kernel
// 5.18), and a socket filter counts those that come in.
//   generate-kernel [EAL options] -- PROGRAMS NAMESPACE:DEVICE NAMESPACE:DEVICE
// PROGRAMS is the object file of kernel_bpf.c. Frames enter by the first device and leave by the second one. The
// first link's other end must have an XDP program in its driver, or GRO: otherwise a veth takes no such frames.
// What a full ring refuses is lost here, as on a NIC.
#include "kernel_shared.h"
#include "stream.h"
#include "talk.h"

#include <rte_cycles.h>
#include <rte_eal.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define BATCH 64 // frames that the kernel handles at a time
#define REFUSED_BURST 32 // how many frames other generators try to send at a time
#define SILENCE_MS 20

struct kernel {
	int sender, counter; // programs
	volatile struct shared *shared; // with them
};

struct run {
	struct kernel *k;
	const struct order *o;
	struct stream stream;
	const struct pattern *longest; // of the stream's
	uint64_t n_read; // samples
	struct result *r;
};

// Moves this thread into the namespace of NAMESPACE:DEVICE. Returns the device's index, or -errno.
static int enter(const char *port)
{
	char ns[128];
	const char *colon = strchr(port, ':');
	int fd, ret;

	if (colon == NULL)
		return -EINVAL;
	(void)snprintf(ns, sizeof(ns), "%.*s", (int)(colon - port), port);
	fd = open(ns, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = setns(fd, CLONE_NEWNET) < 0 ? -errno : 0;
	(void)close(fd);
	if (ret < 0)
		return ret;
	ret = (int)if_nametoindex(colon + 1);
	return ret > 0 ? ret : -ENODEV;
}

// Counts what comes in by the device from now on. The socket lives as long as the process.
static int count(const struct kernel *k, int ifindex)
{
	const struct sockaddr_ll at = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = ifindex};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &k->counter, sizeof(k->counter)) < 0 ||
		bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0)
		return -errno;
	return 0;
}

static void ignore(int)
{
}

// Runs the sender for a time: the call ends by a signal, since to begin it anew costs the kernel
// milliseconds.
static int transmit(const struct run *run, double seconds)
{
	const struct pattern *t = run->longest;
	const struct itimerval timer = {.it_value.tv_sec = (time_t)seconds,
		.it_value.tv_usec = 1 + (suseconds_t)(1e6 * (seconds - (double)(time_t)seconds))};
	uint8_t frame[FRAME_MAX] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = t->len,
		.repeat = INT_MAX, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);
	int ret;

	memcpy(frame, t->head, t->head_len);
	(void)setitimer(ITIMER_REAL, &timer, NULL);
	ret = bpf_prog_test_run_opts(run->k->sender, &opts);
	return ret == -EINTR ? 0 : ret;
}

static void read_samples(struct run *run)
{
	const volatile struct shared *s = run->k->shared;
	uint64_t n = s->n_samples;

	if (n - run->n_read > SAMPLES)
		run->n_read = n - SAMPLES;
	for (; run->n_read < n; run->n_read++) {
		double ns = (double)s->samples[run->n_read & (SAMPLES - 1)];
		histogram_add(&run->r->latency,
			(uint64_t)(ns * (double)rte_get_tsc_hz() / (double)NS_PER_S));
	}
}

// Sends for a time, at the order's rate.
static int work(struct run *run, double seconds)
{
	volatile struct shared *s = run->k->shared;

	if (seconds <= 0)
		return 0;
	s->rate = run->o->rate;
	s->first = s->sequence;
	s->start = 0;
	return transmit(run, seconds);
}

// Waits for what is on its way.
static void drain(const struct run *run)
{
	uint64_t last;

	do {
		last = run->k->shared->received;
		(void)usleep(SILENCE_MS * 1000);
	} while (run->k->shared->received != last);
}

static int measure(struct run *run)
{
	volatile struct shared *s = run->k->shared;
	struct result *r = run->r;
	uint64_t received, reordered;
	int ret = work(run, run->o->warmup);

	if (ret < 0)
		return ret;
	drain(run);
	s->arrived = 0;
	s->end = UINT64_MAX;
	run->n_read = s->n_samples;
	histogram_reset(&r->latency);
	received = s->received;
	reordered = s->reordered;
	ret = work(run, run->o->seconds);
	r->seconds = (double)(s->last - s->start) / (double)NS_PER_S;
	r->received = s->received - received;
	s->end = s->sequence;
	r->sent = s->end - s->first;
	drain(run);
	read_samples(run);
	r->reordered = s->reordered - reordered;
	r->lost = r->sent > s->arrived ? r->sent - s->arrived : 0;
	// At full load nothing tells what the device refused from what it lost.
	r->refused = run->o->rate == 0 ? r->lost / REFUSED_BURST : 0;
	return ret;
}

static struct length length_of(const struct run *run, const struct pattern *t)
{
	const struct rte_ipv4_hdr *ip4 = (const void *)(t->head + t->ip);
	const struct rte_ipv6_hdr *ip6 = (const void *)ip4;
	const struct rte_udp_hdr *udp = (const void *)(t->head + t->udp);

	return (struct length){.cut = t->len - run->longest->len,
		.trailer = (uint16_t)(t->len - sizeof(struct trailer)),
		.ip_len = run->stream.ip6 ? ip6->payload_len : ip4->total_length,
		.ip_sum = ip4->hdr_checksum,
		.udp_len = udp->dgram_len};
}

// Tells the sender what to make.
static void load(struct run *run)
{
	const struct stream *s = &run->stream;
	volatile struct shared *shared = run->k->shared;

	run->longest = &s->patterns[0];
	for (uint32_t i = 1; i < s->n_patterns; i++)
		if (s->patterns[i].len > run->longest->len)
			run->longest = &s->patterns[i];
	for (uint32_t i = 0; i < s->n_patterns; i++) {
		const struct pattern *t = &s->patterns[i];

		if (!s->ip6)
			pattern_set_destination(t, t->head, s->dst);
		shared->lengths[i] = length_of(run, t);
	}
	shared->n_lengths = s->n_patterns;
	shared->n_flows = s->n_flows;
	shared->ip6 = s->ip6;
}

static int obey(void *arg, const struct order *o, struct result *ret_result)
{
	struct run run = {.k = arg, .o = o, .r = ret_result};
	int ret;

	if (o->tx != 0 || o->rx != 1 || o->destinations != 1 || o->pcap[0] != '\0' ||
		o->encap != ENCAP_NONE || o->frame > FRAME_MAX)
		return -EOPNOTSUPP;
	*ret_result = (struct result){0};
	ret = stream_init(&run.stream, o);
	if (ret < 0)
		return ret;
	load(&run);
	drain(&run);
	run.k->shared->expected = 0;
	ret = measure(&run);
	ret_result->frame = (double)run.stream.frame_bytes / run.stream.n_patterns;
	stream_fini(&run.stream);
	return ret;
}

// Their memory is that of the map of their variables. All of it lives as long as the process.
static int load_programs(const char *path, struct kernel *ret_kernel)
{
	struct bpf_object *obj = bpf_object__open_file(path, NULL);
	int ret;

	if (obj == NULL)
		return -errno;
	ret = bpf_object__load(obj);
	if (ret < 0)
		return ret;
	ret_kernel->sender = bpf_program__fd(bpf_object__find_program_by_name(obj, "send"));
	ret_kernel->counter = bpf_program__fd(bpf_object__find_program_by_name(obj, "count"));
	ret_kernel->shared = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED,
		bpf_object__find_map_fd_by_name(obj, ".bss"), 0);
	return ret_kernel->shared == MAP_FAILED ? -errno : 0;
}

// Leaves this thread in the sender's namespace, where its frames have to begin.
static int kernel_open(char **argv, struct kernel *ret_kernel, const char **ret_why)
{
	int ret;

	*ret_why = argv[0];
	ret = load_programs(argv[0], ret_kernel);
	if (ret < 0)
		return ret;
	*ret_why = argv[2];
	ret = enter(argv[2]);
	if (ret < 0)
		return ret;
	ret = count(ret_kernel, ret);
	if (ret < 0)
		return ret;
	*ret_why = argv[1];
	ret = enter(argv[1]);
	if (ret < 0)
		return ret;
	ret_kernel->shared->device = (uint32_t)ret;
	return 0;
}

int main(int argc, char **argv)
{
	struct kernel k;
	const char *what;
	int n_eal = rte_eal_init(argc, argv);
	int ret;

	if (n_eal < 0 || argc - n_eal != 4) {
		talk_error("generate-kernel",
			n_eal < 0 ? "EAL does not start" : "takes programs and two devices");
		return 1;
	}
	ret = kernel_open(argv + n_eal + 1, &k, &what);
	if (ret < 0) {
		talk_error(what, strerror(-ret));
		return 1;
	}
	// Without SA_RESTART, to interrupt the call.
	(void)sigaction(SIGALRM, &(const struct sigaction){.sa_handler = ignore}, NULL);
	talk(obey, &k);
	(void)rte_eal_cleanup();
	return 0;
}
