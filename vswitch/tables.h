// What the workers know: routes to addresses, next hops, Subnets, ports and the node itself.
//
// The control thread is the only writer. Whatever it publishes here never changes afterwards: it
// is replaced whole, and the old object is freed after every worker has moved on (rcu.h). Tables
// own what is put into them. Addresses are IPv6 addresses; IPv4 ones are IPv4-mapped, so one path
// serves both families.
#pragma once

#include <assert.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>

#include "vswitch/outer.h"
#include "vswitch/route_table.h"

struct port;
struct rcu;

#define VPORT_MAX 1024 // ports of all kinds on one node
#define NEXTHOP_MAX 65536 // tunnels (one per node), neighbours, local ports
#define NEXTHOP_NONE 0 // slot 0 is never used
#define SUBNET_NONE UINT32_MAX
#define VLAN_COUNT 4096

// ── Next hops ──────────────────────────────────────────────────────────────────────────────────

enum nexthop_kind {
	NEXTHOP_PORT, // deliver to a local pod's port
	NEXTHOP_HOST, // the node's own network stack
	NEXTHOP_TUNNEL, // VXLAN to another node
	NEXTHOP_NEIGHBOUR, // a station on a VLAN of the uplink
	NEXTHOP_UNRESOLVED, // a neighbour (or a tunnel's) whose MAC address is being asked for
	NEXTHOP_FAILED, // a neighbour that does not answer
};

// One way out, in one cache line.
struct nexthop {
	enum nexthop_kind kind;
	uint16_t port; // PORT: where it goes
	uint16_t vlan; // NEIGHBOUR, UNRESOLVED, TUNNEL: the (outer) frame's VLAN id, 0 = untagged
	uint16_t mtu; // PORT, NEIGHBOUR, TUNNEL: longest IP packet (TUNNEL: the inner one)
	struct rte_ether_addr dst; // PORT: the pod; NEIGHBOUR: the station; TUNNEL: outer next hop
	struct rte_ether_addr inner_dst; // TUNNEL: the remote node's VTEP MAC
	struct in6_addr
		remote; // TUNNEL: the remote VTEP; NEIGHBOUR, UNRESOLVED, FAILED: the address to ask for
	uint32_t id; // this next hop's own slot
} __attribute__((aligned(64)));
static_assert(sizeof(struct nexthop) == 64);

// What the slot of a NEXTHOP_TUNNEL holds.
struct tunnel {
	struct nexthop nh;
	struct outer outer; // as the node's own end points are now
};

static inline const struct tunnel *tunnel_of(const struct nexthop *nh)
{
	return (const struct tunnel *)nh;
}

// ── Routes: every known address of the cluster, one by one ─────────────────────────────────────

enum route_kind {
	ROUTE_LOCAL_POD, // a port of this node
	ROUTE_REMOTE_POD, // a pod of another node
	ROUTE_RESERVED, // an IPInstance without a node: nobody answers for it
	ROUTE_NODE_SELF, // this node's own addresses
	ROUTE_NODE_OTHER, // another node's addresses (NodeInfo localIPs)
	ROUTE_NEIGHBOUR, // a physical station on a VLAN that was asked for (a gateway, a server)
	ROUTE_KIND_COUNT
};

struct route {
	struct in6_addr addr;
	enum route_kind kind;
	bool overlay; // of a pod: its Network's type
	uint16_t vlan; // of an underlay pod or a neighbour
	uint32_t subnet; // of a pod or neighbour: index into struct subnets, or SUBNET_NONE
	uint32_t
		nexthop; // LOCAL_POD: PORT; REMOTE_POD, NODE_OTHER: TUNNEL; NODE_SELF: HOST; NEIGHBOUR: NEIGHBOUR
	uint32_t
		neighbour; // REMOTE_POD of an underlay: its NEIGHBOUR on the VLAN, NEXTHOP_NONE until asked for
};

// ── Snapshots: small sets that are replaced as a whole ─────────────────────────────────────────

struct subnet {
	struct in6_addr prefix; // host bits zero
	uint8_t prefix_len; // of the IPv6 form: 96 + IPv4 length
	bool overlay;
	bool nat_outgoing; // overlay: leaving the cluster goes through the host, which masquerades
	bool attached; // underlay: this node belongs to its Network
	uint16_t vlan; // underlay
	uint32_t gateway; // underlay: next hop of the gateway, NEXTHOP_NONE if it has none
	struct in6_addr gateway_addr; // unspecified if none
	char name[64]; // for people
};

