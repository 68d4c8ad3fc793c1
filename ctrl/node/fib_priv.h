// The FIB's insides, shared by fib*.c: what it remembers of the cluster's objects, and how a
// change of one of them finds its way into the tables.
//
//   Network ──▶ Subnet ──▶ endpoint ──┐
//                 │  gateway          ├──▶ route of an address (fib_route_update)
//   NodeInfo ──▶ node ────────────────┤
//                 │  tunnel           │
//   attached port ────────────────────┤
//   neighbour ────────────────────────┘
//
// Objects refer to each other by name and arrive in any order, so there is a record for every
// name that was ever mentioned; `known` says whether the object itself is there. A record dies
// with its last mention. Each change recomputes what depends on it and writes only differences.
#pragma once

#include "ctrl/node/fib.h"
#include "ctrl/node/fib_kernel.h"
#include "ctrl/node/neighbour.h"

#include "ctrl/model/ipinstance.h"
#include "ctrl/model/network.h"
#include "ctrl/model/nodeinfo.h"
#include "ctrl/model/subnet.h"
#include "ctrl/store/table.h"

#include <uthash.h>
#include <utlist.h>

struct fib_subnet;
struct endpoint;

struct fib_network {
	char name[NAME_MAX_LEN];
	bool known;
	enum network_type type;
	bool has_net_id;
	int64_t net_id;
	bool attached; // this node's labels match its selector
	struct fib_subnet *subnets; // by `next_in_network`
	UT_hash_handle hh;
};

struct fib_subnet {
	char name[NAME_MAX_LEN];
	bool known;
	uint32_t index; // in the tables, for as long as the Subnet is known
	struct fib_network *network; // if known
	bool has_net_id;
	int64_t net_id;
	struct cidr cidr;
	bool has_gateway, nat_outgoing;
	struct in6_addr gateway;
	bool usable; // with its Network it makes sense: routes may name it
	bool complained; // about it making no sense
	struct subnet desired; // what the tables are to hold; prefix_len 0 unless usable
	struct neighbour *gateway_neighbour; // pinned
	uint32_t n_locals; // addresses of local pods whose route is in force
	struct endpoint *endpoints; // by `*_in_subnet`
	struct fib_subnet *prev_in_network, *next_in_network;
	UT_hash_handle hh;
};

struct fib_node {
	char name[NAME_MAX_LEN];
	bool known, is_self;
	bool has_vtep;
	struct in6_addr vtep;
	uint8_t vtep_mac[6];
	struct in6_addr *addresses; // owned; localIPs and VTEP
	size_t n_addresses;
	uint32_t nexthop; // its tunnel, NEXTHOP_NONE if it has none
	struct neighbour *neighbour; // outer next hop, pinned; NULL if there is no way
	struct fib_node *prev_tunnel, *next_tunnel; // of the same neighbour
	struct endpoint *endpoints; // by `*_on_node`
	UT_hash_handle hh;
};

// One IPInstance.
struct endpoint {
	const struct ipinstance *i; // the cache's, in force; its address is the key
	struct fib_node *node; // NULL: reserved
	struct fib_subnet *subnet;
	struct endpoint *prev_on_node, *next_on_node, *prev_in_subnet, *next_in_subnet;
	bool complained; // about its address
};

static inline const struct in6_addr *endpoint_ip(const struct endpoint *e)
{
	return &e->i->address.ip.ip;
}

// An address of another node.
struct node_address {
	struct in6_addr ip; // key
	struct fib_node *node;
	UT_hash_handle hh;
};

// A local pod's port.
struct fib_port {
	uint16_t index;
	uint32_t nexthop;
	struct fib_pod pod; // pod.dev is NULL: it is the data plane's
	struct port *dev; // borrowed from the data plane
};

