// The workers beside their ports: the messages between them and the control thread, and how they fall
// asleep and wake.
#include "tests/unit/dataplane/eal.h"
#include "tests/unit/dataplane/rings.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define N_PUNTS 3000 // more than the ring holds

static int setup_busy(void **)
{
	return open_with(1, true);
}

static void wait_for_sleep(uint16_t i)
{
	uint64_t before = worker(i).sleeps;
	time_t end = deadline();
	while (worker(i).sleeps == before)
		work(end);
}

// ── Messages ───────────────────────────────────────────────────────────────────────────────────

struct heard {
	uint32_t n;
	uint32_t last;
};

static void hear(const struct punt *p, void *arg)
{
	struct heard *h = arg;
	assert_int_equal(p->kind, PUNT_NEIGHBOUR_SEEN);
	h->n++;
	h->last = p->subnet;
}

static void punt_makes_the_descriptor_readable_and_arrives(void **)
{
	struct port *a = new_ring(RING);
	struct pollfd fd = {.fd = dataplane_punt_fd(dp), .events = POLLIN};

	(void)publish(a, VPORT_POD);
	for (uint32_t i = 1; i <= 20; i++) {
		struct heard heard = {0};
		struct rte_mbuf *m = frame(0, ORDER_PUNT | ORDER_DROP, i);
		assert_int_equal(ring_feed(a, &m, 1), 1);
		assert_int_equal(poll(&fd, 1, PATIENCE_S * 1000), 1);
		dataplane_poll(dp, hear, &heard);
		assert_int_equal(heard.n, 1);
		assert_int_equal(heard.last, i);
		assert_int_equal(poll(&fd, 1, 0), 0);
	}
}

static void punts_beyond_the_room_for_them_are_counted_and_forgotten(void **)
{
	struct port *a = new_ring(RING);
	uint16_t at_a = publish(a, VPORT_POD);
	struct heard heard = {0};

	for (uint32_t sent = 0; sent < N_PUNTS;) {
		struct rte_mbuf *m = frame(0, ORDER_PUNT | ORDER_DROP, sent);
		while (ring_feed(a, &m, 1) == 0)
			(void)usleep(100);
		sent++;
	}
	time_t end = deadline();
	while (counters(at_a).drops[DROP_NO_ROUTE] < N_PUNTS)
		assert_true(time(NULL) < end);
	(void)usleep(1000); // punts are put in right after drops are counted
	for (int i = 0; i < 10; i++)
		dataplane_poll(dp, hear, &heard);
	assert_true(heard.n > 0 && heard.n < N_PUNTS);
	assert_int_equal(heard.n + worker(0).punts_lost + worker(1).punts_lost, N_PUNTS);
}

static void control_sends_frames_out_of_the_uplink(void **)
{
	struct port *uplink = new_ring(RING);
	struct node node = {.uplink = publish(uplink, VPORT_UPLINK), .host = VPORT_NONE};
	char data[FRAME_LEN] = {0};

	assert_int_equal(tables_set_node(dataplane_tables(dp), &node), 0);
	for (uint32_t i = 0; i < 10; i++) {
		memcpy(data, &(struct order){.seq = i}, sizeof(struct order));
		dataplane_send(dp, data, sizeof(data));
		assert_int_equal(next(uplink), i);
	}
	assert_int_equal(counters(node.uplink).tx_packets, 10);
}

// ── Idling ─────────────────────────────────────────────────────────────────────────────────────

// The only worker sleeps before each of n frames through the port.
static void each_frame_wakes(struct port *p, uint16_t at, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		wait_for_sleep(0);
		feed(p, frame(at, 0, i));
		assert_int_equal(next(p), i);
	}
}

static void sleeping_worker_wakes_for_a_frame_and_for_a_new_port(void **)
{
	struct port *a = new_ring(RING);
	uint16_t at_a = publish(a, VPORT_POD);

	each_frame_wakes(a, at_a, 20);
	for (uint32_t i = 0; i < 20; i++) {
		wait_for_sleep(0);
		struct port *b = new_ring(RING);
		uint16_t at_b = publish(b, VPORT_POD);
		feed(b, frame(at_b, 0, i));
		assert_int_equal(next(b), i);
		remove_port(at_b);
	}
}

