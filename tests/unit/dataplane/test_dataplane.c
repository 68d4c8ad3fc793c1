// The data plane with ring ports: what goes in must come out, or be counted, while ports come and
// go and workers fall asleep. A pipeline of one stage stands in for the real ones: a frame says
// itself where it goes.
#include "pmd/ring.h"
#include "tests/unit/dataplane/eal.h"
#include "vswitch/dataplane.h"
#include "vswitch/pipeline.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define RING 1024
#define N_PORTS 100 // more than a worker has boxes for
#define N_PUNTS 3000 // more than the ring holds
#define FRAME_LEN 60
#define PATIENCE_S 20 // how long a test waits for what must happen; never reached when all is well

// ── The pipeline ───────────────────────────────────────────────────────────────────────────────

#define ORDER_DROP 0x01
#define ORDER_PUNT 0x02

// What a frame begins with.
struct order {
	uint16_t out;
	uint16_t flags;
	uint32_t seq;
};

static void obey(struct burst *b)
{
	uint16_t live = 0;

	for (uint16_t i = 0; i < b->n; i++) {
		const struct order *o = rte_pktmbuf_mtod(b->pkt[i], const struct order *);
		if ((o->flags & ORDER_PUNT) != 0) {
			struct punt *p = burst_punt(b);
			*p = (struct punt){.kind = PUNT_NEIGHBOUR_SEEN, .subnet = o->seq};
		}
		if ((o->flags & ORDER_DROP) != 0) {
			burst_drop(b, b->pkt[i], DROP_NO_ROUTE);
			continue;
		}
		pkt(b->pkt[i])->out = b->in->kind == VPORT_CONTROL ? b->node->uplink : o->out;
		b->pkt[live++] = b->pkt[i];
	}
	b->n = live;
}

const struct pipeline *pipeline_of(enum vport_kind)
{
	static const struct stage stages[] = {{"obey", obey}};
	static const struct pipeline p = {"test", stages, 1};
	return &p;
}

void pipeline_run(const struct pipeline *p, struct burst *b)
{
	for (size_t i = 0; i < p->n_stages; i++)
		p->stages[i].run(b);
}

// ── Helpers ────────────────────────────────────────────────────────────────────────────────────

static struct dataplane *dp;

static int open_with(uint16_t n_workers, bool busy)
{
	const struct dataplane_conf conf = {
		.n_workers = n_workers,
		.busy = busy,
		.n_buffers = 16384,
		.n_routes = 1024,
	};
	return dataplane_open(&conf, &dp);
}

static int setup(void **)
{
	return open_with(2, false);
}

static int setup_one_worker(void **)
{
	return open_with(1, false);
}

static int setup_busy(void **)
{
	return open_with(1, true);
}

static int teardown(void **)
{
	dataplane_close(dp);
	return 0;
}

static void no_punt(const struct punt *, void *)
{
}

// Does control's work for a moment. Fails the test when there has been no success for too long.
static void work(time_t deadline)
{
	dataplane_poll(dp, no_punt, NULL);
	assert_true(time(NULL) < deadline);
	(void)usleep(100);
}

static time_t deadline(void)
{
	return time(NULL) + PATIENCE_S;
}

static uint16_t publish(struct port *dev, enum vport_kind kind)
{
	struct vport vport = {.dev = dev, .kind = kind, .index = VPORT_NONE};

	assert_non_null(dev);
	assert_int_equal(dataplane_add_port(dp, &vport), 0);
	assert_int_not_equal(vport.index, VPORT_NONE);
	return vport.index;
}

static struct port *new_ring(uint16_t size)
{
	return ring_open("ring", dataplane_pool(dp), size, true);
}

static struct rte_mbuf *frame(uint16_t out, uint16_t flags, uint32_t seq)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(dataplane_pool(dp));
	assert_non_null(m);
	struct order *o = (struct order *)rte_pktmbuf_append(m, FRAME_LEN);
	if (o == NULL)
		abort();
	memset(o, 0, FRAME_LEN);
	*o = (struct order){.out = out, .flags = flags, .seq = seq};
	return m;
}

static void feed(struct port *p, struct rte_mbuf *m)
{
	time_t end = deadline();
	while (ring_feed(p, &m, 1) == 0)
		work(end);
}

// The sequence number of the next frame that comes out of p.
static uint32_t next(struct port *p)
{
	struct rte_mbuf *m;
	time_t end = deadline();

	while (ring_drain(p, &m, 1) == 0)
		work(end);
	uint32_t seq = rte_pktmbuf_mtod(m, const struct order *)->seq;
	assert_int_equal(m->pkt_len, FRAME_LEN);
	rte_pktmbuf_free(m);
	return seq;
}

static struct port_counters counters(uint16_t index)
{
	struct port_counters c;
	dataplane_port_counters(dp, index, &c);
	return c;
}

