// The vhost-user port with a real peer: dpdk-testpmd in a process of its own, whose virtio-user
// port stands for a guest's virtio-net device and sends every frame back with its MAC addresses
// swapped. Frames must pass on every queue, for either kind of ring and either end as the server;
// killing the peer must do no harm, and starting it again must bring the port back by itself.
#include "pmd/vhost.h"

#include "../../unit/pmd/eal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define POOL_SIZE 4095
#define N_QUEUES 2
#define START_MS 20000 // testpmd's start and librte_vhost's reconnection, on a busy machine
#define REPLY_MS 5000
#define QUIET_MS 100
#define PROBE_LEN 61 // of frames that are only to come back; no others have it

// How the peer is started.
struct variant {
	bool packed;
	bool peer_is_server;
	bool mergeable;
};

static struct rte_mempool *pool;
static char dir[] = "/tmp/pmd-vhost-peer-XXXXXX";
static char path[64];
static char log_path[64];
static pid_t peer; // 0: none
static struct port *port; // of the running test

// A socket's path is used once: see "Known limit" of vhost-user in doc/ports.md.
static void path_renew(void)
{
	static unsigned int n;

	(void)snprintf(path, sizeof(path), "%s/sock%u", dir, n++);
}

static int start(void **state)
{
	(void)state;
	if (eal_start("vhost-peer") < 0 || mkdtemp(dir) == NULL)
		return -1;
	path_renew();
	(void)snprintf(log_path, sizeof(log_path), "%s/log", dir);
	pool = eal_pool("vhost_peer", POOL_SIZE);
	return pool == NULL ? -1 : 0;
}

static int stop(void **state)
{
	(void)state;
	(void)unlink(path);
	(void)unlink(log_path);
	return rmdir(dir);
}

static void peer_kill(void)
{
	if (peer == 0)
		return;
	(void)kill(peer, SIGKILL);
	(void)waitpid(peer, NULL, 0);
	peer = 0;
}

static int clean(void **state)
{
	(void)state;
	peer_kill();
	if (port != NULL)
		port->ops->close(port);
	port = NULL;
	(void)unlink(path);
	path_renew();
	return 0;
}

static void peer_exec(const struct variant *v)
{
	char vdev[160], prefix[48];
	int fd = open(log_path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

	(void)snprintf(prefix, sizeof(prefix), "--file-prefix=pmd-peer-%d", getpid());
	(void)snprintf(vdev, sizeof(vdev),
		"--vdev=net_virtio_user0,path=%s,queues=%d,packed_vq=%d,mrg_rxbuf=%d,server=%d",
		path, N_QUEUES, v->packed, v->mergeable, v->peer_is_server);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)dup2(fd, 1);
	(void)dup2(fd, 2);
	// Without --no-flush-rx it would throw away what arrives before it begins to forward.
	// Ordinary memory will do: EAL puts it into one memfd, which the switch maps.
	(void)execlp("dpdk-testpmd", "dpdk-testpmd", "--no-huge", "--no-shconf", "--no-pci", "-m",
		"128", "-l", "0,1", "--no-telemetry", prefix, vdev, "--", "--total-num-mbufs=4096",
		"--stats-period=3600", "--nb-cores=1", "--forward-mode=macswap", "--rxq=2",
		"--txq=2", v->mergeable ? "--max-pkt-len=9200" : "--max-pkt-len=1518",
		v->mergeable ? "--enable-scatter" : "--no-flush-rx", "--no-flush-rx",
		"--auto-start", (char *)NULL);
	_exit(127);
}

static void peer_start(const struct variant *v)
{
	peer = fork();
	assert_true(peer >= 0);
	if (peer == 0)
		peer_exec(v);
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool wait_link(bool up, int ms)
{
	for (int64_t end = now_ms() + ms; now_ms() < end; (void)usleep(10000)) {
		if (port->ops->link_up(port) == up)
			return true;
	}
	return false;
}

// A frame of len bytes, in a chain if need be, from MAC 2:…:1 to 2:…:2, that counts up.
static struct rte_mbuf *frame_new(uint16_t len, uint8_t first)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};
	struct rte_mbuf *head = NULL;

	for (uint16_t at = 0; at < len;) {
		uint16_t part = (uint16_t)(len - at < 2000 ? len - at : 2000);
		struct rte_mbuf *m = eal_frame(pool, part, (uint8_t)(first + at));
		assert_non_null(m);
		if (head == NULL)
			head = m;
		else
			assert_int_equal(rte_pktmbuf_chain(head, m), 0);
		at += part;
	}
	memcpy(rte_pktmbuf_mtod(head, void *), macs, sizeof(macs));
	return head;
}

