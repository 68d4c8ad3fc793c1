// Inside the AF_XDP driver: a port, and what its halves call of each other.
#pragma once

#include "pmd/afxdp.h"
#include "pmd/inflight.h"
#include "pmd/umem.h"
#include "pmd/xsk.h"

#include <rte_spinlock.h>

struct afxdp {
	struct port port;
	struct umem *umem; // a reference
	struct xsk xsk;
	int ifindex;
	bool native;
	struct xdp_prog *prog; // NULL while there is none on the device
	_Atomic bool gone; // the device was deleted; workers: w, all: r

	// The polling worker's.
	struct inflight rx __rte_cache_aligned;
	struct rte_mbuf *chain, *chain_tail; // a frame whose last piece has not arrived
	uint32_t goal; // buffers to keep posted
	uint32_t calm; // times in a row with few frames
	bool starved; // the last attempt to post buffers found the pool empty
	uint64_t rx_nombuf; // worker: w, control: r
	uint64_t rx_errors;

	// Of all workers, under the lock.
	rte_spinlock_t tx_lock __rte_cache_aligned;
	_Atomic bool
		tx_stuck; // the kernel did not take all descriptors; the polling worker retries
	struct inflight tx;
	uint64_t tx_errors;
};

static inline struct afxdp *afxdp(struct port *p)
{
	return (struct afxdp *)p;
}

// afxdp_rx.c: by the polling worker only, and before the port is published.

// Posts the buffers that a port at rest has.
void afxdp_rx_init(struct afxdp *a);
uint16_t afxdp_rx(struct port *p, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);
int afxdp_rx_fd(struct port *p, uint16_t queue);
void afxdp_rx_wakeup(struct port *p, uint16_t queue, bool on);

// afxdp_tx.c: by any worker.

uint16_t afxdp_tx(struct port *p, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);
// Has the kernel send what it did not take, unless another worker is at it.
void afxdp_tx_retry(struct afxdp *a);