static void wait_until_received(uint16_t index, uint64_t n)
{
	time_t end = deadline();
	while (counters(index).rx_packets < n)
		work(end);
}

static void wait_until_dropped(uint16_t index, enum drop_reason why, uint64_t n)
{
	time_t end = deadline();
	while (counters(index).drops[why] < n)
		work(end);
}

static void flag(void *arg)
{
	(*(unsigned *)arg)++;
}

static void remove_port(uint16_t index)
{
	unsigned closed = 0;
	time_t end = deadline();

	dataplane_del_port(dp, index, flag, &closed);
	while (closed == 0)
		work(end);
	assert_int_equal(closed, 1);
}

static struct worker_counters worker(uint16_t i)
{
	struct worker_counters c;
	dataplane_worker_counters(dp, i, &c);
	return c;
}

static void wait_for_sleep(uint16_t i)
{
	uint64_t before = worker(i).sleeps;
	time_t end = deadline();
	while (worker(i).sleeps == before)
		work(end);
}

// ── Forwarding ─────────────────────────────────────────────────────────────────────────────────

static void frames_leave_by_the_port_their_pipeline_chose_and_in_order(void **)
{
	struct port *a = new_ring(RING), *b = new_ring(RING);
	uint16_t at_a = publish(a, VPORT_POD), at_b = publish(b, VPORT_POD);

	for (uint32_t i = 0; i < 5000; i++) {
		feed(a, frame(at_b, 0, i));
		feed(b, frame(at_a, 0, i));
		if (i >= 500) {
			assert_int_equal(next(b), i - 500);
			assert_int_equal(next(a), i - 500);
		}
	}
	for (uint32_t i = 4500; i < 5000; i++) {
		assert_int_equal(next(b), i);
		assert_int_equal(next(a), i);
	}
}

static void counters_of_both_ports_add_up(void **)
{
	struct port *a = new_ring(RING), *b = new_ring(RING);
	uint16_t at_a = publish(a, VPORT_POD), at_b = publish(b, VPORT_POD);

	for (uint32_t i = 0; i < 300; i++)
		feed(a, frame(at_b, i % 3 == 0 ? ORDER_DROP : 0, i));
	for (uint32_t i = 0; i < 200; i++)
		(void)next(b);
	wait_until_dropped(at_a, DROP_NO_ROUTE, 100);
	assert_int_equal(counters(at_a).rx_packets, 300);
	assert_int_equal(counters(at_a).rx_bytes, 300 * FRAME_LEN);
	assert_int_equal(counters(at_a).drops[DROP_NO_ROUTE], 100);
	assert_int_equal(counters(at_a).tx_packets, 0);
	assert_int_equal(counters(at_b).tx_packets, 200);
	assert_int_equal(counters(at_b).tx_bytes, 200 * FRAME_LEN);
	assert_int_equal(counters(at_b).rx_packets, 0);
	assert_int_equal(counters(at_b).drops[DROP_NO_ROUTE], 0);
	assert_int_equal(rte_mempool_in_use_count(dataplane_pool(dp)), 0);
}

static void what_a_full_port_does_not_take_is_counted_where_it_came_in(void **)
{
	struct port *a = new_ring(RING), *b = new_ring(64);
	uint16_t at_a = publish(a, VPORT_POD), at_b = publish(b, VPORT_POD);

	for (uint32_t i = 0; i < 200; i++)
		feed(a, frame(at_b, 0, i));
	wait_until_dropped(at_a, DROP_TX_FULL, 136);
	assert_int_equal(counters(at_a).drops[DROP_TX_FULL], 136);
	assert_int_equal(counters(at_b).tx_packets, 64);
	assert_int_equal(counters(at_b).tx_bytes, 64 * FRAME_LEN);
	assert_int_equal(counters(at_b).drops[DROP_TX_FULL], 0);
	for (uint32_t i = 0; i < 64; i++)
		assert_int_equal(next(b), i);
}

static void frame_for_a_port_that_is_gone_is_counted_as_port_down(void **)
{
	struct port *a = new_ring(RING);
	uint16_t at_a = publish(a, VPORT_POD), at_b = publish(new_ring(RING), VPORT_POD);

	remove_port(at_b);
	feed(a, frame(at_b, 0, 0));
	feed(a, frame(VPORT_NONE, 0, 0));
	wait_until_dropped(at_a, DROP_PORT_DOWN, 2);
}

