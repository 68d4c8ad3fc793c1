// Frames to a guest, whose driver does all that VIRTIO 1.1 (2.6) allows, and some that it does not; and
// who tells whom of entries.
#include "tests/unit/pmd/virtqueue_suite.h"

#include <sys/eventfd.h>

static void expect_bytes(uint64_t addr, uint32_t len, uint8_t first)
{
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(*guest_at(&guest, addr + i), (uint8_t)(first + i));
}

// Offers descriptor i as a buffer for the device to write, at BUFFER + i * 0x1000.
static void offer_buffer(uint16_t i, uint32_t len)
{
	guest_desc(&guest, i, BUFFER + i * 0x1000ULL, len, VRING_DESC_F_WRITE, 0);
	guest_offer(&guest, i);
}

static uint16_t buffers_of(uint16_t i)
{
	const struct virtio_net_hdr_mrg_rxbuf *h =
		(const void *)guest_at(&guest, BUFFER + i * 0x1000ULL);

	assert_int_equal(h->hdr.flags, 0);
	assert_int_equal(h->hdr.gso_type, 0);
	return h->num_buffers;
}

static uint16_t send(struct rte_mbuf *m)
{
	uint16_t sent = virtqueue_enqueue(&guest.vq, &m, 1);
	rte_pktmbuf_free(m);
	return sent;
}

static void frames_go_into_single_buffers(void **)
{
	struct rte_mbuf *m[3] = {
		eal_frame(pool, 60, 1), eal_frame(pool, 1514, 2), eal_frame(pool, 60, 3)};

	for (uint16_t i = 0; i < 3; i++)
		offer_buffer(i, 1526);
	assert_int_equal(virtqueue_enqueue(&guest.vq, m, 3), 3);
	expect_used(3);
	for (uint16_t i = 0; i < 3; i++) {
		assert_int_equal(used(i)->id, i);
		assert_int_equal(used(i)->len, HEADER + m[i]->pkt_len);
		assert_int_equal(buffers_of(i), 1);
		expect_bytes(BUFFER + i * 0x1000ULL + HEADER, m[i]->pkt_len, (uint8_t)(1 + i));
	}
	rte_pktmbuf_free_bulk(m, 3);
}

static void a_full_ring_takes_a_prefix(void **)
{
	struct rte_mbuf *m[3];

	for (int i = 0; i < 3; i++)
		m[i] = eal_frame(pool, 60, 1);
	offer_buffer(0, 1526);
	offer_buffer(1, 1526);
	assert_int_equal(virtqueue_enqueue(&guest.vq, m, 3), 2);
	assert_int_equal(virtqueue_enqueue(&guest.vq, m + 2, 1), 0);
	expect_used(2);
	assert_int_equal(guest.vq.n_errors, 0);
	rte_pktmbuf_free_bulk(m, 3);
}

static void a_chain_of_mbufs_goes_into_a_chain_of_descriptors(void **)
{
	struct rte_mbuf *m = eal_frame(pool, 700, 1);

	assert_int_equal(rte_pktmbuf_chain(m, eal_frame(pool, 800, (uint8_t)(1 + 700))), 0);
	guest_desc(&guest, 0, BUFFER, HEADER, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 4);
	guest_desc(&guest, 4, BUFFER + HEADER, 1000, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 5);
	guest_desc(&guest, 5, BUFFER + HEADER + 1000, 600, VRING_DESC_F_WRITE, 0);
	guest_offer(&guest, 0);
	assert_int_equal(send(m), 1);
	expect_used(1);
	assert_int_equal(used(0)->len, HEADER + 1500);
	expect_bytes(BUFFER + HEADER, 1500, 1);
}

static void a_chain_of_mbufs_goes_into_a_single_buffer(void **)
{
	struct rte_mbuf *m = eal_frame(pool, 700, 1);

	assert_int_equal(rte_pktmbuf_chain(m, eal_frame(pool, 100, (uint8_t)(1 + 700))), 0);
	offer_buffer(0, 1526);
	assert_int_equal(send(m), 1);
	assert_int_equal(used(0)->len, HEADER + 800);
	expect_bytes(BUFFER + HEADER, 800, 1);
}

static void a_long_frame_takes_several_mergeable_buffers(void **)
{
	for (uint16_t i = 0; i < 4; i++)
		offer_buffer(i, 800);
	assert_int_equal(send(eal_frame(pool, 2000, 1)), 1);
	expect_used(3);
	assert_int_equal(buffers_of(0), 3);
	assert_int_equal(used(0)->len, 800);
	assert_int_equal(used(1)->len, 800);
	assert_int_equal(used(2)->len, HEADER + 2000 - 1600);
	expect_bytes(BUFFER + HEADER, 800 - HEADER, 1);
	expect_bytes(BUFFER + 0x1000, 800, (uint8_t)(1 + 800 - HEADER));
	expect_bytes(BUFFER + 0x2000, HEADER + 400, (uint8_t)(1 + 1600 - HEADER));
	assert_int_equal(send(eal_frame(pool, 60, 9)), 1);
	assert_int_equal(used(3)->id, 3);
}

