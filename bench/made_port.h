// What ports have in common that make the frames of a benchmark themselves: one queue that wakes nobody, a
// link that is always up, nothing to count.
#pragma once

#include "pmd/port.h"

// A port that is the first part of `size` bytes of zeros. NULL without memory.
struct port *made_port_new(size_t size, const struct port_ops *ops, struct rte_mempool *pool);

// Its ops.
int made_port_rx_fd(struct port *p, uint16_t q);
void made_port_stats(const struct port *p, struct port_stats *ret_stats);
bool made_port_link_up(const struct port *p);
void made_port_close(struct port *p);
