// The packet pool and the AF_XDP driver against real veths. Needs root; everything happens in a
// network namespace of the test's own, which dies with it.
#include "pmd/afxdp.h"

#include "peer.h"
#include "pmd/pool.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define POOL_SIZE 8192
#define BURST 64
#define FRAME_MAX 9100
#define PRIV_SIZE 128
#define N_PORTS 300
#define PORTS_RING 64

static struct rte_mempool *pool;

static int veth_add(void **)
{
	peer_sh("ip link add afxdp0 mtu 9000 type veth peer name afxdp1 mtu 9000 && "
		"ip link set afxdp0 up && ip link set afxdp1 up");
	return 0;
}

static int veth_del(void **)
{
	// A test may have deleted it already.
	peer_sh("ip link del afxdp0 2>/dev/null || true");
	return 0;
}

static struct port *port_on(
	const char *ifname, struct rte_mempool *mp, enum afxdp_mode mode, uint16_t ring_size)
{
	struct afxdp_conf conf = {.name = "test",
		.ifindex = (int)if_nametoindex(ifname),
		.pool = mp,
		.mtu = 9000,
		.ring_size = ring_size,
		.mode = mode};
	const char *why = NULL;
	struct port *p = NULL;
	int ret;

	ret = afxdp_open(&conf, &p, &why);
	if (ret < 0)
		fail_msg("%s: %s", why, strerror(-ret));
	return p;
}

static struct port *port_open(enum afxdp_mode mode)
{
	return port_on("afxdp0", pool, mode, 0);
}

// Receives up to n frames, for a second at most.
static uint16_t receive(struct port *p, struct rte_mbuf **pkts, uint16_t n)
{
	struct pollfd fd = {.fd = p->ops->rx_fd(p, 0), .events = POLLIN};
	uint16_t got = 0;

	while (got < n) {
		got = (uint16_t)(got + port_rx(p, 0, pkts + got, (uint16_t)(n - got)));
		if (got < n && poll(&fd, 1, 1000) == 0)
			break;
	}
	return got;
}

static struct rte_mbuf *mbuf_of(struct rte_mempool *mp, const uint8_t *frame, size_t len)
{
	struct rte_mbuf *head = NULL;

	while (len > 0) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(mp);
		uint16_t piece;

		assert_non_null(m);
		piece = (uint16_t)RTE_MIN(len, (size_t)rte_pktmbuf_tailroom(m));
		memcpy(rte_pktmbuf_append(m, piece), frame, piece);
		if (head == NULL)
			head = m;
		else
			assert_int_equal(rte_pktmbuf_chain(head, m), 0);
		frame += piece;
		len -= piece;
	}
	return head;
}

static void assert_frame(const struct rte_mbuf *m, const uint8_t *frame, size_t len)
{
	static uint8_t flat[FRAME_MAX];

	assert_int_equal(rte_pktmbuf_pkt_len(m), len);
	assert_memory_equal(rte_pktmbuf_read(m, 0, (uint32_t)len, flat), frame, len);
}

// Buffers that neither the pool nor this thread's cache has. A send's completion follows it.
static void assert_all_returned(struct rte_mempool *mp)
{
	for (int i = 0; i < 100 && rte_mempool_in_use_count(mp) > 0; i++)
		usleep(10000);
	assert_int_equal(rte_mempool_in_use_count(mp), 0);
}

static void pool_is_one_dense_range(void **)
{
	struct rte_mempool *mp = pool_new("afxdp_dense", 1000, PRIV_SIZE, SOCKET_ID_ANY);
	struct rte_mbuf *m[2];
	size_t object, len;
	void *start;

	assert_non_null(mp);
	pool_range(mp, &start, &len);
	object = mp->header_size + mp->elt_size + mp->trailer_size;
	assert_int_equal((uintptr_t)start % 4096, 0);
	assert_int_equal(len % 4096, 0);
	assert_true(len >= 1000 * object && len < 1000 * object + 3 * 4096);
	assert_int_equal(
		object / RTE_CACHE_LINE_SIZE % 2, 1); // odd: headers spread over all cache sets
	assert_int_equal(mp->nb_mem_chunks, 1);
	assert_int_equal(rte_pktmbuf_alloc_bulk(mp, m, 2), 0);
	assert_int_equal(rte_pktmbuf_priv_size(mp), PRIV_SIZE);
	assert_int_equal(rte_pktmbuf_data_room_size(mp), POOL_DATA_ROOM);
	assert_int_equal(rte_mbuf_iova_get(m[0]), (uintptr_t)m[0]->buf_addr);
	rte_pktmbuf_free_bulk(m, 2);
	rte_mempool_free(mp);
}

