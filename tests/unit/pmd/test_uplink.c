// The uplink port over the ethdevs that need no hardware. Needs root: it makes veth pairs.
#include "pmd/uplink.h"

#include "eal.h"
#include "veth.h"

#include <errno.h>
#include <rte_dev.h>
#include <rte_ethdev.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define POOL_SIZE 8191
#define FRAME_LEN 102
#define N_FLOWS 64

static struct rte_mempool *pool;
static struct veth v; // of the running test; removed after it, however it ends

static int start(void **state)
{
	(void)state;
	if (eal_start("uplink") < 0)
		return -1;
	pool = eal_pool("uplink_test", POOL_SIZE);
	return pool == NULL ? -1 : 0;
}

static int stop(void **state)
{
	(void)state;
	veth_del(&v);
	return 0;
}

static struct port *open_device(const char *device, uint16_t n_rxq, uint16_t n_workers)
{
	struct uplink_conf conf = {.name = "uplink0",
		.device = device,
		.pool = pool,
		.n_rxq = n_rxq,
		.n_workers = n_workers};
	struct port *p = NULL;
	const char *why = "";
	int ret = uplink_open(&conf, &p, &why);

	if (ret < 0)
		print_error("%s: %s (%s)\n", device, why, strerror(-ret));
	return p;
}

// A frame on VLAN 56 that counts up.
static struct rte_mbuf *tagged_frame(uint8_t first)
{
	static const uint8_t head[] = {
		2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0, 56, 0x88, 0xb5};
	struct rte_mbuf *m = eal_frame(pool, FRAME_LEN, first);

	if (m != NULL)
		memcpy(rte_pktmbuf_mtod(m, void *), head, sizeof(head));
	return m;
}

// Polls for up to two seconds.
static uint16_t receive(struct port *p, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t got = 0;

	for (int i = 0; i < 2000 && got < n; i++) {
		got += port_rx(p, 0, pkts + got, (uint16_t)(n - got));
		if (got < n)
			(void)usleep(1000);
	}
	return got;
}

static uint16_t transmit(struct port *p, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t sent = 0;

	for (int i = 0; i < 1000 && sent < n; i++)
		sent += port_tx(p, 0, pkts + sent, (uint16_t)(n - sent));
	return sent;
}

// Many rounds: the buffers of the whole pool pass through the device.
static void check_tagged_frames_both_ways(struct port *p)
{
	for (unsigned int i = 0; i < 2 * POOL_SIZE / 8; i++) {
		struct rte_mbuf *m[8];
		uint8_t want[FRAME_LEN], got[2048];
		struct rte_mbuf *sent = tagged_frame((uint8_t)i);

		assert_non_null(sent);
		memcpy(want, rte_pktmbuf_mtod(sent, void *), sizeof(want));
		assert_int_equal(transmit(p, &sent, 1), 1);
		assert_int_equal(veth_recv(&v, got, sizeof(got)), FRAME_LEN);
		assert_memory_equal(got, want, FRAME_LEN);

		for (int k = 0; k < 8; k++)
			assert_int_equal(write(v.fd, want, sizeof(want)), sizeof(want));
		assert_int_equal(receive(p, m, 8), 8);
		for (int k = 0; k < 8; k++) {
			assert_int_equal(m[k]->pkt_len, FRAME_LEN);
			assert_true(rte_pktmbuf_headroom(m[k]) >= PORT_HEADROOM_MIN - 4);
			assert_memory_equal(rte_pktmbuf_mtod(m[k], void *), want, FRAME_LEN);
		}
		rte_pktmbuf_free_bulk(m, 8);
	}
}

static void check_device_on_veth(const char *driver)
{
	char device[64];
	struct port *p;

	assert_int_equal(veth_add(&v, "u"), 0);
	(void)snprintf(device, sizeof(device), "%s,iface=%s", driver, v.near);
	p = open_device(device, 1, 1);
	if (p != NULL) {
		assert_true(p->ops->link_up(p));
		assert_int_equal(p->mtu, 1500);
		check_tagged_frames_both_ways(p);
		p->ops->close(p);
	}
	assert_non_null(p);
}

static void tagged_frames_pass_af_packet_both_ways(void **state)
{
	(void)state;
	check_device_on_veth("net_af_packet0");
	assert_int_equal(rte_eth_dev_count_avail(), 0);
}

static void tagged_frames_pass_af_xdp_both_ways(void **state)
{
	(void)state;
	check_device_on_veth("net_af_xdp0");
	assert_int_equal(rte_eth_dev_count_avail(), 0);
}

