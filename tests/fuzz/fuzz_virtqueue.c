// Fuzzes a guest's virtqueue: whatever its driver writes into rings and tables, the device stays within
// the guest's memory, ends, gives every entry back at most once, and loses no packet buffer.
//
// An input is one byte of FEATURE_*, one for how far the available index is ahead, then descriptors of
// eight bytes each: address (24 bits, little endian, from shortly below the guest's memory on), length
// (16), flags, next, and a byte that is its place's entry in the available ring. The first ones are the
// ring's, the others lie in memory for indirect tables.
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "pmd/port.h"
#include "tests/unit/pmd/eal.h"
#include "tests/unit/pmd/guest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FEATURE_MODERN 0x01
#define FEATURE_MERGEABLE 0x02
#define FEATURE_EVENTS 0x04
#define HEAD_LEN 2
#define DESC_LEN 8
#define TABLE_MAX 64
#define POOL_SIZE 255
#define N_SENT 8

static struct rte_mempool *pool;
static struct guest guest;

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void start(void)
{
	check(eal_start("fuzz-virtqueue") == 0);
	pool = eal_pool("fuzz_virtqueue", POOL_SIZE);
	check(pool != NULL);
	guest_open(&guest, 0, 0);
}

static uint64_t features(uint8_t byte)
{
	uint64_t f = 0;

	if ((byte & FEATURE_MODERN) != 0)
		f |= 1ULL << VIRTIO_F_VERSION_1;
	if ((byte & FEATURE_MERGEABLE) != 0)
		f |= 1ULL << VIRTIO_NET_F_MRG_RXBUF;
	if ((byte & FEATURE_EVENTS) != 0)
		f |= 1ULL << VIRTIO_RING_F_EVENT_IDX;
	return f;
}

static struct vring_desc desc(const uint8_t *d)
{
	uint32_t offset = d[0] | (uint32_t)d[1] << 8 | (uint32_t)d[2] << 16;

	return (struct vring_desc){.addr = GUEST_BASE - 64 + offset % (2 * GUEST_LEN + 128),
		.len = d[3] | (uint32_t)d[4] << 8,
		.flags = d[5],
		.next = d[6]};
}

static void lay_out(const uint8_t *data, size_t size)
{
	struct vring_desc *table = (void *)guest_at(&guest, GUEST_BASE + GUEST_BUFFERS);

	memset(table, 0, TABLE_MAX * sizeof(*table));
	for (size_t i = 0; i < TABLE_MAX && (i + 1) * DESC_LEN <= size; i++) {
		const uint8_t *d = data + i * DESC_LEN;
		if (i < GUEST_SIZE) {
			guest.rings->desc[i] = desc(d);
			guest.rings->avail.ring[i] = d[7];
		} else {
			table[i - GUEST_SIZE] = desc(d);
		}
	}
}

static void receive(void)
{
	struct rte_mbuf *m[64];
	uint16_t before = guest.rings->used.idx;
	uint16_t n = virtqueue_dequeue(&guest.vq, pool, m, 64);

	check((uint16_t)(guest.rings->used.idx - before) <= GUEST_SIZE);
	check(n <= GUEST_SIZE);
	for (uint16_t i = 0; i < n; i++) {
		rte_mbuf_sanity_check(m[i], 1);
		check(m[i]->pkt_len >= RTE_ETHER_HDR_LEN && m[i]->pkt_len <= PORT_FRAME_MAX);
	}
	rte_pktmbuf_free_bulk(m, n);
}

static void transmit(void)
{
	static const uint16_t len[N_SENT] = {60, 1514, 60, 2000, 14, 1400, 300, 60};
	struct rte_mbuf *m[N_SENT];
	uint16_t before = guest.rings->used.idx;

	for (int i = 0; i < N_SENT; i++)
		m[i] = eal_frame(pool, len[i], 0);
	check(rte_pktmbuf_chain(m[2], eal_frame(pool, 1000, 0)) == 0);
	check(virtqueue_enqueue(&guest.vq, m, N_SENT) <= N_SENT);
	check((uint16_t)(guest.rings->used.idx - before) <= GUEST_SIZE);
	rte_pktmbuf_free_bulk(m, N_SENT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (pool == NULL)
		start();
	if (size < HEAD_LEN)
		return 0;
	for (int direction = 0; direction < 2; direction++) {
		guest_reset(&guest, features(data[0]), 0);
		lay_out(data + HEAD_LEN, size - HEAD_LEN);
		guest.rings->avail.idx = data[1];
		virtqueue_want_kicks(&guest.vq, true);
		(direction == 0 ? receive : transmit)();
		check(rte_mempool_avail_count(pool) == POOL_SIZE);
	}
	return 0;
}
