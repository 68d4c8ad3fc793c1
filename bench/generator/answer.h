// Answers of the generator: who asks for a neighbour, by ARP or neighbour discovery, tagged or not,
// is told one MAC address for all of them. A switch would send nothing without.
#pragma once

#include <rte_ether.h>
#include <rte_mbuf.h>

#include <stdbool.h>

// Turns a request into its answer. Returns false, with the frame unchanged, if it is none.
bool answer_neighbour(struct rte_mbuf *m, const struct rte_ether_addr *mac);