// All Subnets, by index, and their prefixes in ascending order. Prefixes of different Subnets
// are equal or disjoint (admission sees to it), so one binary search finds the prefix.
struct subnets {
	uint32_t n; // highest index + 1
	uint32_t n_sorted; // distinct prefixes
	uint32_t *sorted; // indices into subnet[], by prefix
	struct subnet subnet[]; // a hole has prefix_len 0
};

// The node itself.
struct node {
	uint16_t uplink; // port numbers, VPORT_NONE if there is none
	uint16_t host;
	bool carries_host; // the uplink also carries the node's own traffic, through the host port
	struct rte_ether_addr uplink_mac;
	struct rte_ether_addr host_mac; // of the kernel's end of the host port
	struct in6_addr vtep4, vtep6; // own tunnel end points; unspecified if none
	struct rte_ether_addr vtep_mac; // NodeInfo's; inner source of what we encapsulate
	uint16_t vxlan_port; // UDP, host order
	bool has_vni;
	uint32_t vni;
	uint64_t vlans[VLAN_COUNT / 64]; // which VLANs have a Network on this node
};
#define VPORT_NONE UINT16_MAX

enum vport_kind {
	VPORT_POD,
	VPORT_UPLINK,
	VPORT_HOST,
	VPORT_CONTROL, // the control thread's own packets, complete frames for the uplink
};

// A port as the data path sees it.
struct vport {
	struct port *dev; // the driver's; not owned
	uint16_t index; // its number
	enum vport_kind kind;
	bool overlay; // POD: its Network's type
	struct rte_ether_addr mac; // POD: the pod's; UPLINK: the NIC's; HOST: the kernel end's
	struct in6_addr ip4, ip6; // POD: its addresses, unspecified if none
	uint32_t subnet4, subnet6; // POD: index of their Subnets, or SUBNET_NONE
	char name[64]; // for people: "default/web-0/eth0"
};

// ── The tables ─────────────────────────────────────────────────────────────────────────────────

struct tables {
	struct route_table *routes;
	_Atomic(const struct nexthop *) nexthops[NEXTHOP_MAX]; // NULL where unused
	_Atomic(const struct subnets *) subnets; // never NULL
	_Atomic(const struct node *) node; // never NULL
	_Atomic(const struct vport *) vports[VPORT_MAX]; // NULL where unused
	struct rcu *rcu; // not owned
	struct slab *route_slots; // control only: what routes are made of
	uint32_t nexthop_hint; // control only: where to look for a free slot
	uint64_t nexthop_taken[NEXTHOP_MAX /
			       64]; // control only: in use, or deleted within the grace period
};

// Creates empty tables for n_routes addresses; they defer frees to rcu. NULL if memory is
// short. tables_free frees all that is in them; no worker may be running.
struct tables *tables_new(uint32_t n_routes, struct rcu *rcu);
void tables_free(struct tables *t);

// Copies *r and publishes the copy, replacing the route to the same address. 0, -ENOSPC, -ENOMEM,
// -EINVAL: nothing is forwarded to that address (addr_is_forwarded), and the stages rely on that.
int tables_put_route(struct tables *t, const struct route *r);
// Removes the route to addr; nothing happens if there is none.
void tables_del_route(struct tables *t, const struct in6_addr *addr);
// Control's own look-up. NULL if absent. The result lives until control replaces or deletes it.
const struct route *tables_route(const struct tables *t, const struct in6_addr *addr);
// Calls f for every route, in no particular order. Control only.
void tables_each_route(
	const struct tables *t, void (*f)(const struct route *r, void *arg), void *arg);

// Takes a free slot and publishes a copy of *nh in it, its id set. *ret_id is the slot. -ENOSPC, -ENOMEM.
int tables_add_nexthop(struct tables *t, const struct nexthop *nh, uint32_t *ret_id);
// Replaces what slot id says: all routes that name it follow at once. -ENOENT, -ENOMEM.
int tables_set_nexthop(struct tables *t, uint32_t id, const struct nexthop *nh);
// Frees the slot (after a grace period it may be used again). No route may name it any more.
void tables_del_nexthop(struct tables *t, uint32_t id);

// Publish a copy. Take nothing; 0, -ENOMEM with nothing changed. tables_set_vport also -EINVAL.
int tables_set_subnets(struct tables *t, const struct subnet *subnets, uint32_t n);
// tables_set_node also renews the headers of all tunnels if they depend on what has changed.
int tables_set_node(struct tables *t, const struct node *node);
int tables_set_vport(struct tables *t, const struct vport *vport); // at vport->index
void tables_del_vport(struct tables *t, uint16_t index);

// The Subnet whose prefix holds addr, or NULL. Workers and control.
const struct subnet *subnets_find(const struct subnets *s, const struct in6_addr *addr);