static void peer_output_print(void)
{
	char line[256];
	FILE *f = fopen(log_path, "r");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		print_error("peer: %s", line);
	if (f != NULL)
		(void)fclose(f);
}

// Waits until a frame comes back: the peer may set its port up twice, or be about to forward.
static void wait_echo(void)
{
	for (int64_t end = now_ms() + START_MS; now_ms() < end;) {
		struct rte_mbuf *m = frame_new(PROBE_LEN, 0);
		int64_t quiet = now_ms() + QUIET_MS;
		bool heard = false;
		if (port_tx(port, 0, &m, 1) == 0)
			rte_pktmbuf_free(m);
		while (now_ms() < quiet) {
			if (port_rx(port, 0, &m, 1) == 0)
				continue;
			rte_pktmbuf_free(m);
			quiet = now_ms() + QUIET_MS; // earlier ones may follow, even later
			heard = true;
		}
		if (heard)
			return;
	}
	peer_output_print();
	fail_msg("no frame comes back");
}

static void port_start(const struct variant *v)
{
	struct vhost_conf conf = {.name = "pod0",
		.path = path,
		.pool = pool,
		.n_queue_pairs = N_QUEUES,
		.n_workers = N_QUEUES + 2,
		.mtu = 9000,
		.server = !v->peer_is_server};

	assert_int_equal(vhost_open(&conf, &port), 0);
	peer_start(v);
	wait_echo();
}

static void frame_check(struct rte_mbuf *m, uint16_t len, uint8_t first)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	uint8_t buf[9200];
	const uint8_t *bytes = rte_pktmbuf_read(m, 0, len, buf);

	assert_int_equal(m->pkt_len, len);
	assert_non_null(bytes);
	assert_memory_equal(bytes, macs, sizeof(macs));
	for (uint16_t i = sizeof(macs); i < len; i++)
		assert_int_equal(bytes[i], (uint8_t)(first + i));
	assert_int_equal(m->ol_flags, 0);
	assert_true(rte_pktmbuf_headroom(m) >= PORT_HEADROOM_MIN);
}

static uint16_t receive(uint16_t q, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t got = 0;

	for (int64_t end = now_ms() + REPLY_MS; got < n && now_ms() < end;) {
		struct rte_mbuf **new = pkts + got;
		uint16_t n_new = port_rx(port, q, new, (uint16_t)(n - got));

		for (uint16_t i = 0; i < n_new; i++) {
			if (new[i]->pkt_len == PROBE_LEN)
				rte_pktmbuf_free(new[i]);
			else
				pkts[got++] = new[i];
		}
	}
	return got;
}

// Sends bursts by the queue and checks what comes back on it.
static void check_echo(uint16_t q, uint16_t len, uint16_t n_bursts)
{
	for (uint16_t k = 0; k < n_bursts; k++) {
		struct rte_mbuf *m[40];
		uint16_t sent = 0;
		for (uint16_t i = 0; i < 40; i++)
			m[i] = frame_new(len, (uint8_t)(k + i));
		for (int64_t end = now_ms() + REPLY_MS; sent < 40 && now_ms() < end;)
			sent += port_tx(port, q, m + sent, (uint16_t)(40 - sent));
		assert_int_equal(sent, 40);
		assert_int_equal(receive(q, m, 40), 40);
		for (uint16_t i = 0; i < 40; i++)
			frame_check(m[i], len, (uint8_t)(k + i));
		rte_pktmbuf_free_bulk(m, 40);
	}
}

static void check_both_queues(void)
{
	for (uint16_t q = 0; q < N_QUEUES; q++) {
		check_echo(q, 60, 50);
		check_echo(q, 1514, 50);
	}
}

