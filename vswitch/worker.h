// A worker: one lcore that polls its queues, runs the pipelines and sends what comes out of them.
// Private to the data plane; the control thread starts and stops workers and reads their counters.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vswitch/burst.h"
#include "vswitch/outbox.h"
#include "vswitch/pollset.h"
#include "vswitch/punts.h"

struct rcu;

// What one worker counts of one port. worker: w, control: r
struct port_count {
	_Atomic uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	struct icmp_limit icmp_limit; // private to the worker
	_Atomic uint64_t drops[DROP_REASON_COUNT];
} __attribute__((aligned(64)));

// What one worker counts of the queue at one place of its list, whichever that is. worker: w, control: r
struct queue_count {
	_Atomic uint64_t packets,
		cycles; // TSC cycles from poll to outbox, of polls that found packets
};

struct worker {
	uint16_t number;
	unsigned lcore;
	const struct tables *tables;
	struct rcu *rcu;
	_Atomic(const struct poll_list *) list; // control: w, worker: r
	atomic_bool stop; // control: w, worker: r

	// Where the control thread hears of punts. It is written only while it listens.
	int punt_fd;
	atomic_bool *listening; // control: sets, workers: clear

	// worker: w, control: r
	_Atomic uint64_t rounds, busy_rounds, packets, sleeps, cycles_busy, cycles_idle;

	struct pollset poll; // private to the worker
	struct outbox out;
	struct burst burst;
	struct punt_ring punts;
	struct queue_count queue[POLL_QUEUES_MAX];
	struct port_count count[VPORT_MAX]; // by the port's number
} __attribute__((aligned(64)));

// The lcore's function: returns when w->stop is set and w->poll.wake_fd was written.
int worker_main(void *w);