static void pool_that_is_too_large_is_refused(void **)
{
	assert_null(pool_new("afxdp_large", 1000000000, PRIV_SIZE, SOCKET_ID_ANY));
	assert_int_not_equal(rte_errno, 0);
}

static void frames_arrive(enum afxdp_mode mode)
{
	struct port *p = port_open(mode);
	struct rte_mbuf *pkts[BURST];
	uint8_t frame[FRAME_MAX];
	int fd = peer_open("afxdp1");

	for (uint8_t i = 0; i < BURST; i++) {
		peer_frame(frame, 60 + i * 20, i);
		peer_send(fd, frame, 60 + i * 20);
	}
	assert_int_equal(receive(p, pkts, BURST), BURST);
	for (uint8_t i = 0; i < BURST; i++) {
		peer_frame(frame, 60 + i * 20, i);
		assert_int_equal(pkts[i]->nb_segs, 1);
		assert_true(rte_pktmbuf_headroom(pkts[i]) >= PORT_HEADROOM_MIN);
		assert_frame(pkts[i], frame, 60 + i * 20);
	}
	rte_pktmbuf_free_bulk(pkts, BURST);
	close(fd);
	p->ops->close(p);
	assert_all_returned(pool);
}

static void frames_arrive_in_generic_mode(void **)
{
	frames_arrive(AFXDP_GENERIC);
}

static void frames_arrive_in_native_mode(void **)
{
	frames_arrive(AFXDP_NATIVE);
}

static void burst_of_64_is_sent_at_once_and_in_order(void **)
{
	struct port *p = port_open(AFXDP_GENERIC);
	struct rte_mbuf *pkts[BURST];
	uint8_t frame[FRAME_MAX], got[FRAME_MAX];
	int fd = peer_open("afxdp1");

	for (uint8_t i = 0; i < BURST; i++) {
		peer_frame(frame, 1000, i);
		pkts[i] = mbuf_of(pool, frame, 1000);
	}
	assert_int_equal(port_tx(p, 0, pkts, BURST), BURST);
	for (uint8_t i = 0; i < BURST; i++) {
		peer_frame(frame, 1000, i);
		assert_int_equal(peer_receive(fd, got, sizeof(got)), 1000);
		assert_memory_equal(got, frame, 1000);
	}
	close(fd);
	p->ops->close(p);
	assert_all_returned(pool);
}

static void jumbo_frames_are_chains_both_ways(void **)
{
	struct port *p = port_open(AFXDP_GENERIC);
	uint8_t frame[FRAME_MAX], got[FRAME_MAX];
	int fd = peer_open("afxdp1");
	struct rte_mbuf *m;

	for (size_t len = 2100; len <= 9014; len += 1382) {
		peer_frame(frame, len, (uint8_t)len);
		peer_send(fd, frame, len);
		assert_int_equal(receive(p, &m, 1), 1);
		assert_frame(m, frame, len);
		assert_int_equal(m->nb_segs, (len + 2175) / 2176);
		// And back, without a copy.
		assert_int_equal(port_tx(p, 0, &m, 1), 1);
		assert_int_equal(peer_receive(fd, got, sizeof(got)), len);
		assert_memory_equal(got, frame, len);
	}
	close(fd);
	p->ops->close(p);
	assert_all_returned(pool);
}