static void a_long_frame_waits_for_enough_buffers(void **)
{
	offer_buffer(0, 800);
	assert_int_equal(send(eal_frame(pool, 2000, 1)), 0);
	expect_used(0);
	offer_buffer(1, 1300);
	assert_int_equal(send(eal_frame(pool, 2000, 1)), 1);
	expect_used(2);
}

static void a_frame_that_fits_nowhere_blocks_no_other(void **)
{
	offer_buffer(0, 800);
	offer_buffer(1, 800);
	assert_int_equal(send(eal_frame(pool, 1500, 1)), 1);
	assert_int_equal(guest.vq.n_errors, 1);
	assert_int_equal(used(0)->len, 0);
	assert_int_equal(send(eal_frame(pool, 60, 2)), 1);
	assert_int_equal(used(1)->len, HEADER + 60);
	expect_bytes(BUFFER + 0x1000 + HEADER, 60, 2);
}

static void a_buffer_that_must_not_be_written_is_not(void **)
{
	guest_desc(&guest, 0, BUFFER, 1526, 0, 0);
	guest_offer(&guest, 0);
	assert_int_equal(send(eal_frame(pool, 60, 1)), 1);
	assert_int_equal(guest.vq.n_errors, 1);
	expect_bytes(BUFFER, 1, 0);
}

static void a_buffer_outside_the_memory_is_not_written(void **)
{
	guest_desc(&guest, 0, GUEST_BASE2 + GUEST_LEN - 16, 1526, VRING_DESC_F_WRITE, 0);
	guest_offer(&guest, 0);
	assert_int_equal(send(eal_frame(pool, 60, 1)), 1);
	assert_int_equal(guest.vq.n_errors, 1);
}

static void an_old_guest_has_a_short_header(void **)
{
	offer_buffer(0, 1526);
	assert_int_equal(send(eal_frame(pool, 60, 1)), 1);
	assert_int_equal(used(0)->len, 10 + 60);
	expect_bytes(BUFFER + 10, 60, 1);
}

// ── Who is told ────────────────────────────────────────────────────────────────────────────────

static bool was_called(void)
{
	eventfd_t n;
	return eventfd_read(guest.call_fd, &n) == 0;
}

static void a_guest_is_called_unless_it_polls(void **)
{
	offer_buffer(0, 1526);
	assert_int_equal(send(eal_frame(pool, 60, 1)), 1);
	assert_true(was_called());
	guest.rings->avail.flags = VRING_AVAIL_F_NO_INTERRUPT;
	offer_buffer(1, 1526);
	assert_int_equal(send(eal_frame(pool, 60, 1)), 1);
	assert_false(was_called());
}

static void a_guest_is_called_at_the_entry_it_asked_for(void **)
{
	for (uint16_t i = 0; i < 4; i++)
		offer_buffer(i, 1526);
	(void)send(eal_frame(pool, 60, 1));
	assert_true(was_called()); // nothing is known of it yet
	guest.rings->avail.used_event = 0; // the third entry: 65534, 65535, 0
	(void)send(eal_frame(pool, 60, 1));
	assert_false(was_called());
	(void)send(eal_frame(pool, 60, 1));
	assert_true(was_called());
	(void)send(eal_frame(pool, 60, 1));
	assert_false(was_called());
}

static void a_guest_is_asked_for_kicks_by_flag(void **)
{
	virtqueue_want_kicks(&guest.vq, false);
	assert_int_equal(guest.rings->used.flags, VRING_USED_F_NO_NOTIFY);
	virtqueue_want_kicks(&guest.vq, true);
	assert_int_equal(guest.rings->used.flags, 0);
}

static void a_guest_is_asked_for_kicks_by_index(void **)
{
	virtqueue_want_kicks(&guest.vq, true);
	assert_int_equal(guest.rings->used.avail_event, UINT16_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(frames_go_into_single_buffers, MODERN),
		TEST(a_full_ring_takes_a_prefix, MODERN),
		TEST(a_chain_of_mbufs_goes_into_a_chain_of_descriptors, MODERN),
		TEST(a_chain_of_mbufs_goes_into_a_single_buffer, MODERN),
		TEST(a_long_frame_takes_several_mergeable_buffers, MERGEABLE),
		TEST(a_long_frame_waits_for_enough_buffers, MERGEABLE),
		TEST(a_frame_that_fits_nowhere_blocks_no_other, MODERN),
		TEST(a_buffer_that_must_not_be_written_is_not, MODERN),
		TEST(a_buffer_outside_the_memory_is_not_written, MODERN),
		TEST(an_old_guest_has_a_short_header, 0),
		TEST(a_guest_is_called_unless_it_polls, MODERN),
		TEST(a_guest_is_called_at_the_entry_it_asked_for, EVENTS),
		TEST(a_guest_is_asked_for_kicks_by_flag, MODERN),
		TEST(a_guest_is_asked_for_kicks_by_index, EVENTS),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
