// Answering ARP requests and neighbour solicitations, for the stages that decide which.
#pragma once

#include "vswitch/burst.h"

// Turns the request in m into the answer "here", from the MAC address by which its sender knows
// the switch, and sends it back. Returns whether m is still alive, as burst_filter() wants it.
bool neighbour_answer(struct burst *b, struct rte_mbuf *m);
