// The veth of a pod. The kernel creates it with the pod's end already in the pod's namespace and
// under its name, so no half-moved device ever shows up on the node; the rest is done by a
// thread inside that namespace.
#include "ctrl/node/link.h"

#include "ctrl/node/netlink.h"

#include <netlink/route/addr.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct visit {
	const struct link_pod *pod;
	int host_ifindex; // what the pod's end must be the peer of
	char *why;
};

static bool has_family(const struct link_pod *pod, bool v4)
{
	for (size_t i = 0; i < pod->n_addr; i++)
		if (IN6_IS_ADDR_V4MAPPED(&pod->addr[i].ip) == v4)
			return true;
	return false;
}

// ── Inside the pod's namespace ─────────────────────────────────────────────────────────────────

static int loopback_up(struct nl_sock *sock)
{
	int ret = sysctl_conf("ipv6", "lo", "disable_ipv6", "0");

	return ret < 0 ? ret : netlink_set_up(sock, (int)if_nametoindex("lo"));
}

// The runtime may have switched IPv6 off in the namespace. The switch answers everything a pod asks
// a router, so no advertisement is wanted; and it sees to duplicates before the pod starts.
static int settings(const struct link_pod *pod)
{
	static const char *const v6[][2] = {
		{"disable_ipv6", "0"}, {"accept_dad", "0"}, {"accept_ra", "0"}};

	for (size_t i = 0; has_family(pod, false) && i < sizeof(v6) / sizeof(v6[0]); i++) {
		int ret = sysctl_conf("ipv6", pod->ifname, v6[i][0], v6[i][1]);

		if (ret < 0)
			return ret;
	}
	return 0;
}

static int add_addresses(struct nl_sock *sock, const struct link_pod *pod, int ifindex)
{
	for (size_t i = 0; i < pod->n_addr; i++) {
		int ret = netlink_add_address(
			sock, ifindex, &pod->addr[i], IFA_F_NOPREFIXROUTE | IFA_F_NODAD);

		if (ret < 0)
			return ret;
	}
	return 0;
}

// No onlink flag, which some kernels and Kata cannot have: the gateway gets a route of its own.
static int add_routes(struct nl_sock *sock, int family, int ifindex)
{
	struct in6_addr gateway = netlink_gateway(family);
	struct netlink_route direct = {
		.dst = &gateway, .prefix_len = 32, .family = family, .ifindex = ifindex};
	struct netlink_route by_default = {
		.family = family, .ifindex = ifindex, .gateway = &gateway};
	int ret = 0;

	if (family == AF_INET)
		ret = netlink_add_route(sock, &direct, NLM_F_CREATE | NLM_F_REPLACE);
	if (ret == 0)
		ret = netlink_add_route(sock, &by_default, NLM_F_CREATE | NLM_F_REPLACE);
	return ret;
}

static int configure(void *arg)
{
	__attribute__((cleanup(netlink_cleanup))) struct nl_sock *sock = NULL;
	const struct visit *v = arg;
	const struct link_pod *pod = v->pod;
	const char *name = pod->ifname;
	int ifindex = (int)if_nametoindex(name);
	int ret;

	ret = netlink_open(&sock);
	if (ret == 0)
		ret = loopback_up(sock);
	if (ret < 0)
		return link_fail(v->why, ret, "cannot bring up 'lo' in '%s'", pod->netns);
	ret = settings(pod);
	if (ret < 0)
		return link_fail(
			v->why, ret, "cannot enable IPv6 on '%s' in '%s'", name, pod->netns);
	ret = offloads_off(name);
	if (ret < 0)
		return link_fail(
			v->why, ret, "cannot turn off offloads of '%s' in '%s'", name, pod->netns);
	ret = add_addresses(sock, pod, ifindex);
	if (ret < 0)
		return link_fail(
			v->why, ret, "cannot set the address of '%s' in '%s'", name, pod->netns);
	ret = netlink_set_up(sock, ifindex);
	if (ret < 0)
		return link_fail(v->why, ret, "cannot bring up '%s' in '%s'", name, pod->netns);
	if (has_family(pod, true))
		ret = add_routes(sock, AF_INET, ifindex);
	if (ret == 0 && has_family(pod, false))
		ret = add_routes(sock, AF_INET6, ifindex);
	if (ret < 0)
		return link_fail(
			v->why, ret, "cannot set the routes of '%s' in '%s'", name, pod->netns);
	return 0;
}

