// What the files of the virtqueue share: the guest's memory, entries of the rings, chains of
// descriptors. For virtqueue*.c only.
#pragma once

#include "pmd/virtqueue.h"

#include <stdatomic.h>
#include <string.h>

#define VIRTQUEUE_PIECES_MAX 256 // of the guest's memory that one frame may be spread over

// A contiguous piece of the guest's memory, at our address.
struct piece {
	uint8_t *at;
	uint32_t len;
	uint64_t guest; // its address there
};

// The pieces of the chain at head that the device may write, or read, behind the n_pieces that are
// there already. False: it is broken, or has more than VIRTQUEUE_PIECES_MAX.
bool chain_gather(struct virtqueue *vq, uint16_t head, bool writable, struct piece *pieces,
	uint32_t *n_pieces);

// Gives the guest the next n entries back, which are written.
void virtqueue_give_back(struct virtqueue *vq, uint16_t n);

// ── The guest's memory ─────────────────────────────────────────────────────────────────────────

// Where the guest's address is, and in *len how much of the wanted length is there in one piece. NULL:
// nowhere.
static inline void *host_of(struct virtqueue *vq, uint64_t addr, uint64_t *len)
{
	const struct rte_vhost_mem_region *g = vq->region;

	if (unlikely(addr - g->guest_phys_addr >= g->size)) {
		const struct rte_vhost_memory *all = vq->memory;
		uint32_t i = 0;
		while (i < all->nregions &&
			addr - all->regions[i].guest_phys_addr >= all->regions[i].size)
			i++;
		if (i == all->nregions)
			return NULL;
		g = vq->region = &all->regions[i];
	}
	uint64_t offset = addr - g->guest_phys_addr;
	if (unlikely(*len > g->size - offset))
		*len = g->size - offset;
	return (void *)(uintptr_t)(g->host_user_addr + offset);
}

// The same for a thing that must be there in one piece.
static inline void *host_of_all(struct virtqueue *vq, uint64_t addr, uint64_t len)
{
	uint64_t there = len;
	void *at = host_of(vq, addr, &there);
	return there == len ? at : NULL;
}

static inline void log_write(const struct virtqueue *vq, uint64_t guest, uint64_t len)
{
	if (unlikely(vq->log_vid >= 0))
		rte_vhost_log_write(vq->log_vid, guest, len);
}

// ── Entries ────────────────────────────────────────────────────────────────────────────────────

// What the loops over a burst need of a ring, in the processor's registers: every fence makes the compiler
// read again what is in memory.
struct view {
	const struct vring_desc *desc;
	const uint16_t *avail;
	struct vring_used_elem *used;
	uint16_t size;
	uint16_t next;
	uint64_t guest, len; // the region where the last buffer was
	uint8_t *host;
};

static inline struct view view_of(const struct virtqueue *vq)
{
	const struct rte_vhost_mem_region *g = vq->region;

	return (struct view){.desc = vq->desc,
		.avail = vq->avail->ring,
		.used = vq->used->ring,
		.size = vq->size,
		.next = vq->next,
		.guest = g->guest_phys_addr,
		.len = g->size,
		.host = (uint8_t *)(uintptr_t)g->host_user_addr};
}

// Where the i-th entry from `next` is in either ring.
static inline uint16_t place(const struct view *v, uint16_t i)
{
	return (uint16_t)(v->next + i) & (uint16_t)(v->size - 1);
}

// How many of n entries the guest has made available. A guest that claims more than the ring has
// makes none.
static inline uint16_t available(struct virtqueue *vq, uint16_t n)
{
	uint16_t there = (uint16_t)(__atomic_load_n(&vq->avail->idx, __ATOMIC_ACQUIRE) - vq->next);

	if (unlikely(there > vq->size)) {
		vq->n_errors++;
		return 0;
	}
	return there < n ? there : n;
}

// The head of the chain at the i-th entry.
static inline uint16_t head_at(const struct view *v, uint16_t i)
{
	return __atomic_load_n(&v->avail[place(v, i)], __ATOMIC_RELAXED);
}

static inline void use(const struct view *v, uint16_t i, uint16_t head, uint32_t written)
{
	v->used[place(v, i)] = (struct vring_used_elem){.id = head, .len = written};
}

static inline struct vring_desc desc_read(const struct vring_desc *at)
{
	struct vring_desc d;

	memcpy(&d, at, sizeof(d));
	atomic_signal_fence(memory_order_acq_rel); // what will be checked is what will be used
	return d;
}

// Where all of the guest's len bytes at addr are. Looks at the region of the last ones first.
static inline void *view_host(struct virtqueue *vq, struct view *v, uint64_t addr, uint32_t len)
{
	uint64_t offset = addr - v->guest;

	if (likely(offset < v->len && len <= v->len - offset))
		return v->host + offset;
	void *at = host_of_all(vq, addr, len);
	*v = view_of(vq);
	return at;
}

// The one piece of a chain that has only that, as usual, and at least min bytes; .at is NULL if it has
// not.
static inline struct piece single(
	struct virtqueue *vq, struct view *v, uint16_t head, uint16_t flags, uint32_t min)
{
	if (unlikely(head >= v->size))
		return (struct piece){0};
	struct vring_desc d = desc_read(&v->desc[head]);
	if (unlikely(d.flags != flags || d.len < min))
		return (struct piece){0};
	return (struct piece){.at = view_host(vq, v, d.addr, d.len), .len = d.len, .guest = d.addr};
}
