// The packet pool, and frames through the AF_XDP driver and real veths. Needs root.
#include <rte_errno.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "peer.h"
#include "pmd/pool.h"
#include "ports.h"

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

#define XDP_TEST(f) cmocka_unit_test_setup_teardown(f, veth_add, veth_del)

int main(int, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pool_is_one_dense_range),
		cmocka_unit_test(pool_that_is_too_large_is_refused),
		XDP_TEST(frames_arrive_in_generic_mode),
		XDP_TEST(frames_arrive_in_native_mode),
		XDP_TEST(burst_of_64_is_sent_at_once_and_in_order),
		XDP_TEST(jumbo_frames_are_chains_both_ways),
		XDP_TEST(vlan_tag_stays_in_the_frame_both_ways),
		XDP_TEST(foreign_shared_and_indirect_buffers_are_sent_as_copies),
		XDP_TEST(frame_that_cannot_be_sent_is_counted),
		XDP_TEST(frames_go_from_port_to_port_without_a_copy),
	};

	if (ports_start(argv[0], true) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
