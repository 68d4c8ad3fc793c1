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

// What is known of a port number.
struct port_entry {
	struct port *dev; // owned
	enum port_state state;
	uint16_t index;
	enum vport_kind kind;
	uint16_t worker[PORT_QUEUES_MAX]; // who polls queue i
	struct port_counters before; // what the number's former ports have counted
	void (*closed)(void *arg);
	void *closed_arg;
};

struct ports {
	struct rcu *rcu; // not owned, as the next two
	struct tables *tables;
	struct worker *const *worker;
	uint16_t n_workers;
	uint32_t last_queue_id;
	uint64_t list_version;
	struct port_entry port[VPORT_MAX];
};

// See dataplane_add_port and so on.
int ports_add(struct ports *ps, struct vport *vport);
int ports_add_at(struct ports *ps, struct vport *vport, uint16_t index); // a free number
int ports_set(struct ports *ps, const struct vport *vport);
void ports_del(struct ports *ps, uint16_t index, void (*closed)(void *arg), void *arg);
void ports_counters(const struct ports *ps, uint16_t index, struct port_counters *ret_counters);

// Goes on with removals that lacked memory.
void ports_poll(struct ports *ps);
// Closes all ports. No worker may be running, and nothing be deferred.
void ports_fini(struct ports *ps);
