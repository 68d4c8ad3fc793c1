// The packet pool: one mempool whose memory is also the UMEM of every AF_XDP socket.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>

// Bytes of one buffer that hold a frame, headroom included: 256 that AF_XDP keeps in front of
// received data, and 2176 for a frame of 1500 bytes of IP with all the headers it may gain, or a
// large piece of a longer one.
#define POOL_DATA_ROOM 2432

// Creates a pool of n packet buffers with priv_size private bytes each, in one contiguous,
// page-aligned range, on hugepages if EAL has them and ordinary memory otherwise, of a NUMA node or SOCKET_ID_ANY.
// Returns NULL and sets rte_errno on failure.
struct rte_mempool *pool_new(const char *name, uint32_t n, uint16_t priv_size, int socket);

// Frees packets. Those that are one whole buffer, as most are, cost less than by rte_pktmbuf_free_bulk().
// pkts[] is overwritten.
void pool_free_bulk(struct rte_mbuf **pkts, uint16_t n);

// The range that holds all buffers of a pool from pool_new(): whole pages, and at least one page
// before the first buffer.
void pool_range(struct rte_mempool *pool, void **ret_addr, size_t *ret_len);
