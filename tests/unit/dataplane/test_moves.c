// Queues that change from one worker to another, by hand and by their load, while frames pass: none is
// lost, none overtakes another. Also run under ThreadSanitizer.
#include "tests/unit/dataplane/eal.h"
#include "tests/unit/dataplane/rings.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <rte_cycles.h>

#include <cmocka.h>

#define SENDING_US 20
#define LAG 400 // frames under way
#define INTERVAL_MS 20
#define LOADED 50 // per thousand: enough to tell whether queues' loads are a worker's
#define PAUSE_US 500000 // until a worker rests, where that matters

static uint16_t worker_of(uint16_t at)
{
	struct queue_info info;

	assert_int_equal(dataplane_queue_info(dp, at, 0, &info), 0);
	return info.worker;
}

static uint16_t moves_of(uint16_t at)
{
	struct queue_info info;

	assert_int_equal(dataplane_queue_info(dp, at, 0, &info), 0);
	return info.n_moves;
}

// Moves the queue and waits until it has arrived.
static void move(uint16_t at, uint16_t to)
{
	uint64_t n = worker(to).n_queues + (worker_of(at) != to);
	time_t end = deadline();

	assert_int_equal(dataplane_move_queue(dp, at, 0, to), 0);
	while (worker(to).n_queues < n)
		work(end);
	assert_int_equal(worker_of(at), to);
}

// ── By hand ────────────────────────────────────────────────────────────────────────────────────

static void frames_keep_their_order_and_none_is_lost_while_their_queue_moves(void **)
{
	const uint32_t n = 60000;
	struct port *a = new_ring(RING), *b = new_ring(RING);
	uint16_t at_a = publish(a, VPORT_POD), at_b = publish(b, VPORT_POD);
	unsigned moves = 0;

	for (uint32_t i = 0; i < n; i++) {
		feed(a, frame(at_b, 0, i));
		if (i >= LAG)
			assert_int_equal(next(b), i - LAG);
		if (i % 64 != 0)
			continue;
		int ret = dataplane_move_queue(dp, at_a, 0, (uint16_t)(1 - worker_of(at_a)));
		assert_true(ret == 0 || ret == -EBUSY);
		moves += ret == 0;
		dataplane_poll(dp, no_punt, NULL);
	}
	for (uint32_t i = n - LAG; i < n; i++)
		assert_int_equal(next(b), i);
	assert_true(moves >= 10);
	assert_int_equal(moves_of(at_a), moves);
	assert_int_equal(counters(at_a).rx_packets, n);
	assert_int_equal(counters(at_b).tx_packets, n);
	for (unsigned why = 0; why < DROP_REASON_COUNT; why++)
		assert_int_equal(counters(at_a).drops[why], 0);
	assert_true(worker(0).packets > 0);
	assert_true(worker(1).packets > 0);
}

static void queue_that_moves_while_its_worker_sleeps_is_heard_by_the_other(void **)
{
	struct port *a = new_ring(RING), *b = new_ring(RING);
	uint16_t at_a = publish(a, VPORT_POD), at_b = publish(b, VPORT_POD);

	for (uint32_t i = 0; i < 200; i++) {
		(void)usleep(i % 4 * 200); // it rests after 100
		uint16_t to = (uint16_t)(1 - worker_of(at_a));
		move(at_a, to);
		uint64_t before = worker(to).packets;
		(void)usleep(i / 4 % 4 * 200);
		feed(a, frame(at_b, 0, i));
		assert_int_equal(next(b), i);
		time_t end = deadline();
		while (worker(to).packets == before) // it counts at the end of its round
			work(end);
	}
}

// Its former worker wanted to be woken; the new one polls it, so a feed need not be a system call.
static void queue_that_moves_does_not_go_on_to_wake(void **)
{
	const struct dataplane_conf conf = {
		.n_workers = 2, .n_buffers = 4096, .n_routes = 64, .idle_pause_us = PAUSE_US};
	struct rte_mbuf *m;

	assert_int_equal(dataplane_open(&conf, &dp), 0);
	struct port *a = new_ring(RING), *b = new_ring(RING);
	uint16_t at_a = publish(a, VPORT_POD), at_b = publish(b, VPORT_POD);
	struct pollfd fd = {.fd = a->ops->rx_fd(a, 0), .events = POLLIN};
	uint64_t before = worker(worker_of(at_a)).sleeps;
	time_t end = deadline();
	while (worker(worker_of(at_a)).sleeps == before)
		work(end);
	move(at_a, (uint16_t)(1 - worker_of(at_a)));
	m = frame(at_b, 0, 0);
	assert_int_equal(ring_feed(a, &m, 1), 1);
	assert_int_equal(next(b), 0);
	assert_int_equal(poll(&fd, 1, 0), 0);
}

