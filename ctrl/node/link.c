// Devices of the node by name, and its addresses. Pods' devices are link_pod.c's, the host port's
// link_host.c's.
#include "ctrl/node/link.h"

#include "ctrl/node/netlink.h"

#include <netlink/route/addr.h>

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

int link_delete(const char *host_ifname, char why[LINK_WHY_MAX])
{
	__attribute__((cleanup(netlink_cleanup))) struct nl_sock *sock = NULL;
	int ret;

	ret = netlink_open(&sock);
	if (ret < 0)
		return link_fail(why, ret, "cannot open a netlink socket");
	ret = netlink_delete_veth(sock, host_ifname);
	if (ret == -EEXIST)
		return link_fail(
			why, -EEXIST, "device '%s' is not one of ours (no veth)", host_ifname);
	if (ret < 0)
		return link_fail(why, ret, "cannot delete device '%s'", host_ifname);
	return 0;
}

int link_index(const char *host_ifname)
{
	unsigned index = if_nametoindex(host_ifname);

	return index == 0 ? -ENODEV : (int)index;
}

static bool global_unicast(const struct rtnl_addr *addr_const, int except)
{
	struct rtnl_addr *addr = (struct rtnl_addr *)(uintptr_t)addr_const;
	unsigned flags = rtnl_addr_get_flags(addr);

	return rtnl_addr_get_ifindex(addr) != except && rtnl_addr_get_local(addr) != NULL &&
	       rtnl_addr_get_scope(addr) == RT_SCOPE_UNIVERSE && !(flags & IFA_F_DADFAILED);
}

static struct in6_addr address_of(struct nl_addr *addr)
{
	struct in6_addr ip = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
	size_t len = nl_addr_get_len(addr);

	memcpy(&ip.s6_addr[sizeof(ip) - len], nl_addr_get_binary_addr(addr), len);
	return ip;
}

int link_node_addresses(const char *except, struct in6_addr **ret_addr, size_t *ret_n)
{
	__attribute__((cleanup(netlink_cleanup))) struct nl_sock *sock = NULL;
	int except_index = except != NULL ? (int)if_nametoindex(except) : 0;
	struct nl_cache *cache;
	struct in6_addr *list;
	struct nl_object *o;
	size_t n = 0;
	int ret;

	ret = netlink_open(&sock);
	if (ret < 0)
		return ret;
	ret = rtnl_addr_alloc_cache(sock, &cache);
	if (ret < 0)
		return netlink_errno(ret);
	list = calloc((size_t)nl_cache_nitems(cache) + 1, sizeof(*list));
	for (o = nl_cache_get_first(cache); list != NULL && o != NULL; o = nl_cache_get_next(o)) {
		struct rtnl_addr *a = (struct rtnl_addr *)o;
		int family = rtnl_addr_get_family(a);

		if ((family == AF_INET || family == AF_INET6) && global_unicast(a, except_index))
			list[n++] = address_of(rtnl_addr_get_local(a));
	}
	nl_cache_free(cache);
	if (list == NULL)
		return -ENOMEM;
	*ret_addr = list;
	*ret_n = n;
	return 0;
}
