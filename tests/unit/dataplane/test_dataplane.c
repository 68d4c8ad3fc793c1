// The data plane with ring ports: what goes in must come out, or be counted, while ports come and
// go.
#include "tests/unit/dataplane/eal.h"
#include "tests/unit/dataplane/rings.h"
#include "vswitch/pollset.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/resource.h>

#include <cmocka.h>

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

static void bytes_for_a_port_that_is_gone_are_not_counted_as_anothers(void **)
{
	struct port *a = new_ring(RING), *c = new_ring(RING);
	uint16_t at_a = publish(a, VPORT_POD), at_b = publish(new_ring(RING), VPORT_POD);
	uint16_t at_c = publish(c, VPORT_POD);
	time_t end = deadline();

	remove_port(at_b);
	feed(a, frame(at_b, 0, 0));
	wait_until_dropped(at_a, DROP_PORT_DOWN, 1);
	feed(a, frame(at_c, 0, 1));
	assert_int_equal(next(c), 1);
	while (counters(at_c).tx_bytes == 0)
		work(end);
	assert_int_equal(counters(at_c).tx_bytes, FRAME_LEN);
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
		dataplane_del_port(dp, at_c, retired, &closed);
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

static void device_is_given_back_only_after_the_workers_moved_on_and_only_once(void **)
{
	uint16_t at = publish(new_ring(RING), VPORT_POD);
	unsigned closed = 0;

	dataplane_del_port(dp, at, retired, &closed);
	assert_int_equal(closed, 0); // del never waits
	dataplane_del_port(dp, at, retired, &closed);
	dataplane_del_port(dp, VPORT_MAX, retired, &closed);
	time_t end = deadline();
	while (closed == 0)
		work(end);
	for (int i = 0; i < 10; i++)
		dataplane_poll(dp, no_punt, NULL);
	assert_int_equal(closed, 1);
}

static void data_plane_that_closes_closes_what_it_has_not_given_back(void **)
{
	unsigned closed = 0;

	// Its grace period ends when nobody looks; a ring that nobody closed is a leak.
	dataplane_del_port(dp, publish(new_ring(RING), VPORT_POD), retired, &closed);
	dataplane_close(dp);
	assert_int_equal(closed, 0);
	assert_int_equal(setup(NULL), 0);
}

static void replaced_port_keeps_its_device_and_kind(void **)
{
	struct port *a = new_ring(RING);
	uint16_t at = publish(a, VPORT_HOST);
	struct vport changed = {.index = at, .kind = VPORT_POD, .subnet4 = 2};

	assert_int_equal(dataplane_set_port(dp, &changed), 0);
	const struct vport *now = dataplane_tables(dp)->vports[at];
	assert_int_equal(now->subnet4, 2);
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

	// A port's queues are on workers of their own, whatever these have besides.
	struct port *pod = new_ring(64);
	pod->n_rxq = 2;
	uint16_t odd = publish(new_ring(64), VPORT_POD), at_pod = publish(pod, VPORT_POD);
	struct queue_info first, second;
	assert_int_equal(dataplane_queue_info(dp, at_pod, 0, &first), 0);
	assert_int_equal(dataplane_queue_info(dp, at_pod, 1, &second), 0);
	assert_int_not_equal(first.worker, second.worker);
	remove_port(odd);
	remove_port(at_pod);

	for (int i = 0; i < 8; i++)
		remove_port(at[i]);
	remove_port(at_uplink);
	assert_int_equal(worker(0).n_queues, 1);
	assert_int_equal(worker(1).n_queues, 0);
}

// An uplink's, say, carries more than a pod's.
static void ports_of_a_kind_are_spread_whatever_there_is_besides(void **)
{
	struct queue_info first, second;
	uint16_t at = publish(new_ring(64), VPORT_HOST);

	(void)publish(new_ring(64), VPORT_POD); // one worker has fewer now, and has the first port
	assert_int_equal(dataplane_queue_info(dp, at, 0, &first), 0);
	assert_true(worker(first.worker).n_queues < worker(1 - first.worker).n_queues);
	at = publish(new_ring(64), VPORT_HOST);
	assert_int_equal(dataplane_queue_info(dp, at, 0, &second), 0);
	assert_int_not_equal(first.worker, second.worker);
}

static void queues_beyond_a_worker_s_list_are_refused(void **)
{
	struct vport vport = {.kind = VPORT_POD, .index = 4711};

	do { // the control thread's own is on the list as well
		vport.dev = new_ring(2);
		vport.dev->n_rxq = PORT_QUEUES_MAX;
	} while (dataplane_add_port(dp, &vport) == 0);
	assert_int_equal(
		worker(0).n_queues, 1 + (POLL_QUEUES_MAX - 1) / PORT_QUEUES_MAX * PORT_QUEUES_MAX);
	assert_int_equal(dataplane_add_port(dp, &vport), -ENOSPC);
	vport.dev->ops->close(vport.dev);
	remove_port(17);
	(void)publish(new_ring(2), VPORT_POD);
}

static void places_in_a_worker_s_list_are_used_again(void **)
{
	for (uint32_t i = 0; i <= POLL_QUEUES_MAX; i++)
		remove_port(publish(new_ring(2), VPORT_POD));
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
		TEST(bytes_for_a_port_that_is_gone_are_not_counted_as_anothers),
		TEST1(more_destinations_than_boxes_in_one_round_all_get_their_frame),
		TEST(number_that_is_used_again_counts_from_zero),
		TEST(thousand_ports_come_and_go_without_a_lost_frame_on_others),
		TEST(device_is_given_back_only_after_the_workers_moved_on_and_only_once),
		TEST(data_plane_that_closes_closes_what_it_has_not_given_back),
		TEST(replaced_port_keeps_its_device_and_kind),
		TEST(when_all_numbers_are_taken_another_port_is_refused),
		TEST(queues_are_spread_over_the_workers),
		TEST(ports_of_a_kind_are_spread_whatever_there_is_besides),
		TEST1(queues_beyond_a_worker_s_list_are_refused),
		TEST1(places_in_a_worker_s_list_are_used_again),
		cmocka_unit_test(more_workers_than_lcores_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