static void more_destinations_than_boxes_in_one_round_all_get_their_frame(void **)
{
	struct port *a = new_ring(RING), *b = new_ring(RING), *out[N_PORTS];
	uint16_t at[N_PORTS];

	(void)publish(a, VPORT_POD);
	(void)publish(b, VPORT_POD);
	for (uint32_t i = 0; i < N_PORTS; i++) {
		out[i] = new_ring(64);
		at[i] = publish(out[i], VPORT_POD);
	}
	for (uint32_t i = 0; i < N_PORTS * 4; i++)
		feed(i % 2 == 0 ? a : b, frame(at[i % N_PORTS], 0, i));
	for (uint32_t i = 0; i < N_PORTS * 4; i++)
		assert_int_equal(next(out[i % N_PORTS]), i);
}

// ── Ports ──────────────────────────────────────────────────────────────────────────────────────

static void number_that_is_used_again_counts_from_zero(void **)
{
	struct port *a = new_ring(RING);
	uint16_t at_a = publish(a, VPORT_POD);

	for (uint32_t i = 0; i < 10; i++)
		feed(a, frame(at_a, i % 2 == 0 ? ORDER_DROP : 0, i));
	wait_until_received(at_a, 10);
	remove_port(at_a);
	assert_int_equal(counters(at_a).rx_packets, 0);

	a = new_ring(RING);
	assert_int_equal(publish(a, VPORT_POD), at_a);
	assert_int_equal(counters(at_a).rx_packets, 0);
	assert_int_equal(counters(at_a).tx_packets, 0);
	assert_int_equal(counters(at_a).drops[DROP_NO_ROUTE], 0);
	feed(a, frame(at_a, 0, 77));
	assert_int_equal(next(a), 77);
	assert_int_equal(counters(at_a).rx_packets, 1);
}

// Exchanges one frame each way between a and b and checks that it is the expected one.
static void exchange(struct port *a, struct port *b, const uint16_t at[2], uint32_t seq)
{
	feed(a, frame(at[1], 0, seq));
	feed(b, frame(at[0], 0, seq));
	assert_int_equal(next(a), seq);
	assert_int_equal(next(b), seq);
}

static void thousand_ports_come_and_go_without_a_lost_frame_on_others(void **)
{
	struct port *a = new_ring(RING), *b = new_ring(RING);
	const uint16_t at[2] = {publish(a, VPORT_POD), publish(b, VPORT_POD)};
	unsigned closed = 0;

	for (uint32_t i = 0; i < 1000; i++) {
		uint16_t at_c = publish(new_ring(64), VPORT_POD);
		feed(a, frame(at[1], 0, 2 * i));
		feed(a, frame(at_c, 0, 0)); // in flight while its port goes
		dataplane_del_port(dp, at_c, flag, &closed);
		assert_int_equal(next(b), 2 * i);
		exchange(a, b, at, 2 * i + 1);
	}
	time_t end = deadline();
	while (closed < 1000)
		work(end);
	assert_int_equal(closed, 1000);
	assert_int_equal(counters(at[0]).tx_packets, 1000);
	assert_int_equal(counters(at[1]).tx_packets, 2000);
}

static void port_is_closed_only_after_the_workers_moved_on_and_only_once(void **)
{
	uint16_t at = publish(new_ring(RING), VPORT_POD);
	unsigned closed = 0;

	dataplane_del_port(dp, at, flag, &closed);
	assert_int_equal(closed, 0); // del never waits
	dataplane_del_port(dp, at, flag, &closed);
	dataplane_del_port(dp, VPORT_MAX, flag, &closed);
	time_t end = deadline();
	while (closed == 0)
		work(end);
	for (int i = 0; i < 10; i++)
		dataplane_poll(dp, no_punt, NULL);
	assert_int_equal(closed, 1);
}

static void replaced_port_keeps_its_device_and_kind(void **)
{
	struct port *a = new_ring(RING);
	uint16_t at = publish(a, VPORT_HOST);
	struct vport changed = {.index = at, .kind = VPORT_POD, .mtu = 1450};

	assert_int_equal(dataplane_set_port(dp, &changed), 0);
	const struct vport *now = dataplane_tables(dp)->vports[at];
	assert_int_equal(now->mtu, 1450);
	assert_int_equal(now->kind, VPORT_HOST);
	assert_ptr_equal(now->dev, a);
	feed(a, frame(at, 0, 5));
	assert_int_equal(next(a), 5);

	changed.index = (uint16_t)(at + 1);
	assert_int_equal(dataplane_set_port(dp, &changed), -ENOENT);
	changed.index = VPORT_MAX;
	assert_int_equal(dataplane_set_port(dp, &changed), -ENOENT);
}

static void when_all_numbers_are_taken_another_port_is_refused(void **)
{
	struct vport vport = {.kind = VPORT_POD, .index = 4711};

	for (unsigned i = 0; i < VPORT_MAX - 1; i++) // one is the control thread's own
		(void)publish(new_ring(2), VPORT_POD);
	vport.dev = new_ring(2);
	assert_int_equal(dataplane_add_port(dp, &vport), -ENOSPC);
	assert_int_equal(vport.index, 4711);
	vport.dev->ops->close(vport.dev);
	remove_port(17);
	assert_int_equal(publish(new_ring(2), VPORT_POD), 17);
}

