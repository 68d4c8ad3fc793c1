// A data plane with ring ports, for tests. A pipeline of one stage stands in for the real ones: a
// frame says itself where it goes.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "pmd/ring.h"
#include "vswitch/dataplane.h"

#define RING 1024
#define N_PORTS 100 // more than a worker has boxes for
#define FRAME_LEN 60
#define PATIENCE_S 20 // how long a test waits for what must happen; never reached when all is well

#define ORDER_DROP 0x01
#define ORDER_PUNT 0x02

// What a frame begins with.
struct order {
	uint16_t out;
	uint16_t flags;
	uint32_t seq;
};

extern struct dataplane *dp;

// cmocka's: two workers or one, that sleep when there is nothing to do.
int setup(void **state);
int setup_one_worker(void **state);
int teardown(void **state);
int open_with(uint16_t n_workers, bool busy);

// Does control's work for a moment. Fails the test when there has been no success for too long.
void work(time_t deadline);
time_t deadline(void); // of what begins now
void no_punt(const struct punt *p, void *arg);

struct port *new_ring(uint16_t size);
uint16_t publish(struct port *dev, enum vport_kind kind); // its number
void remove_port(uint16_t index); // and waits until it is closed
// Closes the device of a port that was removed, and counts it in *(unsigned *)arg.
void retired(struct port *dev, void *arg);

struct rte_mbuf *frame(uint16_t out, uint16_t flags, uint32_t seq);
void feed(struct port *p, struct rte_mbuf *m);
// The sequence number of the next frame that comes out of p.
uint32_t next(struct port *p);

struct port_counters counters(uint16_t index);
struct worker_counters worker(uint16_t i);