static void frames_pass_both_ways_on_both_queues_of_a_split_ring(void **state)
{
	(void)state;
	port_start(&(struct variant){.mergeable = true, .peer_is_server = true});
	check_both_queues();
}

static void a_guest_that_would_have_packed_rings_gets_split_ones(void **state)
{
	(void)state;
	port_start(&(struct variant){.packed = true, .mergeable = true, .peer_is_server = true});
	check_both_queues();
}

static void frames_pass_when_the_switch_is_the_server(void **state)
{
	(void)state;
	port_start(&(struct variant){.mergeable = true});
	check_both_queues();
}

static void frames_pass_without_mergeable_buffers(void **state)
{
	(void)state;
	port_start(&(struct variant){.peer_is_server = true});
	check_both_queues();
}

static void long_frames_pass_as_chains_in_mergeable_buffers(void **state)
{
	(void)state;
	port_start(&(struct variant){.mergeable = true, .peer_is_server = true});
	check_echo(0, 9000, 10);
}

static void a_second_worker_s_frames_share_the_rings(void **state)
{
	struct rte_mbuf *m = NULL;

	(void)state;
	port_start(&(struct variant){.mergeable = true, .peer_is_server = true});
	m = frame_new(60, 1);
	assert_int_equal(port_tx(port, N_QUEUES + 1, &m, 1), 1); // goes to queue 1
	assert_int_equal(receive(1, &m, 1), 1);
	frame_check(m, 60, 1);
	rte_pktmbuf_free(m);
}

// Puts one frame on its way to the peer and waits for the descriptor to tell of the answer.
static void check_wakeup(uint16_t q)
{
	struct pollfd fd = {.fd = port->ops->rx_fd(port, q), .events = POLLIN};
	struct rte_mbuf *m;

	port->ops->rx_wakeup(port, q, false);
	while (port_rx(port, q, &m, 1) == 1)
		rte_pktmbuf_free(m);
	port->ops->rx_wakeup(port, q, true);
	assert_int_equal(port_rx(port, q, &m, 1), 0);
	while (poll(&fd, 1, 0) == 1) // a kick that came before
		port->ops->rx_wakeup(port, q, false), port->ops->rx_wakeup(port, q, true);
	m = frame_new(60, 9);
	assert_int_equal(port_tx(port, q, &m, 1), 1);
	assert_int_equal(poll(&fd, 1, REPLY_MS), 1);
	port->ops->rx_wakeup(port, q, false);
	assert_int_equal(poll(&fd, 1, 0), 0);
	assert_int_equal(receive(q, &m, 1), 1);
	frame_check(m, 60, 9);
	rte_pktmbuf_free(m);
}

static void a_kick_wakes_a_sleeping_worker(void **state)
{
	(void)state;
	for (int packed = 0; packed < 2; packed++) {
		port_start(&(struct variant){
			.packed = packed, .mergeable = true, .peer_is_server = true});
		for (int i = 0; i < 20; i++)
			check_wakeup((uint16_t)(i % N_QUEUES));
		(void)clean(state);
	}
}

static void a_guest_that_starts_wakes_a_worker_that_slept_before(void **state)
{
	struct vhost_conf conf = {.name = "pod0",
		.path = path,
		.pool = pool,
		.n_queue_pairs = N_QUEUES,
		.n_workers = N_QUEUES,
		.mtu = 1500};
	struct pollfd fd = {.events = POLLIN};
	struct rte_mbuf *m;

	(void)state;
	assert_int_equal(vhost_open(&conf, &port), 0);
	port->ops->rx_wakeup(port, 0, true);
	assert_int_equal(port_rx(port, 0, &m, 1), 0);
	fd.fd = port->ops->rx_fd(port, 0);
	assert_int_equal(poll(&fd, 1, 0), 0);
	peer_start(&(struct variant){.mergeable = true, .peer_is_server = true});
	assert_int_equal(poll(&fd, 1, START_MS), 1);
}

