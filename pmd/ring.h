// Ring: a port made of two in-process rings, for tests, benchmarks and for the control thread,
// which sends its own packets (ARP requests, gratuitous ARP) through one.
#pragma once

#include "pmd/port.h"

// Creates a ring port with one queue; size is a power of two. `threadsafe` makes both rings
// multi-producer. Returns NULL and sets rte_errno on failure.
struct port *ring_open(const char *name, struct rte_mempool *pool, uint16_t size, bool threadsafe);

// The other end: what the switch will receive, and what it sent. Returns how many frames moved;
// ownership moves with them.
uint16_t ring_feed(struct port *p, struct rte_mbuf **pkts, uint16_t n);
uint16_t ring_drain(struct port *p, struct rte_mbuf **pkts, uint16_t n);

// Makes the port's rx_fd readable, so that an idle worker looks at the ring at once.
void ring_kick(struct port *p);
