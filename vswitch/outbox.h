// Packets on their way out, gathered per destination port over a poll round, since what a driver
// does once per call (a lock, a doorbell, a system call) costs more than what it does per packet.
// Packets of one flow come through one queue and leave through one box, so they stay in order.
#pragma once

#include <stdint.h>

#include "vswitch/burst.h"

#define OUTBOX_PORTS 64 // destinations at a time; one more sends what has been gathered

struct outbox_port {
	uint16_t port; // number of the destination
	uint16_t n;
	uint32_t bytes;
	struct rte_mbuf *pkt[BURST_MAX];
};

// Private to its worker.
struct outbox {
	uint16_t n; // in use
	uint8_t slot[VPORT_MAX]; // where a port's box is, if there is one: box[slot].port tells
	struct outbox_port box[OUTBOX_PORTS];
};

struct worker;

// Takes packets whose way out is decided.
void outbox_put(struct worker *w, struct rte_mbuf **pkts, uint16_t n);
// Sends everything. What is not taken is dropped, and counted where it came in.
void outbox_flush(struct worker *w);
