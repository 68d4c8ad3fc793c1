// EAL for the tests of this folder: ordinary memory, no files left behind, no devices.
#pragma once

#include "pmd/pool.h"

#include <rte_eal.h>
#include <rte_mbuf.h>

#include <stdio.h>
#include <unistd.h>

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

static inline struct rte_mempool *eal_pool(const char *name, unsigned int n)
{
	return pool_new(name, n, EAL_PRIV_SIZE, SOCKET_ID_ANY);
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
