// The life of AF_XDP ports on real veths: devices that go down or away, pools that run empty,
// processes that were killed, and many ports. Needs root.
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "peer.h"
#include "pmd/pool.h"
#include "ports.h"

#define HELD 330 // with 64 posted, less than a quarter of 511 buffers is left

#define N_PORTS 300
#define PORTS_RING 64

static void port_outlives_its_device_and_others_do_not_notice(void **)
{
	uint8_t frame[FRAME_MAX];
	struct rte_mbuf *pkts[BURST], *m;
	struct port *p, *other;
	struct pollfd fd;
	int peer;

	peer_frame(frame, 100, 1);
	p = port_open(AFXDP_GENERIC); // the first port: the UMEM must not go with its device
	assert_comes_up(p);
	peer_sh("ip link del afxdp0");
	assert_false(p->ops->link_up(p));
	fd = (struct pollfd){.fd = p->ops->rx_fd(p, 0), .events = POLLIN};
	assert_int_equal(poll(&fd, 1, 0), 0);
	assert_int_equal(port_rx(p, 0, pkts, BURST), 0);
	m = mbuf_of(pool, frame, 100);
	assert_int_equal(port_tx(p, 0, &m, 1), 1); // taken, but then the driver knows
	m = mbuf_of(pool, frame, 100);
	assert_int_equal(port_tx(p, 0, &m, 1), 0);
	rte_pktmbuf_free(m);

	peer_sh("ip link add afxdp2 type veth peer name afxdp3 && ip link set afxdp2 up && "
		"ip link set afxdp3 up");
	other = port_on("afxdp2", pool, AFXDP_GENERIC, 0);
	peer = peer_open("afxdp3");
	p->ops->close(p);
	peer_send(peer, frame, 100);
	assert_int_equal(receive(other, pkts, 1), 1);
	assert_int_equal(port_tx(other, 0, pkts, 1), 1);
	assert_int_equal(peer_receive(peer, frame, sizeof(frame)), 100);
	close(peer);
	other->ops->close(other);
	assert_all_returned(pool);
	peer_sh("ip link del afxdp2");
}

static void device_that_was_down_sends_again_once_it_is_up(void **)
{
	struct port *p = port_open(AFXDP_GENERIC);
	uint8_t frame[FRAME_MAX], got[FRAME_MAX];
	struct rte_mbuf *m[2];
	int fd;

	peer_frame(frame, 100, 1);
	m[0] = mbuf_of(pool, frame, 100);
	m[1] = mbuf_of(pool, frame, 100);
	peer_sh("ip link set afxdp0 down");
	assert_false(p->ops->link_up(p));
	assert_int_equal(port_tx(p, 0, &m[0], 1), 1);
	peer_sh("ip link set afxdp0 up");
	fd = peer_open("afxdp1");
	assert_comes_up(p);
	assert_int_equal(port_tx(p, 0, &m[1], 1), 1);
	assert_int_equal(peer_receive(fd, got, sizeof(got)), 100);
	assert_int_equal(peer_receive(fd, got, sizeof(got)), 100);
	close(fd);
	p->ops->close(p);
	assert_all_returned(pool);
}

static void empty_pool_is_counted_and_recovered_from(void **)
{
	struct rte_mempool *small = pool_new("afxdp_small", 127, PRIV_SIZE, SOCKET_ID_ANY);
	struct rte_mbuf *held[127], *pkts[BURST];
	uint8_t frame[FRAME_MAX];
	struct port_stats stats;
	struct port *p;
	uint16_t n = 0;
	int fd;

	assert_non_null(small);
	p = port_on("afxdp0", small, AFXDP_GENERIC, 64);
	fd = peer_open("afxdp1");
	peer_frame(frame, 100, 1);
	while (n < 127 && (held[n] = rte_pktmbuf_alloc(small)) != NULL)
		n++;
	for (int i = 0; i < 80; i++)
		peer_send(fd, frame, 100);
	assert_int_equal(port_rx(p, 0, pkts, BURST), 64); // all that was posted
	p->ops->stats(p, &stats);
	assert_int_equal(stats.rx_nombuf, 1);
	assert_int_equal(stats.rx_missed, 16);
	peer_send(fd, frame, 100);
	assert_int_equal(port_rx(p, 0, held, 1), 0);

	rte_pktmbuf_free_bulk(pkts, 64);
	assert_int_equal(port_rx(p, 0, pkts, BURST), 0); // posts buffers
	peer_send(fd, frame, 100);
	assert_int_equal(receive(p, pkts, 1), 1);
	rte_pktmbuf_free(pkts[0]);
	close(fd);
	p->ops->close(p);
	rte_pktmbuf_free_bulk(held, n);
	assert_all_returned(small);
	rte_mempool_free(small);
}