static void vlan_tag_stays_in_the_frame_both_ways(void **)
{
	static const uint8_t tag[] = {0x81, 0x00, 0x20, 0x64};
	struct port *p = port_open(AFXDP_GENERIC);
	uint8_t frame[FRAME_MAX], got[FRAME_MAX];
	int fd = peer_open("afxdp1");
	struct rte_mbuf *m;

	peer_frame(frame, 200, 1);
	memmove(frame + 16, frame + 12, 184);
	memcpy(frame + 12, tag, sizeof(tag));
	peer_send(fd, frame, 200);
	assert_int_equal(receive(p, &m, 1), 1);
	assert_frame(m, frame, 200);
	assert_int_equal(port_tx(p, 0, &m, 1), 1);
	assert_int_equal(peer_receive(fd, got, sizeof(got)), 200);
	assert_memory_equal(got, frame, 200);
	close(fd);
	p->ops->close(p);
}

static void foreign_shared_and_indirect_buffers_are_sent_as_copies(void **)
{
	struct rte_mempool *other =
		rte_pktmbuf_pool_create("afxdp_other", 255, 0, 0, 2048, SOCKET_ID_ANY);
	struct port *p = port_open(AFXDP_GENERIC);
	uint8_t frame[FRAME_MAX], got[FRAME_MAX];
	int fd = peer_open("afxdp1");
	struct rte_mbuf *pkts[4], *shared;

	assert_non_null(other);
	peer_frame(frame, 5000, 9);
	pkts[0] = mbuf_of(other, frame, 5000);
	shared = mbuf_of(pool, frame, 1000);
	rte_mbuf_refcnt_update(shared, 1);
	pkts[1] = shared;
	pkts[2] = rte_pktmbuf_clone(shared, pool);
	pkts[3] = mbuf_of(pool, frame, 1000);
	assert_non_null(pkts[2]);
	assert_int_equal(port_tx(p, 0, pkts, 4), 4);
	for (int i = 0; i < 4; i++) {
		ssize_t len = i == 0 ? 5000 : 1000;

		assert_int_equal(peer_receive(fd, got, sizeof(got)), len);
		assert_memory_equal(got, frame, (size_t)len);
	}
	assert_int_equal(rte_mbuf_refcnt_read(shared), 1);
	rte_pktmbuf_free(shared);
	close(fd);
	p->ops->close(p);
	assert_all_returned(other);
	assert_all_returned(pool);
	rte_mempool_free(other);
}

static void frame_that_cannot_be_sent_is_counted(void **)
{
	struct port *p = port_open(AFXDP_GENERIC);
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct port_stats stats;

	assert_non_null(rte_pktmbuf_append(m, 10));
	assert_int_equal(port_tx(p, 0, &m, 1), 1);
	p->ops->stats(p, &stats);
	assert_int_equal(stats.tx_errors, 1);
	p->ops->close(p);
	assert_all_returned(pool);
}

static void frames_go_from_port_to_port_without_a_copy(void **)
{
	struct port *p[2];
	uint8_t frame[FRAME_MAX], got[FRAME_MAX];
	struct rte_mbuf *pkts[BURST];
	int in, out;

	peer_sh("ip link add afxdp2 mtu 9000 type veth peer name afxdp3 mtu 9000 && "
		"ip link set afxdp2 up && ip link set afxdp3 up");
	p[0] = port_on("afxdp0", pool, AFXDP_GENERIC, 0);
	p[1] = port_on("afxdp2", pool, AFXDP_GENERIC, 0);
	in = peer_open("afxdp1");
	out = peer_open("afxdp3");
	for (int round = 0; round < 50; round++) { // more frames than the pool has buffers
		for (uint8_t i = 0; i < BURST; i++) {
			peer_frame(frame, 9000, i);
			peer_send(in, frame, 9000);
			assert_int_equal(receive(p[0], pkts, 1), 1);
			assert_int_equal(port_tx(p[1], 0, pkts, 1), 1);
			assert_int_equal(peer_receive(out, got, sizeof(got)), 9000);
			assert_memory_equal(got, frame, 9000);
		}
	}
	close(in);
	close(out);
	p[0]->ops->close(p[0]);
	p[1]->ops->close(p[1]);
	assert_all_returned(pool);
	peer_sh("ip link del afxdp2");
}

