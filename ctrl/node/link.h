// Network devices and namespaces: the veth of a pod, the host port's, and the kernel's routes.
//
// These functions block on the kernel: they run in the thread pool, never in the event loop
// itself. They share no state. All of them clean up after themselves when they fail; `why`
// then holds a sentence that names the step, the device and the remedy.
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_WHY_MAX 256
#define LINK_NAME_LEN 16 // IFNAMSIZ

struct link_address {
	struct in6_addr ip; // IPv4-mapped or IPv6
	uint8_t prefix_len; // of its own family: 24, 64
};

struct link_pod {
	char netns[256]; // path of the pod's network namespace
	char ifname[LINK_NAME_LEN]; // in the pod
	char host_ifname[LINK_NAME_LEN]; // on the node
	uint8_t mac[6]; // of the pod's end
	uint16_t mtu;
	struct link_address addr[2];
	size_t n_addr;
};

// Creates the veth, moves the pod's end into netns, names it, sets MAC, MTU, addresses (with
// their Subnet's mask, no prefix route, no DAD) and the routes: 169.254.1.1 link scope and
// default via it; default via fe80::ecee:eeff:feee:eeee. Turns off the offloads that leave
// checksums or segmentation undone. Idempotent: a pair of that name that is already right stays.
// -EEXIST if ifname is taken in the pod by something else, -ENOENT if netns is gone.
int link_pod_create(const struct link_pod *pod, int *ret_ifindex, char why[LINK_WHY_MAX]);
// Whether the pod's end is there with MAC, addresses and routes. 0, or -errno with why.
int link_pod_check(const struct link_pod *pod, char why[LINK_WHY_MAX]);
// Deletes a device by its name on the node (the pod's end goes with it). 0 also if there is none.
int link_delete(const char *host_ifname, char why[LINK_WHY_MAX]);
// Its index, or -ENODEV.
int link_index(const char *host_ifname);
// Whether nothing is at the path that was a network namespace: it was unmounted, or its process ended.
bool netns_is_gone(const char *path);

// The host port: a veth in the node's own namespace. `ifname` stays with the kernel, `peer` is
// the switch's.
struct link_host {
	char ifname[LINK_NAME_LEN]; // "strata0"
	char peer[LINK_NAME_LEN]; // "strata0-sw"
	uint8_t mac
		[6]; // of ifname: the uplink's if it carries the host; all zero: the kernel's choice
	uint16_t mtu;
	const struct link_address *addr; // the node's addresses to put on it
	size_t n_addr;
	struct in6_addr gateway4, gateway6; // default routes, unspecified for none
};

// Creates the pair; sets forwarding on it, rp_filter loose, redirects off; a permanent neighbour
// 169.254.1.1 / fe80::ecee:eeff:feee:eeee → ee:ee:ee:ee:ee:ee. Replaces a pair that an earlier process left.
int link_host_create(const struct link_host *host, int *ret_peer_ifindex, uint8_t ret_mac[6],
	char why[LINK_WHY_MAX]);

// The kernel's way to pods: prefix via the switch on ifname, with `src` as preferred source
// (unspecified: the kernel's choice). Adding what is there and deleting what is not are fine.
int link_route_add(const char *ifname, const struct link_address *prefix,
	const struct in6_addr *src, char why[LINK_WHY_MAX]);
int link_route_del(const char *ifname, const struct link_address *prefix, char why[LINK_WHY_MAX]);

// All global unicast addresses on the node's own devices except `except` (may be NULL).
// *ret_addr is malloc'ed, the caller's.
int link_node_addresses(const char *except, struct in6_addr **ret_addr, size_t *ret_n);