static void queues_are_spread_over_the_workers(void **)
{
	uint64_t before = worker(0).n_queues;
	assert_int_equal(before + worker(1).n_queues, 1); // the control thread's own

	uint16_t at[8];
	for (int i = 0; i < 8; i++)
		at[i] = publish(new_ring(64), VPORT_POD);
	assert_int_equal(worker(0).n_queues, 5);
	assert_int_equal(worker(1).n_queues, 4);

	struct port *uplink = new_ring(64);
	uplink->n_rxq = 2;
	uint16_t at_uplink = publish(uplink, VPORT_UPLINK);
	assert_int_equal(worker(0).n_queues, 6);
	assert_int_equal(worker(1).n_queues, 5);

	for (int i = 0; i < 8; i++)
		remove_port(at[i]);
	remove_port(at_uplink);
	assert_int_equal(worker(0).n_queues, 1);
	assert_int_equal(worker(1).n_queues, 0);
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

static void sleeping_worker_wakes_for_a_frame_and_for_a_new_port(void **)
{
	struct port *a = new_ring(RING);
	uint16_t at_a = publish(a, VPORT_POD);

	for (uint32_t i = 0; i < 20; i++) {
		wait_for_sleep(0);
		feed(a, frame(at_a, 0, i));
		assert_int_equal(next(a), i);
	}
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

	for (uint32_t i = 0; i < 20; i++) {
		wait_for_sleep(0);
		feed(a, frame(at_a, 0, i));
		assert_int_equal(next(a), i);
	}
}

static void descriptor_in_error_neither_stops_its_port_nor_keeps_the_worker_awake(void **)
{
	int pipe_fds[2];
	assert_int_equal(pipe(pipe_fds), 0);
	broken_fd = pipe_fds[0];
	(void)close(pipe_fds[1]); // from now on the other end reports EPOLLHUP

	struct port *a = odd_ring(error_fd);
	uint16_t at_a = publish(a, VPORT_POD);
	for (uint32_t i = 0; i < 50; i++) {
		wait_for_sleep(0);
		feed(a, frame(at_a, 0, i));
		assert_int_equal(next(a), i);
	}
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

// ── Opening ────────────────────────────────────────────────────────────────────────────────────

static void more_workers_than_lcores_are_refused(void **)
{
	struct dataplane_conf conf = {.n_workers = 3, .n_buffers = 1024, .n_routes = 64};
	struct dataplane *none = NULL;

	assert_int_equal(dataplane_open(&conf, &none), -EINVAL);
	conf.n_workers = 0;
	assert_int_equal(dataplane_open(&conf, &none), -EINVAL);
	assert_null(none);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST1(f) cmocka_unit_test_setup_teardown(f, setup_one_worker, teardown)

int main(void)
{
	const struct rlimit files = {.rlim_cur = 4096, .rlim_max = 4096};
	(void)setrlimit(
		RLIMIT_NOFILE, &files); // a ring has a descriptor, and one test has 1024 rings

	eal_start("dp-dataplane", "0@(0-1),1@(0-1),2@(0-1)");
	const struct CMUnitTest tests[] = {
		TEST(frames_leave_by_the_port_their_pipeline_chose_and_in_order),
		TEST(counters_of_both_ports_add_up),
		TEST(what_a_full_port_does_not_take_is_counted_where_it_came_in),
		TEST(frame_for_a_port_that_is_gone_is_counted_as_port_down),
		TEST1(more_destinations_than_boxes_in_one_round_all_get_their_frame),
		TEST(number_that_is_used_again_counts_from_zero),
		TEST(thousand_ports_come_and_go_without_a_lost_frame_on_others),
		TEST(port_is_closed_only_after_the_workers_moved_on_and_only_once),
		TEST(replaced_port_keeps_its_device_and_kind),
		TEST(when_all_numbers_are_taken_another_port_is_refused),
		TEST(queues_are_spread_over_the_workers),
		TEST(punt_makes_the_descriptor_readable_and_arrives),
		TEST(punts_beyond_the_room_for_them_are_counted_and_forgotten),
		TEST(control_sends_frames_out_of_the_uplink),
		TEST1(sleeping_worker_wakes_for_a_frame_and_for_a_new_port),
		cmocka_unit_test_setup_teardown(busy_worker_never_sleeps, setup_busy, teardown),
		TEST1(port_without_a_descriptor_is_polled_between_naps),
		TEST1(descriptor_in_error_neither_stops_its_port_nor_keeps_the_worker_awake),
		TEST1(silent_ports_among_busy_ones_are_heard_when_they_speak),
		cmocka_unit_test(more_workers_than_lcores_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