// What the program does when it is started as "test_afxdp_life leave MODE".
static int leave_program(const char *mode)
{
	(void)port_open((enum afxdp_mode)atoi(mode));
	return raise(SIGKILL);
}

static void port_opens_over_what_a_killed_process_left(void **)
{
	struct rte_mbuf *m;
	uint8_t frame[FRAME_MAX];
	struct port *p;
	int fd, status;

	for (int mode = AFXDP_GENERIC; mode <= AFXDP_NATIVE; mode++) {
		pid_t pid = fork();

		if (pid == 0) {
			execl("/proc/self/exe", "test_afxdp_life", "leave", mode == 0 ? "0" : "1",
				NULL);
			_exit(1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(WTERMSIG(status), SIGKILL);
		peer_sh("ip link show afxdp0 | grep -q 'prog/xdp'");
		p = port_open(AFXDP_GENERIC);
		fd = peer_open("afxdp1");
		peer_frame(frame, 100, 3);
		peer_send(fd, frame, 100);
		assert_int_equal(receive(p, &m, 1), 1);
		assert_frame(m, frame, 100);
		rte_pktmbuf_free(m);
		close(fd);
		p->ops->close(p);
		peer_sh("! ip link show afxdp0 | grep -q 'prog/xdp'");
	}
}

#define PROGRAM_OF(ifname) "$(ip link show " ifname " | grep -o 'prog/xdp id [0-9]*')"

static void assert_receives(struct port *p, const char *peer, uint8_t number)
{
	uint8_t frame[FRAME_MAX];
	int fd = peer_open(peer);
	struct rte_mbuf *m;

	peer_frame(frame, 100, number);
	peer_send(fd, frame, 100);
	assert_int_equal(receive(p, &m, 1), 1);
	assert_frame(m, frame, 100);
	rte_pktmbuf_free(m);
	close(fd);
}

// A second pair of devices, the first of which has the index.
static struct port *second_port(unsigned index, enum afxdp_mode mode)
{
	peer_sh("ip link add afxdp2 index %u mtu 9000 type veth peer name afxdp3 mtu 9000 && "
		"ip link set afxdp2 up && ip link set afxdp3 up",
		index);
	return port_on("afxdp2", pool, mode, 0);
}

static void ports_of_both_modes_share_a_program_and_get_their_own_frames(void **)
{
	for (int mode = AFXDP_GENERIC; mode <= AFXDP_NATIVE; mode++) {
		struct port *p = port_open(AFXDP_GENERIC);
		struct port *other = second_port(4711, (enum afxdp_mode)mode);

		peer_sh("test -n \"" PROGRAM_OF("afxdp0") "\" -a \"" PROGRAM_OF(
			"afxdp0") "\" = \"" PROGRAM_OF("afxdp2") "\"");
		assert_receives(p, "afxdp1", 1);
		assert_receives(other, "afxdp3", 2);
		p->ops->close(p);
		assert_receives(other, "afxdp3", 3);
		p = port_open(AFXDP_GENERIC); // its place is free again
		assert_receives(p, "afxdp1", 4);
		other->ops->close(other);
		p->ops->close(p);
		peer_sh("ip link del afxdp2");
	}
	assert_all_returned(pool);
}

static void port_whose_place_in_the_program_is_taken_gets_another_program(void **)
{
	struct port *p = port_open(AFXDP_GENERIC);
	struct port *other = second_port(if_nametoindex("afxdp0") + 65536, AFXDP_GENERIC);

	peer_sh("test \"" PROGRAM_OF("afxdp0") "\" != \"" PROGRAM_OF("afxdp2") "\"");
	assert_receives(p, "afxdp1", 1);
	assert_receives(other, "afxdp3", 2);
	p->ops->close(p);
	assert_receives(other, "afxdp3", 3);
	other->ops->close(other);
	peer_sh("ip link del afxdp2");
	assert_all_returned(pool);
}

static void impossible_configuration_is_refused_with_its_reason(void **)
{
	struct afxdp_conf conf = {.name = "x", .ifindex = 999999, .pool = pool, .mtu = 1500};
	const char *why = NULL;
	struct port *p = NULL;

	assert_int_equal(afxdp_open(&conf, &p, &why), -ENODEV);
	assert_string_equal(
		why, "cannot bind an AF_XDP socket to the device (in use by another program?)");
	conf.ring_size = 100;
	assert_int_equal(afxdp_open(&conf, &p, &why), -EINVAL);
	assert_non_null(strstr(why, "ring size"));
	assert_null(p);
	assert_all_returned(pool);
}

static uint64_t milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

// kB of memory that the machine has left.
static long available(void)
{
	char line[128];
	long kb = 0;
	FILE *f = fopen("/proc/meminfo", "r");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "MemAvailable: %ld", &kb) == 1)
			break;
	fclose(f);
	return kb;
}

