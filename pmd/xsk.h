// One AF_XDP socket and its four rings, shared with the kernel. Each ring has one side here: this
// process produces into fill and tx, and consumes from rx and completion.
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/if_xdp.h>

struct umem;

// Of kernel 6.6, newer than some of the headers that this is built with.
#ifndef XDP_USE_SG
#define XDP_USE_SG (1 << 4)
#define XDP_PKT_CONTD (1 << 0)
#endif

struct xsk_ring {
	_Atomic uint32_t *producer, *consumer; // the kernel's memory
	const uint32_t *flags; // XDP_RING_NEED_WAKEUP, written by the kernel
	void *entries; // uint64_t (fill, completion) or struct xdp_desc (rx, tx)
	uint32_t mask;
	uint32_t mine; // our side's position, not always published yet
	void *map; // the mapping and its length
	size_t map_len;
};

struct xsk {
	int fd;
	struct xsk_ring rx, tx, fill, completion;
};

// Opens a socket on queue 0 of the device; all rings have ring_size entries, a power of two.
// 0, or -errno with *ret_why set.
int xsk_open(const struct umem *u, int ifindex, uint32_t ring_size, struct xsk *ret_xsk,
	const char **ret_why);
// No buffer is touched by the kernel after this.
void xsk_close(struct xsk *x);

// The steps that the UMEM's own socket shares. shared_fd: a socket whose UMEM to use, or -1.
int xsk_ring_sizes(int fd, uint32_t size);
int xsk_bind(int fd, int ifindex, uint16_t flags, int shared_fd);

// Consumer: how many entries the kernel has produced beyond our position.
static inline uint32_t xsk_ready(const struct xsk_ring *r)
{
	return atomic_load_explicit(r->producer, memory_order_acquire) - r->mine;
}

// Consumer: gives the entries before our position back.
static inline void xsk_release(struct xsk_ring *r)
{
	atomic_store_explicit(r->consumer, r->mine, memory_order_release);
}

// Producer: makes the entries before our position visible.
static inline void xsk_submit(struct xsk_ring *r)
{
	atomic_store_explicit(r->producer, r->mine, memory_order_release);
}

// Producer: how many entries the kernel has not taken yet.
static inline uint32_t xsk_pending(const struct xsk_ring *r)
{
	return r->mine - atomic_load_explicit(r->consumer, memory_order_acquire);
}

static inline struct xdp_desc *xsk_desc(const struct xsk_ring *r, uint32_t i)
{
	return (struct xdp_desc *)r->entries + (i & r->mask);
}

static inline uint64_t *xsk_addr(const struct xsk_ring *r, uint32_t i)
{
	return (uint64_t *)r->entries + (i & r->mask);
}
