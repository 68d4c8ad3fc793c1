// The device's half of a virtqueue, against a driver that does all that VIRTIO 1.1 (2.6) allows, and
// some that it does not.
#include "tests/unit/pmd/guest.h"

#include "eal.h"
#include "pmd/port.h"

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <sys/eventfd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define POOL_SIZE 127
#define HEADER 12
#define BUFFER (GUEST_BASE + GUEST_BUFFERS)
#define MODERN (1ULL << VIRTIO_F_VERSION_1)
#define MERGEABLE (MODERN | 1ULL << VIRTIO_NET_F_MRG_RXBUF)
#define EVENTS (MODERN | 1ULL << VIRTIO_RING_F_EVENT_IDX)

static struct rte_mempool *pool;
static struct guest guest;

static int start(void **)
{
	if (eal_start("virtqueue") < 0)
		return -1;
	pool = eal_pool("virtqueue", POOL_SIZE);
	return pool == NULL ? -1 : 0;
}

// Opens a queue with the features that a test has as its state, shortly before the indices wrap.
static int open_queue(void **state)
{
	guest_open(&guest, (uint64_t)(uintptr_t)*state, UINT16_MAX - 1);
	return 0;
}

// Whatever happened, no packet buffer is lost.
static int close_queue(void **)
{
	guest_close(&guest);
	return rte_mempool_avail_count(pool) == POOL_SIZE ? 0 : -1;
}

// Bytes that count up, at a guest address.
static void fill(uint64_t addr, uint32_t len, uint8_t first)
{
	for (uint32_t i = 0; i < len; i++)
		*guest_at(&guest, addr + i) = (uint8_t)(first + i);
}

static void expect_bytes(uint64_t addr, uint32_t len, uint8_t first)
{
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(*guest_at(&guest, addr + i), (uint8_t)(first + i));
}

// What the guest has got back, oldest first.
static const struct vring_used_elem *used(uint16_t i)
{
	return &guest.rings->used.ring[(uint16_t)(UINT16_MAX - 1 + i) % GUEST_SIZE];
}

static void expect_used(uint16_t n)
{
	assert_int_equal((uint16_t)(guest.rings->used.idx - (UINT16_MAX - 1)), n);
}

// ── From the guest ─────────────────────────────────────────────────────────────────────────────

static void expect_frame(uint32_t len, uint8_t first)
{
	static uint8_t buffer[PORT_FRAME_MAX];
	struct rte_mbuf *m[2];

	assert_int_equal(virtqueue_dequeue(&guest.vq, pool, m, 2), 1);
	assert_int_equal(m[0]->pkt_len, len);
	assert_int_equal(m[0]->ol_flags, 0);
	assert_true(rte_pktmbuf_headroom(m[0]) >= PORT_HEADROOM_MIN);
	rte_mbuf_sanity_check(m[0], 1);
	const uint8_t *bytes = rte_pktmbuf_read(m[0], 0, len, buffer);
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(bytes[i], (uint8_t)(first + i));
	rte_pktmbuf_free(m[0]);
}

static void a_frame_in_one_buffer_comes_out(void **)
{
	fill(BUFFER + HEADER, 60, 1);
	guest_desc(&guest, 3, BUFFER, HEADER + 60, 0, 0);
	guest_offer(&guest, 3);
	expect_frame(60, 1);
	expect_used(1);
	assert_int_equal(used(0)->id, 3);
	assert_int_equal(used(0)->len, 0);
}

static void frames_come_out_in_order_past_the_wrap_of_the_index(void **)
{
	for (uint8_t i = 0; i < 20; i++) {
		fill(BUFFER + HEADER, 60, i);
		guest_desc(&guest, i % GUEST_SIZE, BUFFER, HEADER + 60, 0, 0);
		guest_offer(&guest, i % GUEST_SIZE);
		expect_frame(60, i);
	}
	expect_used(20);
}

static void a_header_of_its_own_is_skipped(void **)
{
	fill(BUFFER + 0x100, 60, 1);
	guest_desc(&guest, 0, BUFFER, HEADER, VRING_DESC_F_NEXT, 5);
	guest_desc(&guest, 5, BUFFER + 0x100, 60, 0, 0);
	guest_offer(&guest, 0);
	expect_frame(60, 1);
}