static bool device_is_right(struct rtnl_link *link, const struct visit *v)
{
	struct nl_addr *mac = rtnl_link_get_addr(link);

	return rtnl_link_get_link(link) == v->host_ifindex && mac != NULL &&
	       nl_addr_get_len(mac) == sizeof(v->pod->mac) &&
	       memcmp(nl_addr_get_binary_addr(mac), v->pod->mac, sizeof(v->pod->mac)) == 0 &&
	       rtnl_link_get_mtu(link) == v->pod->mtu && (rtnl_link_get_flags(link) & IFF_UP);
}

static bool address_is_there(struct nl_cache *cache, int ifindex, const struct link_address *addr)
{
	struct nl_addr *ip = netlink_addr(&addr->ip, addr->prefix_len);
	bool found = false;

	for (struct nl_object *o = nl_cache_get_first(cache); ip != NULL && o != NULL && !found;
		o = nl_cache_get_next(o)) {
		struct rtnl_addr *a = (struct rtnl_addr *)o;

		found = rtnl_addr_get_ifindex(a) == ifindex && rtnl_addr_get_local(a) != NULL &&
			nl_addr_cmp(rtnl_addr_get_local(a), ip) == 0;
	}
	nl_addr_put(ip);
	return found;
}

static bool is_default_by_gateway(struct rtnl_route *r, int ifindex, struct nl_addr *gateway)
{
	struct rtnl_nexthop *nh = rtnl_route_nexthop_n(r, 0);

	return nl_addr_get_prefixlen(rtnl_route_get_dst(r)) == 0 && nh != NULL &&
	       rtnl_route_nh_get_ifindex(nh) == ifindex && rtnl_route_nh_get_gateway(nh) != NULL &&
	       nl_addr_cmp(rtnl_route_nh_get_gateway(nh), gateway) == 0;
}

static bool default_route_is_there(struct nl_sock *sock, int family, int ifindex)
{
	struct in6_addr ip = netlink_gateway(family);
	struct nl_addr *gateway = netlink_addr(&ip, family == AF_INET ? 32 : 128);
	struct nl_cache *cache = NULL;
	bool found = false;

	if (gateway != NULL && rtnl_route_alloc_cache(sock, family, 0, &cache) == 0) {
		for (struct nl_object *o = nl_cache_get_first(cache); o != NULL && !found;
			o = nl_cache_get_next(o))
			found = is_default_by_gateway((struct rtnl_route *)o, ifindex, gateway);
		nl_cache_free(cache);
	}
	nl_addr_put(gateway);
	return found;
}

static int check_addresses(struct nl_sock *sock, const struct link_pod *pod, int ifindex)
{
	struct nl_cache *cache;
	int ret;

	ret = rtnl_addr_alloc_cache(sock, &cache);
	if (ret < 0)
		return netlink_errno(ret);
	for (size_t i = 0; i < pod->n_addr && ret == 0; i++)
		if (!address_is_there(cache, ifindex, &pod->addr[i]))
			ret = -EADDRNOTAVAIL;
	nl_cache_free(cache);
	return ret;
}

static int check(void *arg)
{
	__attribute__((cleanup(netlink_cleanup))) struct nl_sock *sock = NULL;
	__attribute__((cleanup(link_cleanup))) struct rtnl_link *link = NULL;
	const struct visit *v = arg;
	const struct link_pod *pod = v->pod;
	int ret, ifindex;

	ret = netlink_open(&sock);
	if (ret == 0)
		ret = netlink_link(sock, pod->ifname, &link);
	if (ret < 0)
		return link_fail(
			v->why, ret, "there is no device '%s' in '%s'", pod->ifname, pod->netns);
	if (!device_is_right(link, v))
		return link_fail(v->why, -ENODEV,
			"'%s' in '%s' is not the peer of '%s', or has another "
			"MAC address or MTU, or is down",
			pod->ifname, pod->netns, pod->host_ifname);
	ifindex = rtnl_link_get_ifindex(link);
	ret = check_addresses(sock, pod, ifindex);
	if (ret < 0)
		return link_fail(
			v->why, ret, "'%s' in '%s' lacks an address", pod->ifname, pod->netns);
	if ((has_family(pod, true) && !default_route_is_there(sock, AF_INET, ifindex)) ||
		(has_family(pod, false) && !default_route_is_there(sock, AF_INET6, ifindex)))
		return link_fail(v->why, -ENETUNREACH,
			"'%s' in '%s' lacks a default route by the switch", pod->ifname,
			pod->netns);
	return 0;
}

