// The UMEM: the packet pool as the kernel's AF_XDP sockets see it. One per pool and process,
// shared by all sockets. Control thread only.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_mempool.h>

#include "pmd/pool.h"

// The kernel leaves this much in front of received data (XDP_PACKET_HEADROOM).
#define UMEM_DATA_OFF 256
// Longest piece of a frame that fits behind it.
#define UMEM_PIECE_MAX (POOL_DATA_ROOM - UMEM_DATA_OFF)

// What the kernel is told about chunks. It keeps about 168 bytes per chunk *and socket*, for as
// many chunks as would fit side by side, so the largest size it allows is the cheapest. A chunk
// ends where its buffer ends and begins before it, overlapping others; the part in front is
// declared headroom, which the kernel never touches.
#define UMEM_CHUNK 4096
#define UMEM_HEADROOM (UMEM_CHUNK - POOL_DATA_ROOM)

struct umem {
	struct rte_mempool *pool; // not owned
	int fd; // the socket that holds the UMEM; others share it
	char *base; // address 0 of the UMEM
	size_t len;
	bool multi_buffer; // frames may be chains of buffers (kernel 6.6 and later)
	uint32_t n_users;
	struct umem *next;
};

// The UMEM over pool, made for its first user. 0, or -errno with *ret_why set.
int umem_get(struct rte_mempool *pool, struct umem **ret_umem, const char **ret_why);
void umem_put(struct umem *u);
