// The FIB: what the data plane should know, computed from the cluster's objects and the ports
// attached to this node, and brought into its tables. This is plan and apply of the control
// thread; everything here is idempotent and driven by the cache's events.
//
// Owns: routes, next hops, Subnet and node snapshots, the kernel's routes to pods and its NAT table,
// and, by neighbour.h, who is where on the VLANs.
#pragma once

#include <uv.h>

#include "ctrl/node/config.h"
#include "ctrl/node/neighbour_core.h"
#include "ctrl/store/cache.h"
#include "vswitch/dataplane.h"

struct fib;

struct fib_conf {
	const struct config *config;
	uint16_t uplink, host; // vport numbers or VPORT_NONE
	uint8_t uplink_mac[6], host_mac[6];
	uint16_t uplink_mtu; // 1500 without an uplink
};

// Subscribes to the cache (so before cache_start).
int fib_new(uv_loop_t *loop, struct dataplane *dp, struct cache *cache, const struct fib_conf *conf,
	struct fib **ret_fib);
void fib_free(struct fib *f);

// A port of a local pod, ready to be published. Borrowed.
struct fib_pod {
	char namespace[64], pod[NAME_MAX_LEN], uid[64];
	char name[64]; // the vport's
	struct port *dev; // taken on success
	uint8_t mac[6];
	bool has_ip4, has_ip6;
	struct in6_addr ip4, ip6;
	char subnet4[NAME_MAX_LEN], subnet6[NAME_MAX_LEN]; // names of Subnets
	bool overlay;
	uint16_t mtu;
};
// Publishes port and routes, announces the addresses (gratuitous ARP / NA) if underlay.
int fib_attach(struct fib *f, const struct fib_pod *pod, uint16_t *ret_port);
// Withdraws routes and port. Its device is given back by retired(dev, arg) after a grace period: see
// dataplane_del_port.
void fib_detach(struct fib *f, uint16_t port, port_retired *retired, void *arg);

// MTU for a pod of that Network type (forwarding rules, or the configuration's override).
uint16_t fib_pod_mtu(const struct fib *f, bool overlay);
// Whether the selector of an Underlay Network takes this node.
bool fib_selects_this_node(const struct fib *f, const struct key_values *selector);

// Whether an underlay pod may come up: asks the gateway and for duplicates of each address at the
// same time. done is called once: err 0, or -EHOSTUNREACH (gateway silent), -EADDRINUSE (duplicate);
// message says which check failed, on which VLAN, and who answered.
void fib_check_underlay(struct fib *f, const struct fib_pod *pod, uint32_t timeout_ms,
	void (*done)(void *arg, int err, const char *message), void *arg);

// The node's own addresses (host.addresses, or the kernel's), the VTEP among them. Borrowed.
const struct in6_addr *fib_node_addresses(const struct fib *f, size_t *ret_n);
// False if this node has no tunnel end point.
bool fib_vtep(const struct fib *f, struct in6_addr *ret_ip, uint8_t ret_mac[6]);

// How many there are of each.
struct fib_sizes {
	size_t routes, nexthops, ports, subnets; // in the workers' tables
	size_t endpoints; // addresses of the cluster's pods, those reserved for one among them
	size_t nodes, tunnels; // known nodes, this one too; tunnels to others
	size_t neighbours[NEIGHBOUR_STATE_COUNT]; // by enum neighbour_state
};
void fib_sizes(const struct fib *f, struct fib_sizes *ret_sizes);

// For `stratactl show`: arrays of records, the caller's to delete (doc/protocol.md).
cJSON *fib_show_ports(const struct fib *f);
cJSON *fib_show_routes(const struct fib *f);
cJSON *fib_show_nexthops(const struct fib *f);
cJSON *fib_show_neighbours(const struct fib *f);
cJSON *fib_show_drops(const struct fib *f);
cJSON *fib_show_workers(const struct fib *f);
cJSON *fib_show_queues(const struct fib *f);
