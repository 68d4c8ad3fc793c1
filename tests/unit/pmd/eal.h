// EAL for the tests of this folder: ordinary memory, no files left behind, no devices.
#pragma once

#include <rte_eal.h>
#include <rte_mbuf.h>

#include <stdio.h>
#include <unistd.h>

#define EAL_DATA_ROOM 2432
#define EAL_PRIV_SIZE 128

// Starts EAL under a prefix of its own. Returns 0 or -1, as cmocka's group setup wants it.
static inline int eal_start(const char *name)
{
	char prefix[64];
	char *argv[] = {(char[]){"test"}, (char[]){"--no-huge"}, (char[]){"--no-shconf"},
		(char[]){"--no-pci"}, (char[]){"-m"}, (char[]){"64"}, (char[]){"--no-telemetry"},
		(char[]){"--log-level=error"}, prefix};

	(void)snprintf(prefix, sizeof(prefix), "--file-prefix=pmd-%s-%d", name, getpid());
	return rte_eal_init((int)RTE_DIM(argv), argv) < 0 ? -1 : 0;
}

// A pool whose buffers lie side by side. rte_pktmbuf_pool_create() would leave gaps at the ends of
// pages (4 KB without hugepages: one buffer a page), and net_af_xdp does not expect gaps.
static inline struct rte_mempool *eal_pool(const char *name, unsigned int n)
{
	struct rte_mempool *mp = rte_mempool_create_empty(name, n,
		sizeof(struct rte_mbuf) + EAL_PRIV_SIZE + EAL_DATA_ROOM, n < 1024 ? 0 : 256,
		sizeof(struct rte_pktmbuf_pool_private), 0, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
	struct rte_pktmbuf_pool_private priv = {
		.mbuf_data_room_size = EAL_DATA_ROOM, .mbuf_priv_size = EAL_PRIV_SIZE};

	if (mp == NULL)
		return NULL;
	rte_pktmbuf_pool_init(mp, &priv);
	if (rte_mempool_populate_default(mp) < 0) {
		rte_mempool_free(mp);
		return NULL;
	}
	(void)rte_mempool_obj_iter(mp, rte_pktmbuf_init, NULL);
	return mp;
}

// A packet of len bytes that counts up from `first`.
static inline struct rte_mbuf *eal_frame(struct rte_mempool *pool, uint16_t len, uint8_t first)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	uint8_t *p;

	if (m == NULL)
		return NULL;
	p = (uint8_t *)rte_pktmbuf_append(m, len);
	for (uint16_t i = 0; p != NULL && i < len; i++)
		p[i] = (uint8_t)(first + i);
	return m;
}
