// The neighbours on the uplink's VLANs at work: asks on the wire, keeps the next hop of each in
// the tables up to date, and announces this node's pods. What to ask, and when, is decided by
// neighbour_core.h; who asks, and which routes follow, by the FIB.
#pragma once

#include <uv.h>

#include "ctrl/node/neighbour_core.h"
#include "vswitch/tables.h"

struct neighbours;

struct neighbours_ops {
	// A complete frame for the uplink.
	void (*send)(void *arg, const void *frame, uint16_t len);
	// In whose name to ask for n. False if nobody is there.
	bool (*sender)(void *arg, const struct neighbour *n, struct in6_addr *ret_ip);
	// n's state or MAC address has changed, or it has become a wanted route. Its next hop, if
	// it has one, says so already.
	void (*changed)(void *arg, struct neighbour *n);
	// n is about to go, and its next hop after it: no route may name it when this returns.
	void (*gone)(void *arg, struct neighbour *n);
};

struct neighbours_conf {
	uv_loop_t *loop;
	struct tables *tables;
	uint8_t mac[6]; // the uplink's, in all that is sent
	uint16_t mtu; // the uplink's
	const struct neighbours_ops *ops;
	void *arg;
};

int neighbours_new(const struct neighbours_conf *conf, struct neighbours **ret_ns);
void neighbours_free(struct neighbours *ns); // the timer is closed in the loop's next turn

// A pod of that Subnet has a packet for ip, which is to get a route once it is known.
void neighbours_want(
	struct neighbours *ns, uint32_t subnet, uint16_t vlan, const struct in6_addr *ip);
// A packet came upon an unresolved next hop.
void neighbours_want_nexthop(struct neighbours *ns, uint32_t nexthop);

// Keeps ip alive; it has a next hop from now on. NULL if there is no room. subnet is SUBNET_NONE
// if the node itself asks.
struct neighbour *neighbours_pin(
	struct neighbours *ns, uint32_t subnet, uint16_t vlan, const struct in6_addr *ip);
void neighbours_unpin(struct neighbours *ns, struct neighbour *n);
// sender() may have an answer for n now.
void neighbours_wake(struct neighbours *ns, struct neighbour *n);

// ip has moved to another station of the VLAN.
void neighbours_moved(struct neighbours *ns, uint16_t vlan, const struct in6_addr *ip);
// ip is no station of the VLAN any more.
void neighbours_forget(struct neighbours *ns, uint16_t vlan, const struct in6_addr *ip);

void neighbours_seen(
	struct neighbours *ns, uint16_t vlan, const struct in6_addr *ip, const uint8_t mac[6]);

// NULL if absent.
struct neighbour *neighbours_get(
	const struct neighbours *ns, uint16_t vlan, const struct in6_addr *ip);
// The first one; more by n->hh.next.
struct neighbour *neighbours_first(const struct neighbours *ns);
uint64_t neighbours_now(const struct neighbours *ns); // the clock of neighbour_core.h

// Announces a pod's address now and twice more within seconds, for announcements get lost.
void neighbours_announce(struct neighbours *ns, uint16_t vlan, const struct in6_addr *ip);
// Says no more about it.
void neighbours_retract(struct neighbours *ns, uint16_t vlan, const struct in6_addr *ip);
