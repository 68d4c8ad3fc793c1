// The data plane as the control thread handles it: workers, tables, ports and the packet pool.
// All functions are the control thread's, and none of them waits for a worker.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pmd/port.h"
#include "vswitch/burst.h"
#include "vswitch/tables.h"

struct dataplane;

// A queue that was given to another worker.
struct queue_move {
	uint16_t port, queue;
	uint16_t from, to;
	unsigned load; // of the queue, percent of a CPU
};

// When queues move by themselves: the busiest worker has a load, and the workers' loads would differ by less
// (the percentage is that of their variance), both for some intervals in a row. See doc/concurrency.md.
struct rebalance_conf {
	uint32_t interval_ms; // 0: never
	unsigned load; // percent of a CPU
	unsigned gain; // percent
	unsigned n_intervals; // at least 1
	void (*moved)(const struct queue_move *move, void *arg); // may be NULL
	void *arg;
};

struct dataplane_conf {
	uint16_t n_workers; // EAL lcores other than the main one, at least 1
	bool busy; // workers never sleep
	uint32_t n_buffers; // packet buffers
	int16_t numa_node; // where they should be, if there is room; SOCKET_ID_ANY: anywhere
	uint32_t n_routes; // addresses to make room for
	uint32_t idle_pause_us; // how long a silent queue is polled before it rests; 0: default
	struct rebalance_conf rebalance;
};

// Creates pool, tables and workers and launches the workers. EAL is initialised. 0 or -errno.
int dataplane_open(const struct dataplane_conf *conf, struct dataplane **ret_dp);
// Stops the workers, closes all ports, frees everything.
void dataplane_close(struct dataplane *dp);

struct tables *dataplane_tables(struct dataplane *dp);
struct rte_mempool *dataplane_pool(struct dataplane *dp);
uint16_t dataplane_n_workers(const struct dataplane *dp);

// Publishes a port: gives it a free number (vport->index is set), and its queues to workers.
// Takes vport->dev. 0; -ENOSPC when all numbers are taken, -ENOMEM: nothing has changed.
int dataplane_add_port(struct dataplane *dp, struct vport *vport);
// Replaces what the data path knows of a published port (addresses, Subnets, name); dev and kind stay
// as they are. 0; -ENOENT, -ENOMEM: nothing has changed.
int dataplane_set_port(struct dataplane *dp, const struct vport *vport);
// What becomes of the device of a port that no worker knows any more: the callee's, who closes it, in
// whatever thread, since that can take the kernel a while. Called in the control thread.
typedef void port_retired(struct port *dev, void *arg);
// Unpublishes the port; after a grace period retired(dev, arg) is called (NULL: the device is closed
// there), and the number may be given to another port. Nothing happens if there is no port. With
// dataplane_close() the device is closed there, and nobody called.
void dataplane_del_port(struct dataplane *dp, uint16_t index, port_retired *retired, void *arg);

// Gives a queue to another worker, without loss or disorder: nobody polls it until a grace period has
// passed. 0; -ENOENT: no such port, queue or worker; -EPERM: it is the control thread's own; -EBUSY: it is on
// its way already; -ENOMEM.
int dataplane_move_queue(struct dataplane *dp, uint16_t port, uint16_t queue, uint16_t worker);

// Sends a complete Ethernet frame (VLAN tag included) out of the uplink. Copies it. Best effort.
void dataplane_send(struct dataplane *dp, const void *frame, uint16_t len);

// A descriptor that is readable while punts wait (for the event loop), and the way to read them.
// Also runs deferred frees and moves queues; call it from a timer as well, at least every 100 ms.
int dataplane_punt_fd(const struct dataplane *dp);
void dataplane_poll(struct dataplane *dp, void (*punt)(const struct punt *p, void *arg), void *arg);

struct port_counters {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	uint64_t drops[DROP_REASON_COUNT];
};
// The sum over all workers since the port was published. Zero for a number without a port.
void dataplane_port_counters(
	const struct dataplane *dp, uint16_t index, struct port_counters *ret_counters);

struct queue_counters {
	uint64_t packets;
	uint64_t
		cycles; // TSC cycles in which they were received and processed, without the sending
};

struct queue_info {
	uint16_t worker; // who polls it, or did until it went on its way to another one
	int16_t numa_node; // of its device, or -1
	uint16_t n_moves;
	unsigned
		load; // in the last interval of rebalancing, per thousand of a CPU, sending included
	struct queue_counters counters; // since the port was published
};
// 0; -ENOENT: no such port or queue.
int dataplane_queue_info(
	const struct dataplane *dp, uint16_t port, uint16_t queue, struct queue_info *ret_info);

struct worker_counters {
	unsigned lcore;
	uint64_t rounds, busy_rounds; // polls of all queues; those that found a packet
	uint64_t packets;
	uint64_t sleeps; // times it waited on descriptors
	uint64_t punts_lost; // for which the ring to the control thread had no room
	uint64_t cycles_busy, cycles_idle; // TSC cycles in rounds with and without packets
	uint64_t n_queues; // that it polls
	int16_t numa_node; // of its CPU
	unsigned load; // in the last interval of rebalancing, per thousand of its CPU
};
void dataplane_worker_counters(
	const struct dataplane *dp, uint16_t worker, struct worker_counters *ret_counters);
