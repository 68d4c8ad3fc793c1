// The ports that a node has from the start: the uplink, and the host port.
#pragma once

#include "ctrl/node/config.h"
#include "ctrl/node/fib.h"
#include "vswitch/dataplane.h"

// Opens and publishes both, as far as they are configured, and fills the part of *ret_conf that
// tells of them. Blocks; before the event loop runs. 0, or -errno after saying what failed;
// dataplane_close and wires_remove then clean up.
int wires_open(const struct config *c, struct dataplane *dp, struct fib_conf *ret_conf);
// Removes the host port's link. After dataplane_close.
void wires_remove(const struct config *c);
