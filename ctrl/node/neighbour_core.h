// Who is where on the VLANs, as a state machine: which address has which MAC address, when to ask,
// when to believe, when to forget. Pure: time comes in as a parameter (milliseconds), requests and
// changes go out by call-back. neighbour.h puts it on the wire.
//
//   INCOMPLETE ──answer──▶ REACHABLE ──time──▶ STALE ──answer──▶ REACHABLE
//       │ three requests                         │ three requests
//       ▼                                        ▼
//     FAILED ──time──▶ forgotten, or INCOMPLETE again if it is pinned
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>

#define NEIGHBOUR_MAX 8192 // pods can ask for any address of their Subnets
#define NEIGHBOUR_TRIES 3
#define NEIGHBOUR_ASK_MS 1000 // least time between two requests for one address
#define NEIGHBOUR_REACHABLE_MS 30000 // believed for this long, give or take a quarter
#define NEIGHBOUR_FAILED_MS 10000 // not asked again for this long
#define NEIGHBOUR_KEEP_MS (10 * 60 * 1000) // one that nobody pins is refreshed for this long
#define NEIGHBOUR_NEVER UINT64_MAX

enum neighbour_state {
	NEIGHBOUR_INCOMPLETE, // being asked for, or nobody can ask at the moment
	NEIGHBOUR_REACHABLE,
	NEIGHBOUR_STALE, // its MAC address is in use still, and is being verified
	NEIGHBOUR_FAILED,
	NEIGHBOUR_STATE_COUNT
};

const char *neighbour_state_name(enum neighbour_state state); // "reachable"

struct neighbour_key {
	struct in6_addr ip;
	uint32_t vlan;
};

struct fib_node;

struct neighbour {
	struct neighbour_key key;
	enum neighbour_state state;
	uint8_t mac[6]; // REACHABLE, STALE
	uint8_t tries; // requests since it was last heard of
	uint32_t pins; // kept alive for as long as there are any
	bool wanted_once; // somebody's packet asked for it, at `wanted`
	uint64_t wanted;
	uint64_t confirmed; // when it was last heard of or, before that, when it was made
	uint64_t asked; // when the last request left; NEIGHBOUR_NEVER: none did
	uint64_t due; // when something is to be done next; NEIGHBOUR_NEVER: nothing is
	UT_hash_handle hh;

	// The user's: the core sets them to "none" at first and never looks at them.
	uint32_t subnet; // whose pods ask, SUBNET_NONE: the node itself
	uint32_t nexthop; // slot, NEXTHOP_NONE if there is none
	bool has_route; // a route of its own is wanted
	struct fib_node *tunnels; // those whose outer next hop it is
};

struct neighbour_core_ops {
	// Sends a request, to mac or, if that is NULL, to all. False if there is nobody to ask for.
	bool (*request)(void *arg, const struct neighbour *n, const uint8_t *mac);
	// State or MAC address changed. Must not add or remove neighbours.
	void (*changed)(void *arg, struct neighbour *n);
	// About to be freed.
	void (*gone)(void *arg, struct neighbour *n);
};

struct neighbour_core {
	const struct neighbour_core_ops *ops;
	void *arg;
	uint32_t max;
	uint64_t random; // of the jitter
	struct neighbour *all; // in the order they were added
};

void neighbour_core_init(struct neighbour_core *c, const struct neighbour_core_ops *ops, void *arg,
	uint32_t max, uint64_t seed);
void neighbour_core_fini(struct neighbour_core *c); // calls gone for all

struct neighbour *neighbour_core_get(
	const struct neighbour_core *c, uint16_t vlan, const struct in6_addr *ip);
// Makes the neighbour if there is none, but does not ask for it: neighbour_core_want and _pin do.
// NULL if there are too many and none can be given up, or if memory is short.
struct neighbour *neighbour_core_add(
	struct neighbour_core *c, uint16_t vlan, const struct in6_addr *ip, uint64_t now);

// A packet needs it: asks, unless that happens anyway or failed a moment ago. May free n, if
// nobody can ask for it.
void neighbour_core_want(struct neighbour_core *c, struct neighbour *n, uint64_t now);
// Keeps it alive until unpin. An unpinned neighbour that no packet ever wanted is freed.
void neighbour_core_pin(struct neighbour_core *c, struct neighbour *n, uint64_t now);
void neighbour_core_unpin(struct neighbour_core *c, struct neighbour *n);
// Somebody who can ask for it has come: asks if it waits for that.
void neighbour_core_wake(struct neighbour_core *c, struct neighbour *n, uint64_t now);

// What is known of it may be wrong: asks again, everybody, and uses it until the answer comes.
void neighbour_core_doubt(struct neighbour_core *c, struct neighbour *n, uint64_t now);
// It is no neighbour any more. Frees it unless it is pinned.
void neighbour_core_forget(struct neighbour_core *c, struct neighbour *n);

// An answer, or any other sign of life. Nothing happens if nobody asked for that address.
void neighbour_core_seen(struct neighbour_core *c, uint16_t vlan, const struct in6_addr *ip,
	const uint8_t mac[6], uint64_t now);

// Does what is due. Returns when to come again, NEIGHBOUR_NEVER: not at all.
uint64_t neighbour_core_tick(struct neighbour_core *c, uint64_t now);
// As tick's result, without doing anything.
uint64_t neighbour_core_due(const struct neighbour_core *c);
