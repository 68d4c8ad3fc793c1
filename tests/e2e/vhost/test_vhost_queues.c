// A guest that changes how many of its queue pairs it uses while it is up: a virtio-user device of this
// process, which the test starts with one or two of them.
#include "pmd/vhost.h"

#include "../../unit/pmd/eal.h"

#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_vhost.h>

#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define N_QUEUES 2
#define N_BUFFERS 4095
#define DEVICE "net_virtio_user0"
#define PATIENCE_S 20
#define VID 0 // of the only device that librte_vhost has here
#define FRAME_LEN 60

static struct rte_mempool *pool, *guest_pool;
static char dir[] = "/tmp/pmd-vhost-queues-XXXXXX";
static char path[64];
static struct port *port;
static uint16_t guest;

static int start(void **)
{
	char args[128];

	if (eal_start("vhost-queues") < 0 || mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/sock", dir);
	pool = eal_pool("switch", N_BUFFERS);
	guest_pool = rte_pktmbuf_pool_create(
		"guest", N_BUFFERS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	struct vhost_conf conf = {.name = "pod0",
		.path = path,
		.pool = pool,
		.n_queue_pairs = N_QUEUES,
		.n_workers = N_QUEUES,
		.mtu = 1500,
		.server = true};
	if (pool == NULL || guest_pool == NULL || vhost_open(&conf, &port) < 0)
		return -1;
	(void)snprintf(args, sizeof(args), "path=%s,queues=%d", path, N_QUEUES);
	if (rte_eal_hotplug_add("vdev", DEVICE, args) < 0)
		return -1;
	return rte_eth_dev_get_port_by_name(DEVICE, &guest);
}

static int stop(void **)
{
	(void)rte_eth_dev_stop(guest);
	(void)rte_eal_hotplug_remove("vdev", DEVICE);
	port->ops->close(port);
	return rmdir(dir);
}

static void guest_use(uint16_t n_queues)
{
	const struct rte_eth_conf conf = {0};

	(void)rte_eth_dev_stop(guest);
	assert_int_equal(rte_eth_dev_configure(guest, n_queues, n_queues, &conf), 0);
	for (uint16_t q = 0; q < n_queues; q++) {
		assert_int_equal(rte_eth_rx_queue_setup(guest, q, 256, 0, NULL, guest_pool), 0);
		assert_int_equal(rte_eth_tx_queue_setup(guest, q, 256, 0, NULL), 0);
	}
	assert_int_equal(rte_eth_dev_start(guest), 0);
}

// Which of the guest's queues a frame of this worker's arrives at, -1: none within a moment.
static int arrives_at(uint16_t worker, uint16_t n_queues)
{
	struct rte_mbuf *m = eal_frame(pool, FRAME_LEN, 1), *got;

	if (port_tx(port, worker, &m, 1) == 0)
		rte_pktmbuf_free(m);
	for (int i = 0; i < 100; i++) {
		for (uint16_t q = 0; q < n_queues; q++) {
			if (rte_eth_rx_burst(guest, q, &got, 1) == 0)
				continue;
			assert_int_equal(rte_pktmbuf_pkt_len(got), FRAME_LEN);
			rte_pktmbuf_free(got);
			return q;
		}
		(void)usleep(1000);
	}
	return -1;
}

// It does so soon after the guest's change, and goes on to.
static void check_to_guest(uint16_t worker, uint16_t n_queues, int queue)
{
	time_t end = time(NULL) + PATIENCE_S;

	while (arrives_at(worker, n_queues) != queue)
		assert_true(time(NULL) < end);
	for (int i = 0; i < 10; i++)
		assert_int_equal(arrives_at(worker, n_queues), queue);
}

// A frame that the guest sends by a queue comes out of the port's queue of that number.
static void check_from_guest(uint16_t q)
{
	time_t end = time(NULL) + PATIENCE_S;
	struct rte_mbuf *m = eal_frame(guest_pool, FRAME_LEN, (uint8_t)(100 + q)), *got;

	assert_int_equal(rte_eth_tx_burst(guest, q, &m, 1), 1);
	while (port_rx(port, q, &got, 1) == 0) {
		assert_true(time(NULL) < end);
		assert_int_equal(port_rx(port, (uint16_t)(1 - q), &got, 1), 0);
		(void)usleep(1000);
	}
	assert_int_equal(*rte_pktmbuf_mtod(got, const uint8_t *), 100 + q);
	rte_pktmbuf_free(got);
}

static void workers_send_to_a_queue_each_or_share_what_there_is(void **)
{
	for (unsigned round = 0; round < 5; round++) {
		guest_use(2);
		check_to_guest(1, 2, 1);
		check_to_guest(0, 2, 0);
		check_from_guest(0);
		check_from_guest(1);

		guest_use(1);
		check_to_guest(1, 1, 0);
		check_to_guest(0, 1, 0);
		check_from_guest(0);
	}
}

// Whether the guest would kick for what it puts into the ring. It has no event index, so the flag says it.
static bool wants_kicks(uint16_t ring)
{
	struct rte_vhost_vring v;

	assert_int_equal(rte_vhost_get_vhost_vring(VID, ring, &v), 0);
	return (v.used->flags & VRING_USED_F_NO_NOTIFY) == 0;
}

static void guest_kicks_for_frames_if_asked_to_and_for_room_never(void **)
{
	guest_use(1);
	check_to_guest(0, 1, 0);
	check_from_guest(0);
	assert_false(wants_kicks(0));
	assert_false(wants_kicks(1));
	port->ops->rx_wakeup(port, 0, true);
	assert_false(wants_kicks(0));
	assert_true(wants_kicks(1));
	port->ops->rx_wakeup(port, 0, false);
	assert_false(wants_kicks(1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guest_kicks_for_frames_if_asked_to_and_for_room_never),
		cmocka_unit_test(workers_send_to_a_queue_each_or_share_what_there_is),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