static void port_whose_queue_is_on_its_way_can_be_removed(void **)
{
	for (uint32_t i = 0; i < 200; i++) {
		uint16_t at = publish(new_ring(64), VPORT_POD);
		unsigned closed = 0;
		assert_int_equal(dataplane_move_queue(dp, at, 0, (uint16_t)(1 - worker_of(at))), 0);
		if (i % 2 == 0)
			dataplane_poll(dp, no_punt, NULL);
		dataplane_del_port(dp, at, retired, &closed);
		time_t end = deadline();
		while (closed == 0)
			work(end);
	}
	assert_int_equal(worker(0).n_queues + worker(1).n_queues, 1); // the control thread's own
	struct pollfd fd = {.fd = dataplane_punt_fd(dp), .events = POLLIN};
	dataplane_poll(dp, no_punt, NULL);
	assert_int_equal(poll(&fd, 1, 0), 0); // no move is waited for
}

static void queue_counts_on_at_its_new_place(void **)
{
	struct port *a = new_ring(RING), *b = new_ring(RING);
	uint16_t at_a = publish(a, VPORT_POD), at_b = publish(b, VPORT_POD);
	struct queue_info info;

	for (uint32_t i = 0; i < 100; i++) {
		feed(a, frame(at_b, 0, i));
		assert_int_equal(next(b), i);
		// The burst is counted after it was sent.
		time_t end = deadline();
		do {
			work(end);
			assert_int_equal(dataplane_queue_info(dp, at_a, 0, &info), 0);
		} while (info.counters.packets < i + 1);
		assert_int_equal(info.counters.packets, i + 1);
		assert_true(info.counters.cycles > 0);
		move(at_a, (uint16_t)(1 - worker_of(at_a)));
	}
	remove_port(at_a);
	uint16_t at = publish(new_ring(64), VPORT_POD);
	assert_int_equal(dataplane_queue_info(dp, at, 0, &info), 0);
	assert_int_equal(info.counters.packets, 0);
	assert_int_equal(info.counters.cycles, 0);
	assert_int_equal(info.n_moves, 0);
}

static void what_cannot_be_moved_is_refused(void **)
{
	uint16_t at = publish(new_ring(64), VPORT_POD);

	assert_int_equal(dataplane_move_queue(dp, at, 1, 0), -ENOENT);
	assert_int_equal(dataplane_move_queue(dp, at, 0, 2), -ENOENT);
	assert_int_equal(dataplane_move_queue(dp, (uint16_t)(at + 1), 0, 0), -ENOENT);
	assert_int_equal(dataplane_move_queue(dp, VPORT_MAX - 1, 0, 1), -EPERM);
	assert_int_equal(dataplane_move_queue(dp, at, 0, worker_of(at)), 0);
	assert_int_equal(moves_of(at), 0);
	assert_int_equal(dataplane_move_queue(dp, at, 0, (uint16_t)(1 - worker_of(at))), 0);
	assert_int_equal(dataplane_move_queue(dp, at, 0, 0), -EBUSY);
}

// ── By load ────────────────────────────────────────────────────────────────────────────────────

static struct queue_move last_move;
static unsigned n_told;

static void told(const struct queue_move *m, void *)
{
	last_move = *m;
	n_told++;
}

static void open_rebalancing(unsigned percent, unsigned gain, unsigned n_intervals)
{
	const struct dataplane_conf conf = {
		.n_workers = 2,
		.n_buffers = 16384,
		.n_routes = 1024,
		.rebalance = {.interval_ms = INTERVAL_MS,
			.load = percent,
			.gain = gain,
			.n_intervals = n_intervals,
			.moved = told},
	};
	n_told = 0;
	assert_int_equal(dataplane_open(&conf, &dp), 0);
}

// Sends some frames by each of n ports.
static void load(struct port *const *in, uint16_t out, uint32_t n, struct port *sink)
{
	for (uint32_t i = 0; i < n * 100; i++)
		feed(in[i % n], frame(out, 0, i));
	for (uint32_t i = 0; i < n * 100; i++)
		(void)next(sink);
	dataplane_poll(dp, no_punt, NULL);
}