static void three_hundred_ports_open_and_close(void **)
{
	struct rte_mempool *large = pool_new("afxdp_ports", 32768, PRIV_SIZE, SOCKET_ID_ANY);
	struct port *p[N_PORTS];
	uint64_t start, opened, closed;
	char name[IF_NAMESIZE];
	long before, after;

	assert_non_null(large);
	peer_sh("for i in $(seq %d); do echo link add afxdpm$i type veth peer name afxdpn$i; "
		"echo link set afxdpm$i up; done | ip -b -",
		N_PORTS);
	before = available();
	start = milliseconds();
	for (int i = 0; i < N_PORTS; i++) {
		(void)snprintf(name, sizeof(name), "afxdpm%d", i + 1);
		p[i] = port_on(name, large, AFXDP_GENERIC, PORTS_RING);
	}
	opened = milliseconds();
	after = available();
	ports_close(p, N_PORTS);
	closed = milliseconds();
	print_message("%d ports over 32768 buffers: opened in %lu ms, closed in %lu ms, "
		      "%ld kB each\n",
		N_PORTS, opened - start, closed - opened, (before - after) / N_PORTS);
	assert_all_returned(large);
	rte_mempool_free(large);
	peer_sh("for i in $(seq %d); do echo link del afxdpm$i; done | ip -b -", N_PORTS);
}

static void receive_and_free(struct port *p, int fd, const uint8_t *frame, uint16_t n)
{
	struct rte_mbuf *pkts[BURST];

	for (uint16_t i = 0; i < n; i++)
		peer_send(fd, frame, 100);
	assert_int_equal(receive(p, pkts, n), n);
	rte_pktmbuf_free_bulk(pkts, n);
}

static void busy_port_has_a_full_ring_of_buffers_and_one_at_rest_a_quarter(void **)
{
	struct port *p = port_on("afxdp0", pool, AFXDP_GENERIC, 256);
	uint8_t frame[FRAME_MAX];
	int fd = peer_open("afxdp1");

	peer_frame(frame, 100, 1);
	assert_int_equal(rte_mempool_in_use_count(pool), 64);
	receive_and_free(p, fd, frame, BURST);
	assert_in_range(rte_mempool_in_use_count(pool), 225, 256);
	for (int i = 0; i < 5000; i++) // what is posted is used up before it gets fewer
		receive_and_free(p, fd, frame, 1);
	assert_in_range(rte_mempool_in_use_count(pool), 33, 64);
	close(fd);
	p->ops->close(p);
	assert_all_returned(pool);
}

static void busy_port_leaves_a_quarter_of_the_pool_to_others(void **)
{
	struct rte_mempool *small = pool_new("afxdp_small", 511, PRIV_SIZE, SOCKET_ID_ANY);
	struct rte_mbuf *held[HELD];
	uint8_t frame[FRAME_MAX];
	struct port *p;
	int fd;

	assert_non_null(small);
	p = port_on("afxdp0", small, AFXDP_GENERIC, 256);
	fd = peer_open("afxdp1");
	peer_frame(frame, 100, 1);
	for (int i = 0; i < HELD; i++)
		held[i] = rte_pktmbuf_alloc(small);
	receive_and_free(p, fd, frame, BURST);
	assert_true(rte_mempool_in_use_count(small) <= HELD + 64);
	rte_pktmbuf_free_bulk(held, HELD);
	receive_and_free(p, fd, frame, BURST);
	assert_in_range(rte_mempool_in_use_count(small), 225, 256);
	close(fd);
	p->ops->close(p);
	assert_all_returned(small);
	rte_mempool_free(small);
}

#define XDP_TEST(f) cmocka_unit_test_setup_teardown(f, veth_add, veth_del)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		XDP_TEST(port_outlives_its_device_and_others_do_not_notice),
		XDP_TEST(device_that_was_down_sends_again_once_it_is_up),
		XDP_TEST(empty_pool_is_counted_and_recovered_from),
		XDP_TEST(busy_port_has_a_full_ring_of_buffers_and_one_at_rest_a_quarter),
		XDP_TEST(busy_port_leaves_a_quarter_of_the_pool_to_others),
		XDP_TEST(port_opens_over_what_a_killed_process_left),
		XDP_TEST(ports_of_both_modes_share_a_program_and_get_their_own_frames),
		XDP_TEST(port_whose_place_in_the_program_is_taken_gets_another_program),
		cmocka_unit_test(impossible_configuration_is_refused_with_its_reason),
		cmocka_unit_test(three_hundred_ports_open_and_close),
	};
	bool leave = argc == 3; // in the namespace of the test that started it

	if (ports_start(argv[0], !leave) < 0)
		return 1;
	if (leave)
		return leave_program(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
