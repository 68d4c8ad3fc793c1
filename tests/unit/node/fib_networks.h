// What most tests of the FIB begin with: a world with an overlay and an underlay Network of a Subnet
// each, and the next hop to a second node.
#pragma once

#include "tests/unit/node/fib_world.h"

extern struct world w; // of the test that runs

// cmocka's: a world with the Networks, and its end.
int setup(void **state);
int teardown(void **state);
// "overlay" with "over" (100.64.0.0/16), "under" on VLAN 56 with "wire" (192.168.56.0/24).
void put_networks(void);

#define MAC_2 "52:54:00:00:00:02" // node-2's
extern const uint8_t mac_2[6];
extern const uint8_t mac_router[6];

// Waits until the next hop is of that kind and has that MAC address (NULL: any).
void wait_nexthop(uint32_t id, enum nexthop_kind kind, const uint8_t *mac);
// The next hop to node-2, which runs the pod with 100.64.0.5, once its tunnel is resolved.
uint32_t resolved_tunnel(void);
