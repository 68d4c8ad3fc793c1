// A virtqueue between the device under test and a guest, for the tests of either direction.
#pragma once

#include "tests/unit/pmd/guest.h"

#include "eal.h"
#include "pmd/port.h"

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
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

static inline int start(void **)
{
	if (eal_start("virtqueue") < 0)
		return -1;
	pool = eal_pool("virtqueue", POOL_SIZE);
	return pool == NULL ? -1 : 0;
}

// Opens a queue with the features that a test has as its state, shortly before the indices wrap.
static inline int open_queue(void **state)
{
	guest_open(&guest, (uint64_t)(uintptr_t)*state, UINT16_MAX - 1);
	return 0;
}

// Whatever happened, no packet buffer is lost.
static inline int close_queue(void **)
{
	guest_close(&guest);
	return rte_mempool_avail_count(pool) == POOL_SIZE ? 0 : -1;
}

// What the guest has got back, oldest first.
static inline const struct vring_used_elem *used(uint16_t i)
{
	return &guest.rings->used.ring[(uint16_t)(UINT16_MAX - 1 + i) % GUEST_SIZE];
}

static inline void expect_used(uint16_t n)
{
	assert_int_equal((uint16_t)(guest.rings->used.idx - (UINT16_MAX - 1)), n);
}

// A test with the features that its guest has negotiated.
#define TEST(f, features)                                                     \
	{                                                                     \
#f, f, open_queue, close_queue, (void *)(uintptr_t)(features) \
	}
