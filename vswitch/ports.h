// The ports of the data plane and who polls them: numbers, poll lists, counters, and removal in two
// phases. Private to the data plane; control thread only.
#pragma once

#include <stdint.h>

#include "vswitch/dataplane.h"
#include "vswitch/worker.h"

enum port_state {
	PORT_FREE,
	PORT_PUBLISHED,
	PORT_LISTED, // to be taken off the poll lists as soon as there is memory for new ones
	PORT_CLOSING, // within its grace period
};

enum seat_state {
	SEAT_TAKEN, // in its worker's list
	SEAT_LEAVING, // taken off another worker's list, which may still look at it
	SEAT_WAITING, // as TAKEN, as soon as there is memory for a list
};

// Where a queue is polled.
struct seat {
	enum seat_state state;
	uint16_t worker;
	uint16_t place; // in its list
	uint16_t n_moves;
	struct queue_counters before; // counted elsewhere, less what the place had counted before
	uint64_t seen; // cycles at the beginning of this interval of rebalance.c
	uint64_t load; // cycles in the last one, with its part of what a round costs
};

// What is known of a port number.
struct port_entry {
	struct port *dev; // owned
	enum port_state state;
	uint16_t index;
	enum vport_kind kind;
	struct seat seat[PORT_QUEUES_MAX]; // of each queue
	struct port_counters before; // what the number's former ports have counted
	port_retired *retired; // takes dev; NULL: it is closed here
	void *retired_arg;
};

struct ports {
	struct rcu *rcu; // not owned, as the next two
	struct tables *tables;
	struct worker *const *worker;
	uint16_t n_workers;
	uint32_t last_queue_id;
	uint64_t list_version;
	uint64_t interval; // TSC cycles of the last interval of rebalancing
	uint32_t n_moving; // queues that no worker polls at the moment
	struct port_entry port[VPORT_MAX];
};

// See dataplane_add_port and so on.
int ports_add(struct ports *ps, struct vport *vport);
int ports_add_at(struct ports *ps, struct vport *vport, uint16_t index); // a free number
int ports_set(struct ports *ps, const struct vport *vport);
void ports_del(struct ports *ps, uint16_t index, port_retired *retired, void *arg);
void ports_counters(const struct ports *ps, uint16_t index, struct port_counters *ret_counters);

// See dataplane_move_queue and dataplane_queue_info.
int ports_move_queue(struct ports *ps, uint16_t index, uint16_t queue, uint16_t worker);
int ports_queue_info(
	const struct ports *ps, uint16_t index, uint16_t queue, struct queue_info *ret_info);

// Goes on with what lacked memory.
void ports_poll(struct ports *ps);
// Devices that are still to be given back are closed here instead, and nobody is called.
void ports_abandon(struct ports *ps);
// Closes all ports. No worker may be running, and nothing be deferred.
void ports_fini(struct ports *ps);