static void a_tap_passes_frames_and_has_a_descriptor(void **state)
{
	struct port *p = open_device("net_tap0,iface=pmdtap0", 1, 1);
	struct pollfd fd;
	struct rte_mbuf *m;
	uint8_t frame[FRAME_LEN] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 0x88, 0xb5};
	struct sockaddr_ll addr = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};

	(void)state;
	assert_non_null(p);
	v.fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	addr.sll_ifindex = (int)if_nametoindex("pmdtap0");
	assert_int_equal(bind(v.fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	p->ops->rx_wakeup(p, 0, true);
	while (port_rx(p, 0, &m, 1) == 1)
		rte_pktmbuf_free(m);
	assert_int_equal(write(v.fd, frame, sizeof(frame)), sizeof(frame));
	fd = (struct pollfd){.fd = p->ops->rx_fd(p, 0), .events = POLLIN};
	assert_true(fd.fd >= 0);
	assert_int_equal(poll(&fd, 1, 1000), 1);
	p->ops->rx_wakeup(p, 0, false);
	assert_int_equal(receive(p, &m, 1), 1);
	assert_memory_equal(rte_pktmbuf_mtod(m, void *), frame, 6);
	rte_pktmbuf_free(m);
	p->ops->close(p);
}

// A UDP frame to the port from some station; the kernel spreads flows over a tap's queues as RSS would.
static void send_flow(int fd, uint8_t flow)
{
	const uint8_t head[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0,
		FRAME_LEN - 14, 0, 0, 0, 0, 64, IPPROTO_UDP, 0, 0, 10, 0, 0, flow, 10, 0, 1, 1, 4,
		flow, 0, 7, 0, FRAME_LEN - 34, 0, 0};
	uint8_t frame[FRAME_LEN] = {0};

	memcpy(frame, head, sizeof(head));
	assert_int_equal(write(fd, frame, sizeof(frame)), sizeof(frame));
}

// Polls all queues for the frames of the flows; *where: by flow, the queue that it came in by.
static unsigned receive_flows(struct port *p, int *where)
{
	unsigned got = 0;
	struct rte_mbuf *m;

	for (uint16_t q = 0; q < p->n_rxq; q++) {
		while (port_rx(p, q, &m, 1) == 1) {
			const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
			if (frame[12] == 8 && frame[26] == 10) { // else the kernel's own
				int *at = &where[frame[29]];
				assert_true(*at == -1 || *at == q);
				*at = q;
				got++;
			}
			rte_pktmbuf_free(m);
		}
	}
	return got;
}

// Every frame arrives, those of a flow by one queue, and no queue is left out.
static void check_spread(struct port *p, int fd, uint16_t n_queues)
{
	int where[256];
	unsigned used = 0;

	assert_int_equal(p->n_rxq, n_queues);
	memset(where, -1, sizeof(where));
	for (int round = 0; round < 4; round++) {
		unsigned got = 0;
		for (int flow = 0; flow < N_FLOWS; flow++)
			send_flow(fd, (uint8_t)flow);
		for (int i = 0; i < 2000 && got < N_FLOWS; i++) {
			got += receive_flows(p, where);
			(void)usleep(1000);
		}
		assert_int_equal(got, N_FLOWS);
	}
	for (int flow = 0; flow < N_FLOWS; flow++) {
		assert_true(where[flow] >= 0);
		used |= 1U << where[flow];
	}
	assert_int_equal(used, (1U << n_queues) - 1);
}

static void flows_are_spread_over_the_queues_of_a_tap(void **state)
{
	struct port *p = open_device("net_tap1,iface=pmdtap1", 4, 4);
	struct sockaddr_ll addr = {.sll_family = AF_PACKET, .sll_protocol = 0};

	(void)state;
	assert_non_null(p);
	v.fd = socket(AF_PACKET, SOCK_RAW, 0);
	addr.sll_ifindex = (int)if_nametoindex("pmdtap1");
	assert_int_equal(bind(v.fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	check_spread(p, v.fd, 4);
	p->ops->close(p);
}

static void flows_are_spread_over_the_queues_of_af_packet(void **state)
{
	char device[64];
	struct port *p;

	(void)state;
	assert_int_equal(veth_add(&v, "q"), 0);
	(void)snprintf(device, sizeof(device), "net_af_packet3,iface=%s,qpairs=2", v.near);
	p = open_device(device, 4, 2); // more than it has
	assert_non_null(p);
	check_spread(p, v.fd, 2);
	p->ops->close(p);
}

static void several_workers_share_the_queue_of_a_small_device(void **state)
{
	char device[64];
	uint8_t got[2048];
	struct port *p;

	(void)state;
	assert_int_equal(veth_add(&v, "s"), 0);
	(void)snprintf(device, sizeof(device), "net_af_packet2,iface=%s", v.near);
	p = open_device(device, 4, 3);
	if (p != NULL) {
		assert_int_equal(p->n_rxq, 1);
		assert_int_equal(p->ops->rx_fd(p, 0), -1);
		for (uint16_t worker = 0; worker < 3; worker++) {
			struct rte_mbuf *m = tagged_frame(1);
			assert_int_equal(port_tx(p, worker, &m, 1), 1);
			assert_int_equal(veth_recv(&v, got, sizeof(got)), FRAME_LEN);
		}
		p->ops->close(p);
	}
	assert_non_null(p);
}

// A chain of two buffers, the second with `len` bytes.
static struct rte_mbuf *chained_frame(uint16_t len)
{
	struct rte_mbuf *m = tagged_frame(7);

	assert_int_equal(rte_pktmbuf_chain(m, eal_frame(pool, len, 8)), 0);
	return m;
}

static void chains_are_made_linear_or_counted_for_a_device_without_them(void **state)
{
	char device[64];
	struct port *p;
	struct port_stats stats;
	uint8_t got[2048];
	struct rte_mbuf *m[3] = {chained_frame(300), chained_frame(2300), tagged_frame(9)};

	(void)state;
	assert_int_equal(veth_add(&v, "l"), 0);
	(void)snprintf(device, sizeof(device), "net_af_xdp1,iface=%s", v.near);
	p = open_device(device, 1, 1);
	if (p != NULL) {
		assert_int_equal(transmit(p, m, 3), 3);
		assert_int_equal(veth_recv(&v, got, sizeof(got)), FRAME_LEN + 300);
		assert_int_equal(got[FRAME_LEN], 8);
		assert_int_equal(got[FRAME_LEN + 299], (uint8_t)(8 + 299));
		assert_int_equal(veth_recv(&v, got, sizeof(got)), FRAME_LEN);
		p->ops->stats(p, &stats);
		assert_int_equal(stats.tx_errors, 1);
		p->ops->close(p);
	}
	assert_non_null(p);
}

static void the_mtu_that_was_asked_for_is_set(void **state)
{
	char device[64];
	struct uplink_conf conf = {.name = "uplink0",
		.device = device,
		.pool = pool,
		.n_rxq = 1,
		.n_workers = 1,
		.mtu = 1400};
	struct port *p = NULL;
	const char *why = NULL;
	int ret;

	(void)state;
	assert_int_equal(veth_add(&v, "m"), 0);
	(void)snprintf(device, sizeof(device), "net_af_packet1,iface=%s", v.near);
	ret = uplink_open(&conf, &p, &why);
	if (ret == 0) {
		assert_int_equal(p->mtu, 1400);
		assert_int_equal(veth_run("ip link show %s | grep -q 'mtu 1400'", v.near, ""), 0);
		p->ops->close(p);
	}
	conf.mtu = 9000;
	ret = ret == 0 && uplink_open(&conf, &p, &why) < 0 ? 0 : -1;
	assert_int_equal(ret, 0);
	assert_non_null(why);
	assert_int_equal(rte_eth_dev_count_avail(), 0);
}

static void a_device_without_driver_is_refused_with_a_reason(void **state)
{
	struct uplink_conf conf = {.name = "uplink0",
		.device = "net_nonesuch0",
		.pool = pool,
		.n_rxq = 1,
		.n_workers = 1};
	struct port *p = NULL;
	const char *why = NULL;

	(void)state;
	assert_true(uplink_open(&conf, &p, &why) < 0);
	assert_null(p);
	assert_non_null(why);
}

static void a_device_in_use_is_refused_and_left_alone(void **state)
{
	struct uplink_conf conf = {
		.name = "uplink1", .device = "net_null0", .pool = pool, .n_rxq = 1, .n_workers = 1};
	struct port *p = open_device("net_null0", 1, 1);
	struct port *second = NULL;
	const char *why = NULL;

	(void)state;
	assert_non_null(p);
	assert_int_equal(uplink_open(&conf, &second, &why), -EBUSY);
	assert_null(second);
	assert_int_equal(rte_eth_dev_count_avail(), 1);
	p->ops->close(p);
	assert_int_equal(rte_eth_dev_count_avail(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(several_workers_share_the_queue_of_a_small_device, stop),
		cmocka_unit_test_teardown(flows_are_spread_over_the_queues_of_a_tap, stop),
		cmocka_unit_test_teardown(flows_are_spread_over_the_queues_of_af_packet, stop),
		cmocka_unit_test_teardown(a_device_without_driver_is_refused_with_a_reason, stop),
		cmocka_unit_test_teardown(a_device_in_use_is_refused_and_left_alone, stop),
		cmocka_unit_test_teardown(tagged_frames_pass_af_packet_both_ways, stop),
		cmocka_unit_test_teardown(tagged_frames_pass_af_xdp_both_ways, stop),
		cmocka_unit_test_teardown(
			chains_are_made_linear_or_counted_for_a_device_without_them, stop),
		cmocka_unit_test_teardown(the_mtu_that_was_asked_for_is_set, stop),
		cmocka_unit_test_teardown(a_tap_passes_frames_and_has_a_descriptor, stop),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
