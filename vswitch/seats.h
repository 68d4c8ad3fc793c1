// Which worker polls which queue: poll lists, and queues that change from one to another. Private to
// ports.c and rebalance.c; control thread only.
#pragma once

#include "vswitch/ports.h"

// New poll lists, one for each worker that needs one, built before any of them is published.
struct new_lists {
	struct poll_list *list[RTE_MAX_LCORE];
};

void lists_publish(struct ports *ps, struct new_lists *lists);
void lists_free(struct ports *ps, struct new_lists *lists);

// Builds the lists that give every queue of the port to a worker, or that take them all away. 0; or
// -errno: there are no lists.
int seats_give(struct ports *ps, struct port_entry *e, struct new_lists *lists);
int seats_take(struct ports *ps, struct port_entry *e, struct new_lists *lists);

// Gives a queue of a published port to another worker: takes it off its worker's list, and puts it on the
// other's after a grace period. In between nobody polls it. 0; -EBUSY if it is on its way already; -ENOMEM.
int seat_move(struct ports *ps, struct port_entry *e, uint16_t queue, uint16_t to);

// What has been counted of a queue, by all that have polled it.
struct queue_counters seat_counters(const struct ports *ps, const struct seat *seat);

// Goes on with moves that lacked memory.
void seats_poll(struct ports *ps);
