// Frames from a guest, whose driver does all that VIRTIO 1.1 (2.6) allows, and some that it does not.
#include "tests/unit/pmd/virtqueue_suite.h"

// Bytes that count up, at a guest address.
static void fill(uint64_t addr, uint32_t len, uint8_t first)
{
	for (uint32_t i = 0; i < len; i++)
		*guest_at(&guest, addr + i) = (uint8_t)(first + i);
}

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

static void a_circle_of_empty_buffers_is_refused(void **)
{
	guest_desc(&guest, 0, BUFFER, 0, VRING_DESC_F_NEXT, 1);
	guest_desc(&guest, 1, BUFFER, 0, VRING_DESC_F_NEXT, 0);
	expect_refused(0);
}

static void a_next_outside_an_indirect_table_is_refused(void **)
{
	struct vring_desc *table = (void *)guest_at(&guest, BUFFER + 0x2000);

	table[0] = (struct vring_desc){
		.addr = BUFFER + 0x1000, .len = HEADER, .flags = VRING_DESC_F_NEXT, .next = 1};
	table[1] = (struct vring_desc){.addr = BUFFER + 0x1000, .len = 60};
	guest_desc(&guest, 0, BUFFER + 0x2000, sizeof(table[0]), VRING_DESC_F_INDIRECT, 0);
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
		TEST(a_circle_of_empty_buffers_is_refused, MODERN),
		TEST(a_next_outside_an_indirect_table_is_refused, MODERN),
		TEST(an_address_outside_the_memory_is_refused, MODERN),
		TEST(an_address_below_the_memory_is_refused, MODERN),
		TEST(an_address_that_wraps_is_refused, MODERN),
		TEST(a_buffer_for_the_device_to_write_is_refused_as_a_frame, MODERN),
		TEST(an_indirect_table_outside_the_memory_is_refused, MODERN),
		TEST(an_indirect_table_of_odd_length_is_refused, MODERN),
		TEST(an_indirect_table_in_another_is_refused, MODERN),
		TEST(more_entries_than_the_ring_has_are_none, MODERN),
		TEST(without_packet_buffers_frames_wait, MODERN),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