static void port_outlives_its_device_and_others_do_not_notice(void **)
{
	uint8_t frame[FRAME_MAX];
	struct rte_mbuf *pkts[BURST], *m;
	struct port *p, *other;
	struct pollfd fd;
	int peer;

	peer_frame(frame, 100, 1);
	p = port_open(AFXDP_GENERIC); // the first port: the UMEM must not go with its device
	assert_true(p->ops->link_up(p));
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
	assert_true(p->ops->link_up(p));
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

// What the program does when it is started as "test_afxdp leave MODE".
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
			execl("/proc/self/exe", "test_afxdp", "leave", mode == 0 ? "0" : "1", NULL);
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
	for (int i = 0; i < N_PORTS; i++)
		p[i]->ops->close(p[i]);
	closed = milliseconds();
	print_message("%d ports over 32768 buffers: opened in %lu ms, closed in %lu ms, "
		      "%ld kB each\n",
		N_PORTS, opened - start, closed - opened, (before - after) / N_PORTS);
	assert_all_returned(large);
	rte_mempool_free(large);
	peer_sh("for i in $(seq %d); do echo link del afxdpm$i; done | ip -b -", N_PORTS);
}

int main(int argc, char **argv)
{
	char *eal[] = {argv[0], (char[]){"--no-huge"}, (char[]){"--no-shconf"},
		(char[]){"--no-pci"}, (char[]){"-m"}, (char[]){"64"}, (char[]){"--no-telemetry"},
		(char[]){"--file-prefix=afxdp-test"}, (char[]){"--log-level=3"}, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pool_is_one_dense_range),
		cmocka_unit_test(pool_that_is_too_large_is_refused),
		cmocka_unit_test_setup_teardown(frames_arrive_in_generic_mode, veth_add, veth_del),
		cmocka_unit_test_setup_teardown(frames_arrive_in_native_mode, veth_add, veth_del),
		cmocka_unit_test_setup_teardown(
			burst_of_64_is_sent_at_once_and_in_order, veth_add, veth_del),
		cmocka_unit_test_setup_teardown(
			jumbo_frames_are_chains_both_ways, veth_add, veth_del),
		cmocka_unit_test_setup_teardown(
			vlan_tag_stays_in_the_frame_both_ways, veth_add, veth_del),
		cmocka_unit_test_setup_teardown(
			foreign_shared_and_indirect_buffers_are_sent_as_copies, veth_add, veth_del),
		cmocka_unit_test_setup_teardown(
			frame_that_cannot_be_sent_is_counted, veth_add, veth_del),
		cmocka_unit_test_setup_teardown(
			frames_go_from_port_to_port_without_a_copy, veth_add, veth_del),
		cmocka_unit_test_setup_teardown(
			port_outlives_its_device_and_others_do_not_notice, veth_add, veth_del),
		cmocka_unit_test_setup_teardown(
			device_that_was_down_sends_again_once_it_is_up, veth_add, veth_del),
		cmocka_unit_test_setup_teardown(
			empty_pool_is_counted_and_recovered_from, veth_add, veth_del),
		cmocka_unit_test_setup_teardown(
			port_opens_over_what_a_killed_process_left, veth_add, veth_del),
		cmocka_unit_test(impossible_configuration_is_refused_with_its_reason),
		cmocka_unit_test(three_hundred_ports_open_and_close),
	};

	bool leave = argc == 3; // in the namespace of the test that started it

	if (!leave && unshare(CLONE_NEWNET) < 0) {
		perror("cannot create a network namespace (this test needs root)");
		return 1;
	}
	// The kernel's own neighbour discovery would mix with the test's frames.
	peer_sh("sysctl -qw net.ipv6.conf.default.disable_ipv6=1");
	if (rte_eal_init((int)(sizeof(eal) / sizeof(eal[0])) - 1, eal) < 0)
		return 1;
	pool = pool_new("afxdp_test", POOL_SIZE, PRIV_SIZE, SOCKET_ID_ANY);
	if (pool == NULL)
		return 1;
	if (leave)
		return leave_program(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
