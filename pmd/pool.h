// The packet pool: one mempool whose memory is also the UMEM of every AF_XDP socket.
#pragma once

#include <stdint.h>

#include <rte_mempool.h>

// Bytes of one buffer that hold a frame, headroom included.
#define POOL_DATA_ROOM 2432

// Creates a pool of n packet buffers with priv_size private bytes each, in one contiguous,
// page-aligned range, on hugepages if EAL has them and ordinary memory otherwise.
// Returns NULL and sets rte_errno on failure.
struct rte_mempool *pool_new(const char *name, uint32_t n, uint16_t priv_size, int socket);