// An address of a local pod's port.
struct port_address {
	struct in6_addr ip; // key
	struct fib_port *port; // the latest that has it
	struct fib_subnet *live; // the Subnet whose local pod it is, while its route is in force
	uint16_t live_vlan;
	bool live_overlay;
	uint64_t complained; // when a conflict was last reported, ms; 0: never
	UT_hash_handle hh;
};

struct fib_check;

struct fib {
	uv_loop_t *loop;
	struct dataplane *dp; // not owned, as the next three
	struct tables *tables;
	struct cache *cache;
	const struct config *config;
	struct fib_conf conf;
	struct cache_subscriber subscriber;
	struct neighbours *neighbours;
	struct fib_kernel *kernel; // NULL without a host port
	uint32_t host_nexthop;
	struct in6_addr *addresses; // owned; this node's
	size_t n_addresses;

	struct fib_network *networks;
	struct fib_subnet *subnets;
	struct fib_node *nodes;
	struct table endpoints; // those in force, by address
	struct node_address *node_addresses;
	struct port_address *port_addresses;
	struct fib_port *ports[VPORT_MAX];
	struct fib_check *checks;

	struct fib_subnet **by_index; // NULL: free
	uint32_t n_by_index;
	struct fib_network *overlay; // whose VNI is served
	bool snapshots_dirty; // the tables' Subnets and node are to be written
	bool nat_dirty;
	struct node node; // as last published
	uv_timer_t flush; // writes what is dirty in the loop's next turn
	uv_poll_t punts;
	uv_timer_t poll;
	unsigned int n_soon; // short turns of it that are left
	unsigned open_handles; // f is freed with the last one
	bool closing;
};

// fib.c
// Looks soon whether the workers are done with what was withdrawn.
void fib_poll_soon(struct fib *f);

// fib_subnets.c
void fib_network_event(struct fib *f, enum cache_event event, const struct network *n);
void fib_subnet_event(struct fib *f, enum cache_event event, const struct subnet_obj *s);
void fib_labels_changed(struct fib *f); // which Networks this node belongs to
// The record for that name, made if need be. NULL if memory is short.
struct fib_subnet *fib_subnet_get(struct fib *f, const char *name);
void fib_subnet_put(struct fib *f, struct fib_subnet *s); // frees it if nobody mentions it
struct fib_subnet *fib_subnet_find(const struct fib *f, const char *name);
void fib_subnets_free(struct fib *f);

// fib_snapshots.c
void fib_snapshots_touch(struct fib *f); // they are to be written soon
void fib_snapshots_flush(struct fib *f); // now
bool fib_vtep_of(const struct fib *f, bool v4, struct in6_addr *ret_ip);
uint16_t fib_tunnel_mtu(const struct fib *f, bool ip4); // longest inner packet, by the outer family
bool fib_is_own_address(const struct fib *f, const struct in6_addr *ip);

// fib_nodes.c
void fib_node_event(struct fib *f, enum cache_event event, const struct nodeinfo *n);
struct fib_node *fib_node_get(struct fib *f, const char *name);
void fib_node_put(struct fib *f, struct fib_node *n);
void fib_tunnels_update(struct fib *f, struct neighbour *n); // n has changed
void fib_nodes_free(struct fib *f);

// fib_endpoints.c
void fib_endpoint_event(struct fib *f, enum cache_event event, const struct ipinstance *i,
	const struct ipinstance *old);
struct endpoint *fib_endpoint_find(const struct fib *f, const struct in6_addr *ip);
void fib_endpoints_free(struct fib *f);

// fib_routes.c
// Brings the route of one address in line with all that is known about it.
void fib_route_update(struct fib *f, const struct in6_addr *ip);

// fib_ports.c
struct port_address *fib_port_address(const struct fib *f, const struct in6_addr *ip);
void fib_ports_subnet_changed(struct fib *f, const struct fib_subnet *s);
void fib_ports_free(struct fib *f);

// fib_check.c
void fib_checks_seen(struct fib *f, uint16_t vlan, const struct in6_addr *ip, const uint8_t mac[6]);
void fib_checks_free(struct fib *f);