static void busy_worker_never_sleeps(void **)
{
	struct port *a = new_ring(RING);
	uint16_t at_a = publish(a, VPORT_POD);
	uint64_t before = worker(0).rounds;
	time_t end = deadline();

	while (worker(0).rounds < before + 1000000)
		work(end);
	assert_int_equal(worker(0).sleeps, 0);
	feed(a, frame(at_a, 0, 1));
	assert_int_equal(next(a), 1);
}

static int no_fd(struct port *, uint16_t)
{
	return -1;
}

static int broken_fd = -1;

static int error_fd(struct port *, uint16_t)
{
	return broken_fd;
}

// A ring port with another descriptor.
static struct port *odd_ring(int (*rx_fd)(struct port *p, uint16_t q))
{
	static struct port_ops ops;
	struct port *p = new_ring(RING);

	ops = *p->ops;
	ops.rx_fd = rx_fd;
	p->ops = &ops;
	return p;
}

static void port_without_a_descriptor_is_polled_between_naps(void **)
{
	struct port *a = odd_ring(no_fd);
	uint16_t at_a = publish(a, VPORT_POD);

	each_frame_wakes(a, at_a, 20);
}

static void descriptor_in_error_neither_stops_its_port_nor_keeps_the_worker_awake(void **)
{
	int pipe_fds[2];
	assert_int_equal(pipe(pipe_fds), 0);
	broken_fd = pipe_fds[0];
	(void)close(pipe_fds[1]); // from now on the other end reports EPOLLHUP

	struct port *a = odd_ring(error_fd);
	uint16_t at_a = publish(a, VPORT_POD);
	each_frame_wakes(a, at_a, 50);
	remove_port(at_a);
	(void)close(pipe_fds[0]);
}

// Feeds what comes out of the port to it again, so that its worker always has something to do.
static void circulate(struct port *p)
{
	struct rte_mbuf *pkts[BURST_MAX];
	uint16_t n = ring_drain(p, pkts, BURST_MAX);
	assert_int_equal(ring_feed(p, pkts, n), n);
}

static void silent_ports_among_busy_ones_are_heard_when_they_speak(void **)
{
	struct rte_mbuf *m;
	struct port *a = new_ring(RING), *silent[N_PORTS];
	uint16_t at_a = publish(a, VPORT_POD), at[N_PORTS];

	for (uint32_t i = 0; i < N_PORTS; i++) {
		silent[i] = new_ring(64);
		at[i] = publish(silent[i], VPORT_POD);
	}
	wait_for_sleep(0);
	for (uint32_t k = 0; k < 32; k++)
		feed(a, frame(at_a, 0, k));
	for (uint32_t i = 0; i < N_PORTS; i++) {
		feed(silent[i], frame(at[i], 0, i));
		for (time_t end = deadline(); ring_drain(silent[i], &m, 1) == 0;) {
			circulate(a);
			assert_true(time(NULL) < end);
		}
		assert_int_equal(rte_pktmbuf_mtod(m, const struct order *)->seq, i);
		rte_pktmbuf_free(m);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST1(f) cmocka_unit_test_setup_teardown(f, setup_one_worker, teardown)

int main(void)
{
	eal_start("dp-workers", "0@(0-1),1@(0-1),2@(0-1)");
	const struct CMUnitTest tests[] = {
		TEST(punt_makes_the_descriptor_readable_and_arrives),
		TEST(punts_beyond_the_room_for_them_are_counted_and_forgotten),
		TEST(control_sends_frames_out_of_the_uplink),
		TEST1(sleeping_worker_wakes_for_a_frame_and_for_a_new_port),
		cmocka_unit_test_setup_teardown(busy_worker_never_sleeps, setup_busy, teardown),
		TEST1(port_without_a_descriptor_is_polled_between_naps),
		TEST1(descriptor_in_error_neither_stops_its_port_nor_keeps_the_worker_awake),
		TEST1(silent_ports_among_busy_ones_are_heard_when_they_speak),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
