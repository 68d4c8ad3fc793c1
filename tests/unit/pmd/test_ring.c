// The ring port: order, ownership, limits, and the wake-up of an idle worker.
#include "pmd/ring.h"

#include "eal.h"

#include <errno.h>
#include <poll.h>
#include <rte_errno.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define POOL_SIZE 255

static struct rte_mempool *pool;

static int start(void **state)
{
	(void)state;
	if (eal_start("ring") < 0)
		return -1;
	pool = eal_pool("ring_test", POOL_SIZE);
	return pool == NULL ? -1 : 0;
}

static bool readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void frames_come_out_in_order_and_once(void **state)
{
	struct port *p = ring_open("r0", pool, 8, false);
	struct rte_mbuf *in[3], *out[8];

	(void)state;
	assert_non_null(p);
	for (int i = 0; i < 3; i++)
		in[i] = eal_frame(pool, 60, (uint8_t)i);
	assert_int_equal(ring_feed(p, in, 3), 3);
	assert_int_equal(port_rx(p, 0, out, 8), 3);
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(port_rx(p, 0, out, 8), 0);

	assert_int_equal(port_tx(p, 0, in, 3), 3);
	assert_int_equal(ring_drain(p, out, 2), 2);
	assert_ptr_equal(out[0], in[0]);
	assert_ptr_equal(out[1], in[1]);
	assert_int_equal(ring_drain(p, out, 2), 1);
	assert_ptr_equal(out[0], in[2]);

	rte_pktmbuf_free_bulk(in, 3);
	p->ops->close(p);
	assert_int_equal(rte_mempool_avail_count(pool), POOL_SIZE);
}

static void a_full_ring_takes_a_prefix(void **state)
{
	struct port *p = ring_open("r0", pool, 4, true);
	struct rte_mbuf *in[6];

	(void)state;
	assert_non_null(p);
	for (int i = 0; i < 6; i++)
		in[i] = eal_frame(pool, 60, (uint8_t)i);
	assert_int_equal(port_tx(p, 0, in, 6), 4);
	assert_int_equal(port_tx(p, 1, in + 4, 2), 0);
	assert_int_equal(ring_feed(p, in + 4, 2), 2);

	p->ops->close(p); // frees what is still in both rings
	assert_int_equal(rte_mempool_avail_count(pool), POOL_SIZE);
}

static void a_size_that_is_no_power_of_two_is_refused(void **state)
{
	(void)state;
	assert_null(ring_open("r0", pool, 6, false));
	assert_int_equal(rte_errno, EINVAL);
	assert_null(ring_open("r0", pool, 0, false));
}

static void a_feed_wakes_only_a_worker_that_waits(void **state)
{
	struct port *p = ring_open("r0", pool, 8, true);
	struct rte_mbuf *m[2];
	int fd;

	(void)state;
	assert_non_null(p);
	fd = p->ops->rx_fd(p, 0);
	m[0] = eal_frame(pool, 60, 0);
	m[1] = eal_frame(pool, 60, 1);

	assert_int_equal(ring_feed(p, m, 1), 1);
	assert_false(readable(fd));
	p->ops->rx_wakeup(p, 0, true);
	assert_int_equal(ring_feed(p, m + 1, 1), 1);
	assert_true(readable(fd));
	p->ops->rx_wakeup(p, 0, false);
	assert_false(readable(fd));

	assert_int_equal(port_rx(p, 0, m, 2), 2);
	rte_pktmbuf_free_bulk(m, 2);
	p->ops->close(p);
}

static void a_kick_makes_the_descriptor_readable(void **state)
{
	struct port *p = ring_open("r0", pool, 8, true);

	(void)state;
	assert_non_null(p);
	ring_kick(p);
	assert_true(readable(p->ops->rx_fd(p, 0)));
	p->ops->close(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_come_out_in_order_and_once),
		cmocka_unit_test(a_full_ring_takes_a_prefix),
		cmocka_unit_test(a_size_that_is_no_power_of_two_is_refused),
		cmocka_unit_test(a_feed_wakes_only_a_worker_that_waits),
		cmocka_unit_test(a_kick_makes_the_descriptor_readable),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