static void a_header_over_two_buffers_is_skipped(void **)
{
	fill(BUFFER + 0x100 + 7, 60, 1);
	guest_desc(&guest, 0, BUFFER, 5, VRING_DESC_F_NEXT, 1);
	guest_desc(&guest, 1, BUFFER + 0x100, 7 + 60, 0, 0);
	guest_offer(&guest, 0);
	expect_frame(60, 1);
}

static void an_indirect_table_is_followed(void **)
{
	struct vring_desc *table = (void *)guest_at(&guest, BUFFER);

	fill(BUFFER + 0x1000, 100, 1);
	table[0] = (struct vring_desc){
		.addr = BUFFER + 0x800, .len = HEADER, .flags = VRING_DESC_F_NEXT, .next = 2};
	table[2] = (struct vring_desc){.addr = BUFFER + 0x1000, .len = 100};
	guest_desc(&guest, 1, BUFFER, 3 * sizeof(table[0]), VRING_DESC_F_INDIRECT, 0);
	guest_offer(&guest, 1);
	expect_frame(100, 1);
	assert_int_equal(used(0)->id, 1);
}

static void a_long_frame_becomes_a_chain(void **)
{
	fill(BUFFER + HEADER, 9000, 1);
	guest_desc(&guest, 0, BUFFER, HEADER + 4000, VRING_DESC_F_NEXT, 1);
	guest_desc(&guest, 1, BUFFER + HEADER + 4000, 5000, 0, 0);
	guest_offer(&guest, 0);
	expect_frame(9000, 1);
}

static void a_buffer_across_two_regions_comes_out_whole(void **)
{
	fill(GUEST_BASE2 - 30, 60, 1);
	guest_desc(&guest, 0, GUEST_BASE2 - 30 - HEADER, HEADER + 60, 0, 0);
	guest_offer(&guest, 0);
	expect_frame(60, 1);
}

static void offload_headers_are_ignored(void **)
{
	memset(guest_at(&guest, BUFFER), 0xff, HEADER);
	a_frame_in_one_buffer_comes_out(NULL);
}

// The guest gets its entry back, the next frame comes out, and the trouble is counted.
static void expect_refused(uint16_t head)
{
	struct rte_mbuf *m;

	guest_offer(&guest, head);
	assert_int_equal(virtqueue_dequeue(&guest.vq, pool, &m, 1), 0);
	assert_int_equal(guest.vq.n_errors, 1);
	expect_used(1);
	fill(BUFFER + HEADER, 60, 1);
	guest_desc(&guest, 7, BUFFER, HEADER + 60, 0, 0);
	guest_offer(&guest, 7);
	expect_frame(60, 1);
}

static void a_frame_too_short_is_refused(void **)
{
	guest_desc(&guest, 0, BUFFER, HEADER + 13, 0, 0);
	expect_refused(0);
}

static void a_frame_too_long_is_refused(void **)
{
	guest_desc(&guest, 0, BUFFER, HEADER + PORT_FRAME_MAX + 1, 0, 0);
	expect_refused(0);
}

static void a_head_outside_the_ring_is_refused(void **)
{
	expect_refused(GUEST_SIZE);
}

static void a_next_outside_the_ring_is_refused(void **)
{
	guest_desc(&guest, 0, BUFFER, HEADER, VRING_DESC_F_NEXT, GUEST_SIZE);
	expect_refused(0);
}

static void a_chain_in_a_circle_is_refused(void **)
{
	guest_desc(&guest, 0, BUFFER, 100, VRING_DESC_F_NEXT, 1);
	guest_desc(&guest, 1, BUFFER, 100, VRING_DESC_F_NEXT, 0);
	expect_refused(0);
}

static void an_address_outside_the_memory_is_refused(void **)
{
	guest_desc(&guest, 0, GUEST_BASE2 + GUEST_LEN - 20, 100, 0, 0);
	expect_refused(0);
}

static void an_address_below_the_memory_is_refused(void **)
{
	guest_desc(&guest, 0, GUEST_BASE - 1, 100, 0, 0);
	expect_refused(0);
}

static void an_address_that_wraps_is_refused(void **)
{
	guest_desc(&guest, 0, UINT64_MAX - 10, 100, 0, 0);
	expect_refused(0);
}

