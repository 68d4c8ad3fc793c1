// A guest's virtqueue as the device sees it: the split ring of VIRTIO 1.1 (section 2.6) that carries
// virtio-net frames (section 5.1.6). Everything behind it is the guest's memory: it may say anything,
// and say something else the next moment, so each field is read once and checked before use.
//
// A ring is for one thread at a time. None of these functions allocates, but for packet buffers, or
// waits; a kick to the guest that asked for it is a system call.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_ring.h>
#include <rte_mbuf.h>
#include <rte_vhost.h>

struct virtqueue_conf {
	struct rte_vhost_vring rings; // addresses, size (a power of two), callfd; not owned
	const struct rte_vhost_memory *memory; // the guest's; not owned, at least one region
	uint64_t features; // negotiated, as 1ULL << VIRTIO_…
	uint16_t next; // index of the first entry that is not used yet
	int log_vid; // of the device whose writes are logged for a migration, -1: they are not
	uint16_t log_ring;
};

struct virtqueue {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	const struct rte_vhost_memory *memory;
	const struct rte_vhost_mem_region *region; // where the last buffer was
	uint16_t size;
	uint16_t next; // the next entry of either ring
	uint16_t signalled; // value of `next` when the guest was last told, or needed not be
	uint16_t header_len; // of struct virtio_net_hdr in front of each frame
	bool has_signalled;
	bool has_event_index; // VIRTIO_F_EVENT_IDX
	bool is_mergeable; // VIRTIO_NET_F_MRG_RXBUF
	int call_fd; // -1: the guest polls
	int log_vid;
	uint16_t log_ring;
	uint64_t n_errors; // entries that were no frame, frames that no buffer was long enough for
	uint64_t n_nombuf; // frames that waited for lack of packet buffers
};

void virtqueue_open(struct virtqueue *vq, const struct virtqueue_conf *conf);

// Takes up to n frames out of the guest's buffers, which it gets back. Offload headers are ignored: the
// features that would give them a meaning are not offered. Returns how many there were; they are the
// caller's.
uint16_t virtqueue_dequeue(
	struct virtqueue *vq, struct rte_mempool *pool, struct rte_mbuf **pkts, uint16_t n);
// Copies frames into the guest's buffers. Returns how many were taken (a prefix: the guest had no more
// room); all are still the caller's. A frame that fits no buffer that the guest may ever give is taken
// and counted as an error.
uint16_t virtqueue_enqueue(struct virtqueue *vq, struct rte_mbuf **pkts, uint16_t n);
// Asks the guest for kicks when it makes entries available, or not to kick. After asking, look once
// more before waiting.
void virtqueue_want_kicks(struct virtqueue *vq, bool on);