// ── From outside ───────────────────────────────────────────────────────────────────────────────

static int netns_open(const char *path, char why[LINK_WHY_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return link_fail(why, -errno, "cannot open the network namespace '%s'", path);
	return fd;
}

static int check_in(int netns_fd, const struct link_pod *pod, char why[LINK_WHY_MAX])
{
	struct visit v = {pod, link_index(pod->host_ifname), why};

	if (v.host_ifindex < 0)
		return link_fail(why, -ENODEV, "there is no device '%s'", pod->host_ifname);
	return netns_run(netns_fd, check, &v);
}

int link_pod_check(const struct link_pod *pod, char why[LINK_WHY_MAX])
{
	__attribute__((cleanup(fd_cleanup))) int netns_fd = netns_open(pod->netns, why);

	return netns_fd < 0 ? netns_fd : check_in(netns_fd, pod, why);
}

static int add_pair(
	struct nl_sock *sock, int netns_fd, const struct link_pod *pod, char why[LINK_WHY_MAX])
{
	struct veth_end host = {pod->host_ifname, NULL, -1};
	struct veth_end peer = {pod->ifname, pod->mac, netns_fd};
	int ret;

	ret = netlink_delete_veth(sock, pod->host_ifname); // not as it should be
	if (ret == -EEXIST)
		return link_fail(
			why, ret, "device '%s' is not one of ours (no veth)", pod->host_ifname);
	if (ret < 0)
		return link_fail(why, ret, "cannot delete device '%s'", pod->host_ifname);
	ret = netlink_add_veth(sock, &host, &peer, pod->mtu);
	if (ret < 0)
		return link_fail(why, ret, "cannot create '%s' in '%s' as the peer of '%s'",
			pod->ifname, pod->netns, pod->host_ifname);
	return 0;
}

// The node's end carries frames for the switch only: no address, no IPv6, nothing merged.
static int host_end(struct nl_sock *sock, const char *name, int ifindex, char why[LINK_WHY_MAX])
{
	int ret;

	ret = sysctl_conf("ipv6", name, "disable_ipv6", "1");
	if (ret == 0)
		ret = gro_off(name);
	if (ret == 0)
		ret = netlink_set_up(sock, ifindex);
	if (ret < 0)
		return link_fail(why, ret, "cannot set up device '%s'", name);
	return 0;
}

int link_pod_create(const struct link_pod *pod, int *ret_ifindex, char why[LINK_WHY_MAX])
{
	__attribute__((cleanup(netlink_cleanup))) struct nl_sock *sock = NULL;
	__attribute__((cleanup(fd_cleanup))) int netns_fd = netns_open(pod->netns, why);
	struct visit v = {.pod = pod, .why = why};
	int ret;

	if (netns_fd < 0)
		return netns_fd;
	if (check_in(netns_fd, pod, why) == 0) {
		*ret_ifindex = link_index(pod->host_ifname);
		return *ret_ifindex < 0 ? *ret_ifindex : 0;
	}
	ret = netlink_open(&sock);
	if (ret < 0)
		return link_fail(why, ret, "cannot open a netlink socket");
	ret = add_pair(sock, netns_fd, pod, why);
	if (ret < 0)
		return ret;
	v.host_ifindex = link_index(pod->host_ifname);
	ret = host_end(sock, pod->host_ifname, v.host_ifindex, why);
	if (ret == 0)
		ret = netns_run(netns_fd, configure, &v);
	if (ret < 0) {
		(void)netlink_delete_veth(sock, pod->host_ifname);
		return ret;
	}
	*ret_ifindex = v.host_ifindex;
	return 0;
}