static void a_buffer_for_the_device_to_write_is_refused_as_a_frame(void **)
{
	guest_desc(&guest, 0, BUFFER, 100, VRING_DESC_F_WRITE, 0);
	expect_refused(0);
}

static void an_indirect_table_outside_the_memory_is_refused(void **)
{
	guest_desc(&guest, 0, GUEST_BASE2 + GUEST_LEN - 16, 32, VRING_DESC_F_INDIRECT, 0);
	expect_refused(0);
}

static void an_indirect_table_of_odd_length_is_refused(void **)
{
	guest_desc(&guest, 0, BUFFER, 17, VRING_DESC_F_INDIRECT, 0);
	expect_refused(0);
}

static void an_indirect_table_in_another_is_refused(void **)
{
	struct vring_desc *table = (void *)guest_at(&guest, BUFFER);

	table[0] = (struct vring_desc){
		.addr = BUFFER, .len = sizeof(*table), .flags = VRING_DESC_F_INDIRECT};
	guest_desc(&guest, 0, BUFFER, sizeof(*table), VRING_DESC_F_INDIRECT, 0);
	expect_refused(0);
}

static void more_entries_than_the_ring_has_are_none(void **)
{
	struct rte_mbuf *m[32];

	guest.rings->avail.idx = (uint16_t)(guest.rings->avail.idx + GUEST_SIZE + 1);
	assert_int_equal(virtqueue_dequeue(&guest.vq, pool, m, 32), 0);
	assert_int_equal(guest.vq.n_errors, 1);
	expect_used(0);
}

static void without_packet_buffers_frames_wait(void **)
{
	struct rte_mbuf *all[POOL_SIZE], *m;

	assert_int_equal(rte_pktmbuf_alloc_bulk(pool, all, POOL_SIZE), 0);
	fill(BUFFER + HEADER, 60, 1);
	guest_desc(&guest, 3, BUFFER, HEADER + 60, 0, 0);
	guest_offer(&guest, 3);
	assert_int_equal(virtqueue_dequeue(&guest.vq, pool, &m, 1), 0);
	assert_int_equal(guest.vq.n_nombuf, 1);
	expect_used(0);
	rte_pktmbuf_free_bulk(all, POOL_SIZE);
	expect_frame(60, 1);
}

// ── To the guest ───────────────────────────────────────────────────────────────────────────────

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

#define TEST(f, features)                                                     \
	{                                                                     \
#f, f, open_queue, close_queue, (void *)(uintptr_t)(features) \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_frame_in_one_buffer_comes_out, MODERN),
		TEST(frames_come_out_in_order_past_the_wrap_of_the_index, MODERN),
		TEST(a_header_of_its_own_is_skipped, MODERN),
		TEST(a_header_over_two_buffers_is_skipped, MODERN),
		TEST(an_indirect_table_is_followed, MODERN),
		TEST(a_long_frame_becomes_a_chain, MODERN),
		TEST(a_buffer_across_two_regions_comes_out_whole, MODERN),
		TEST(offload_headers_are_ignored, MODERN),
		TEST(a_frame_too_short_is_refused, MODERN),
		TEST(a_frame_too_long_is_refused, MODERN),
		TEST(a_head_outside_the_ring_is_refused, MODERN),
		TEST(a_next_outside_the_ring_is_refused, MODERN),
		TEST(a_chain_in_a_circle_is_refused, MODERN),
		TEST(an_address_outside_the_memory_is_refused, MODERN),
		TEST(an_address_below_the_memory_is_refused, MODERN),
		TEST(an_address_that_wraps_is_refused, MODERN),
		TEST(a_buffer_for_the_device_to_write_is_refused_as_a_frame, MODERN),
		TEST(an_indirect_table_outside_the_memory_is_refused, MODERN),
		TEST(an_indirect_table_of_odd_length_is_refused, MODERN),
		TEST(an_indirect_table_in_another_is_refused, MODERN),
		TEST(more_entries_than_the_ring_has_are_none, MODERN),
		TEST(without_packet_buffers_frames_wait, MODERN),
		TEST(frames_go_into_single_buffers, MODERN),
		TEST(a_full_ring_takes_a_prefix, MODERN),
		TEST(a_chain_of_mbufs_goes_into_a_chain_of_descriptors, MODERN),
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