static void queues_of_a_busy_worker_move_to_the_other_one(void **)
{
	open_rebalancing(1, 25, 2);
	struct port *in[] = {new_ring(RING), new_ring(RING)}, *out = new_ring(RING);
	uint16_t at[] = {publish(in[0], VPORT_POD), publish(in[1], VPORT_POD)};
	uint16_t at_out = publish(out, VPORT_POD);
	time_t end = deadline();

	move(at[0], 0);
	move(at[1], 0);
	while (n_told == 0) {
		load(in, at_out, 2, out);
		assert_true(time(NULL) < end);
	}
	assert_true(last_move.port == at[0] || last_move.port == at[1]);
	assert_int_equal(last_move.queue, 0);
	assert_int_equal(last_move.from, 0);
	assert_int_equal(last_move.to, 1);
	while (worker_of(at[0]) == worker_of(at[1])) // it is on its way
		work(end);
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// Loads the ports for some intervals, which must not move anything.
static void load_in_vain(struct port *const *in, uint32_t n)
{
	struct port *out = new_ring(RING);
	uint16_t at_out = publish(out, VPORT_POD);
	int64_t start = now_ms();

	do {
		load(in, at_out, n, out);
	} while (now_ms() - start < 10 * INTERVAL_MS);
	assert_int_equal(n_told, 0);
}

// Two busy ports at one worker.
static void load_one_worker_in_vain(void)
{
	struct port *in[] = {new_ring(RING), new_ring(RING)};

	move(publish(in[0], VPORT_POD), 0);
	move(publish(in[1], VPORT_POD), 0);
	load_in_vain(in, 2);
}

static void below_the_load_nothing_moves(void **)
{
	open_rebalancing(1000, 25, 1); // percent, which no worker has
	load_one_worker_in_vain();
}

static void below_the_gain_nothing_moves(void **)
{
	open_rebalancing(1, 101, 1); // percent, which no placement brings
	load_one_worker_in_vain();
}

static void what_is_not_so_for_long_moves_nothing(void **)
{
	open_rebalancing(1, 25, 1000);
	load_one_worker_in_vain();
}

static unsigned load_of(uint16_t at)
{
	struct queue_info info;

	assert_int_equal(dataplane_queue_info(dp, at, 0, &info), 0);
	return info.load;
}

// Loads the ports at least until the interval that is under way has ended.
static void load_to_an_end(struct port *const *in, uint16_t out, uint32_t n, struct port *sink)
{
	int64_t start = now_ms();

	while (now_ms() - start <= INTERVAL_MS)
		load(in, out, n, sink);
	load(in, out, n, sink);
}

static void load_is_that_of_the_last_interval(void **)
{
	open_rebalancing(1000, 25, 1);
	struct port *in[] = {new_ring(RING), new_ring(RING)}, *out = new_ring(RING);
	uint16_t at[] = {publish(in[0], VPORT_POD), publish(in[1], VPORT_POD)};
	uint16_t at_out = publish(out, VPORT_POD);

	move(at[0], 0);
	move(at[1], 0);
	for (int i = 0; i < 5; i++)
		load_to_an_end(&in[0], at_out, 1, out);
	load_to_an_end(&in[1], at_out, 1, out); // of an interval of which both may have a part
	time_t end = deadline();
	do {
		load_to_an_end(&in[1], at_out, 1, out);
		assert_int_equal(load_of(at[0]), 0);
		assert_true(time(NULL) < end);
	} while (load_of(at[1]) == 0);
	while (load_of(at[1]) != 0 || worker(0).load != 0) // all is silent
		work(end);
}

static const struct port_ops *ring_ops;

static uint16_t slow_tx(struct port *p, uint16_t by, struct rte_mbuf **pkts, uint16_t n)
{
	rte_delay_us_block(SENDING_US);
	return ring_ops->tx(p, by, pkts, n);
}

// The sending too, which a worker does for all its queues at once.
static void loads_of_a_worker_s_queues_add_up_to_its_own(void **)
{
	open_rebalancing(1000, 25, 1);
	struct port *in[] = {new_ring(RING), new_ring(RING)}, *out = new_ring(RING);
	static struct port_ops slow;
	ring_ops = out->ops;
	slow = *ring_ops;
	slow.tx = slow_tx;
	out->ops = &slow;
	uint16_t at[] = {publish(in[0], VPORT_POD), publish(in[1], VPORT_POD)};
	uint16_t at_out = publish(out, VPORT_POD);
	time_t end = deadline();

	move(at[0], 0);
	move(at[1], 0);
	do { // what is small is rounded away
		load_to_an_end(in, at_out, 2, out);
		assert_true(time(NULL) < end);
	} while (worker(0).load < LOADED);
	unsigned sum = load_of(at[0]) + load_of(at[1]), own = worker(0).load;
	assert_in_range(own, sum, sum + 2); // each is rounded down
}

static void load_of_a_single_queue_is_not_moved_about(void **)
{
	open_rebalancing(1, 25, 1);
	struct port *in[] = {new_ring(RING)};
	(void)publish(in[0], VPORT_POD);
	load_in_vain(in, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST_OWN(f) cmocka_unit_test_teardown(f, teardown)

int main(void)
{
	eal_start("dp-moves", "0@(0-1),1@(0-1),2@(0-1)");
	const struct CMUnitTest tests[] = {
		TEST(frames_keep_their_order_and_none_is_lost_while_their_queue_moves),
		TEST(queue_that_moves_while_its_worker_sleeps_is_heard_by_the_other),
		TEST_OWN(queue_that_moves_does_not_go_on_to_wake),
		TEST(port_whose_queue_is_on_its_way_can_be_removed),
		TEST(queue_counts_on_at_its_new_place),
		TEST(what_cannot_be_moved_is_refused),
		TEST_OWN(queues_of_a_busy_worker_move_to_the_other_one),
		TEST_OWN(below_the_load_nothing_moves),
		TEST_OWN(below_the_gain_nothing_moves),
		TEST_OWN(what_is_not_so_for_long_moves_nothing),
		TEST_OWN(load_is_that_of_the_last_interval),
		TEST_OWN(loads_of_a_worker_s_queues_add_up_to_its_own),
		TEST_OWN(load_of_a_single_queue_is_not_moved_about),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
