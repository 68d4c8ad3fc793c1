// A guest's half of a virtqueue in ordinary memory: a driver that lays out rings and buffers as told.
#pragma once

#include "pmd/virtqueue.h"

#define GUEST_SIZE 8 // entries
#define GUEST_BASE 0x10000000 // guest address of the first region
#define GUEST_LEN 0x20000
#define GUEST_BASE2 (GUEST_BASE + GUEST_LEN) // the second region follows the first …
#define GUEST_BUFFERS 0x4000 // offset of the first byte that is no ring

// What a guest's memory begins with.
struct guest_rings {
	struct vring_desc desc[GUEST_SIZE];
	struct {
		uint16_t flags, idx, ring[GUEST_SIZE], used_event;
	} avail;
	struct {
		uint16_t flags, idx;
		struct vring_used_elem ring[GUEST_SIZE];
		uint16_t avail_event;
	} used;
};

struct guest {
	struct rte_vhost_memory *memory; // owned; two regions
	uint8_t *bytes[2]; // owned; … but not at our addresses
	struct guest_rings *rings; // in bytes[0]
	int call_fd;
	struct virtqueue vq; // as the switch sees it
};

// Opens the queue with these features; its next entry is `next`.
void guest_open(struct guest *g, uint64_t features, uint16_t next);
void guest_close(struct guest *g);
// The same with empty rings; what is in the buffers stays.
void guest_reset(struct guest *g, uint64_t features, uint16_t next);
// Sets a descriptor to a buffer at a guest address.
void guest_desc(
	struct guest *g, uint16_t i, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next);
// Makes the chain that begins at a descriptor available.
void guest_offer(struct guest *g, uint16_t head);
// Our address of the guest's.
uint8_t *guest_at(struct guest *g, uint64_t addr);
