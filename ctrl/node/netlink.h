// What the files about links share: one rtnetlink socket, error numbers, sentences about failures,
// and the way into a network namespace.
#pragma once

#include <netinet/in.h>
#include <stdint.h>

#include <netlink/addr.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>

#include "ctrl/node/link.h"

// The switch's own addresses, the same on every node: what a pod or the node's kernel has as its
// gateway. The MAC belongs to both.
#define VIRTUAL_GATEWAY4 "169.254.1.1"
#define VIRTUAL_GATEWAY6 "fe80::ecee:eeff:feee:eeee"
#define VIRTUAL_GATEWAY_MAC "\xee\xee\xee\xee\xee\xee"

// Writes the sentence and returns err, with its text added if it is not 0.
int link_fail(char why[LINK_WHY_MAX], int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

// libnl's own error numbers as negative errno.
int netlink_errno(int nl_err);
// A connected rtnetlink socket in the calling thread's namespace. 0 or -errno.
int netlink_open(struct nl_sock **ret_sock);
void netlink_cleanup(struct nl_sock **sock); // for __attribute__((cleanup))
void link_cleanup(struct rtnl_link **link);
void fd_cleanup(int *fd);

// The device of that name. -ENODEV if there is none.
int netlink_link(struct nl_sock *sock, const char *name, struct rtnl_link **ret_link);
// Deletes it if it is there; -EEXIST if it is no veth, which then stays.
int netlink_delete_veth(struct nl_sock *sock, const char *name);
int netlink_set_up(struct nl_sock *sock, int ifindex);

// An IPv4-mapped or IPv6 address in libnl's form, with its prefix length. NULL: out of memory.
struct nl_addr *netlink_addr(const struct in6_addr *ip, unsigned prefix_len);
int netlink_add_address(
	struct nl_sock *sock, int ifindex, const struct link_address *addr, uint32_t flags);

struct netlink_route {
	const struct in6_addr *dst; // NULL: default
	unsigned prefix_len; // of its own family
	int family;
	int ifindex;
	const struct in6_addr *gateway; // NULL: none, link scope
	bool onlink; // the gateway is on the link, whatever its address says
	const struct in6_addr *src; // preferred source; NULL: the kernel's choice
};
int netlink_add_route(struct nl_sock *sock, const struct netlink_route *route, int nl_flags);
int netlink_del_route(struct nl_sock *sock, const struct netlink_route *route);
struct in6_addr netlink_gateway(int family); // the virtual one

// One end of a new veth pair.
struct veth_end {
	const char *name;
	const uint8_t *mac; // NULL: the kernel's choice
	int netns_fd; // -1: the caller's
};
int netlink_add_veth(struct nl_sock *sock, const struct veth_end *end, const struct veth_end *peer,
	uint16_t mtu);

// Runs f in the namespace that fd refers to and returns what it returns. A thread of its own does
// it, so that the caller's can never be left in the wrong place.
int netns_run(int netns_fd, int (*f)(void *arg), void *arg);
// Writes /proc/sys/net/<family>/conf/<ifname>/<key> of the calling thread's namespace. What the
// kernel does not have is no error.
int sysctl_conf(const char *family, const char *ifname, const char *key, const char *value);

// Turns off what would leave a frame unfinished for hardware that does not exist: checksums,
// segmentation, tags kept aside.
int offloads_off(const char *ifname);
// Turns off the merging of received segments.
int gro_off(const char *ifname);