static void check_kill_and_restart(const struct variant *v)
{
	struct rte_mbuf *m;

	port_start(v);
	for (int i = 0; i < 2; i++) {
		check_echo(0, 60, 5);
		peer_kill();
		assert_true(wait_link(false, REPLY_MS));
		m = frame_new(60, 1);
		assert_int_equal(port_tx(port, 0, &m, 1), 0);
		rte_pktmbuf_free(m);
		assert_int_equal(port_rx(port, 0, &m, 1), 0);
		if (v->peer_is_server)
			(void)unlink(path);
		peer_start(v);
		wait_echo();
	}
	check_both_queues();
}

static void the_port_comes_back_after_its_peer_was_killed_client(void **state)
{
	(void)state;
	check_kill_and_restart(&(struct variant){.mergeable = true, .peer_is_server = true});
}

static void the_port_comes_back_after_its_peer_was_killed_server(void **state)
{
	(void)state;
	check_kill_and_restart(&(struct variant){.packed = true, .mergeable = true});
}

static atomic_bool churn_end;

// A worker that never stops to send and receive.
static void *churn(void *arg)
{
	uint16_t worker = *(uint16_t *)arg;
	struct rte_mbuf *m[32];

	while (!atomic_load(&churn_end)) {
		uint16_t n = port_rx(port, worker, m, 32);
		rte_pktmbuf_free_bulk(m, n);
		for (n = 0; n < 8; n++)
			m[n] = frame_new(200, (uint8_t)n);
		n = port_tx(port, worker, m, 8);
		rte_pktmbuf_free_bulk(m + n, 8U - n);
	}
	return NULL;
}

static void a_peer_killed_in_full_traffic_harms_nobody(void **state)
{
	static uint16_t number[N_QUEUES] = {0, 1};
	const struct variant v = {.mergeable = true};
	pthread_t workers[N_QUEUES];

	(void)state;
	port_start(&v);
	atomic_store(&churn_end, false);
	for (int i = 0; i < N_QUEUES; i++)
		assert_int_equal(pthread_create(&workers[i], NULL, churn, &number[i]), 0);
	for (int i = 0; i < 3; i++) {
		(void)usleep(200000);
		peer_kill();
		if (!wait_link(false, REPLY_MS))
			break;
		peer_start(&v);
		if (!wait_link(true, START_MS))
			break;
	}
	atomic_store(&churn_end, true);
	for (int i = 0; i < N_QUEUES; i++)
		(void)pthread_join(workers[i], NULL);
	assert_true(port->ops->link_up(port));
}

static void no_buffer_was_lost(void **state)
{
	(void)state;
	assert_int_equal(rte_mempool_avail_count(pool), POOL_SIZE);
}

static void a_port_closes_while_its_peer_is_connected(void **state)
{
	(void)state;
	port_start(&(struct variant){.mergeable = true});
	port->ops->close(port);
	port = NULL;
	assert_int_equal(access(path, F_OK), -1);
}

// An argument is a pattern of the tests to run.
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(
			frames_pass_both_ways_on_both_queues_of_a_split_ring, clean),
		cmocka_unit_test_teardown(
			a_guest_that_would_have_packed_rings_gets_split_ones, clean),
		cmocka_unit_test_teardown(frames_pass_when_the_switch_is_the_server, clean),
		cmocka_unit_test_teardown(frames_pass_without_mergeable_buffers, clean),
		cmocka_unit_test_teardown(long_frames_pass_as_chains_in_mergeable_buffers, clean),
		cmocka_unit_test_teardown(a_second_worker_s_frames_share_the_rings, clean),
		cmocka_unit_test_teardown(a_kick_wakes_a_sleeping_worker, clean),
		cmocka_unit_test_teardown(
			a_guest_that_starts_wakes_a_worker_that_slept_before, clean),
		cmocka_unit_test_teardown(
			the_port_comes_back_after_its_peer_was_killed_client, clean),
		cmocka_unit_test_teardown(
			the_port_comes_back_after_its_peer_was_killed_server, clean),
		cmocka_unit_test_teardown(a_peer_killed_in_full_traffic_harms_nobody, clean),
		cmocka_unit_test_teardown(a_port_closes_while_its_peer_is_connected, clean),
		cmocka_unit_test(no_buffer_was_lost),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, start, stop);
}
