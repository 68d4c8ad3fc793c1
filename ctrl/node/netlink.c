// The few rtnetlink requests that links need, over libnl-route.
#include "ctrl/node/netlink.h"

#include <netlink/route/addr.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROUTE_PROTOCOL 157 // marks our routes for people; not in use by others
#define ADDRESS_BYTES_V4 4

int link_fail(char why[LINK_WHY_MAX], int err, const char *format, ...)
{
	size_t len;
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(why, LINK_WHY_MAX, format, ap);
	va_end(ap);
	len = strlen(why);
	if (err != 0)
		(void)snprintf(why + len, LINK_WHY_MAX - len, ": %s", strerror(-err));
	return err;
}

int netlink_errno(int nl_err)
{
	static const int table[] = {
		[NLE_INTR] = EINTR,
		[NLE_AGAIN] = EAGAIN,
		[NLE_NOMEM] = ENOMEM,
		[NLE_EXIST] = EEXIST,
		[NLE_INVAL] = EINVAL,
		[NLE_RANGE] = ERANGE,
		[NLE_OPNOTSUPP] = EOPNOTSUPP,
		[NLE_AF_NOSUPPORT] = EAFNOSUPPORT,
		[NLE_OBJ_NOTFOUND] = ENOENT,
		[NLE_NOADDR] = EADDRNOTAVAIL,
		[NLE_MSG_OVERFLOW] = EMSGSIZE,
		[NLE_BUSY] = EBUSY,
		[NLE_NOACCESS] = EACCES,
		[NLE_PERM] = EPERM,
		[NLE_NODEV] = ENODEV,
	};
	size_t i = (size_t)(nl_err < 0 ? -nl_err : nl_err);

	if (nl_err >= 0)
		return nl_err;
	return i < sizeof(table) / sizeof(table[0]) && table[i] != 0 ? -table[i] : -EIO;
}

int netlink_open(struct nl_sock **ret_sock)
{
	struct nl_sock *sock = nl_socket_alloc();
	int ret;

	if (sock == NULL)
		return -ENOMEM;
	ret = nl_connect(sock, NETLINK_ROUTE);
	if (ret < 0) {
		nl_socket_free(sock);
		return netlink_errno(ret);
	}
	*ret_sock = sock;
	return 0;
}

void netlink_cleanup(struct nl_sock **sock)
{
	nl_socket_free(*sock);
}

void link_cleanup(struct rtnl_link **link)
{
	rtnl_link_put(*link);
}

void fd_cleanup(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

int netlink_link(struct nl_sock *sock, const char *name, struct rtnl_link **ret_link)
{
	int ret = rtnl_link_get_kernel(sock, 0, name, ret_link);

	return ret == -NLE_OBJ_NOTFOUND ? -ENODEV : netlink_errno(ret);
}

int netlink_delete_veth(struct nl_sock *sock, const char *name)
{
	__attribute__((cleanup(link_cleanup))) struct rtnl_link *link = NULL;
	int ret;

	ret = netlink_link(sock, name, &link);
	if (ret == -ENODEV)
		return 0;
	if (ret < 0)
		return ret;
	if (!rtnl_link_is_veth(link))
		return -EEXIST;
	ret = netlink_errno(rtnl_link_delete(sock, link));
	return ret == -ENODEV ? 0 : ret; // went with its namespace in the meantime
}

int netlink_set_up(struct nl_sock *sock, int ifindex)
{
	__attribute__((cleanup(link_cleanup))) struct rtnl_link *which = rtnl_link_alloc();
	__attribute__((cleanup(link_cleanup))) struct rtnl_link *change = rtnl_link_alloc();

	if (which == NULL || change == NULL)
		return -ENOMEM;
	rtnl_link_set_ifindex(which, ifindex);
	rtnl_link_set_flags(change, IFF_UP);
	return netlink_errno(rtnl_link_change(sock, which, change, 0));
}

static void addr_cleanup(struct nl_addr **addr)
{
	nl_addr_put(*addr);
}

struct nl_addr *netlink_addr(const struct in6_addr *ip, unsigned prefix_len)
{
	struct nl_addr *addr;

	if (IN6_IS_ADDR_V4MAPPED(ip))
		addr = nl_addr_build(
			AF_INET, &ip->s6_addr[sizeof(*ip) - ADDRESS_BYTES_V4], ADDRESS_BYTES_V4);
	else
		addr = nl_addr_build(AF_INET6, ip, sizeof(*ip));
	if (addr != NULL)
		nl_addr_set_prefixlen(addr, (int)prefix_len);
	return addr;
}

static void rtnl_addr_cleanup(struct rtnl_addr **addr)
{
	rtnl_addr_put(*addr);
}

int netlink_add_address(
	struct nl_sock *sock, int ifindex, const struct link_address *addr, uint32_t flags)
{
	__attribute__((cleanup(rtnl_addr_cleanup))) struct rtnl_addr *a = rtnl_addr_alloc();
	__attribute__((cleanup(addr_cleanup))) struct nl_addr *ip =
		netlink_addr(&addr->ip, addr->prefix_len);
	int ret;

	if (a == NULL || ip == NULL)
		return -ENOMEM;
	rtnl_addr_set_ifindex(a, ifindex);
	rtnl_addr_set_flags(a, flags);
	ret = rtnl_addr_set_local(a, ip);
	if (ret == 0)
		ret = rtnl_addr_add(sock, a, NLM_F_REPLACE);
	return netlink_errno(ret);
}

static void route_cleanup(struct rtnl_route **route)
{
	rtnl_route_put(*route);
}

static int route_set_nexthop(struct rtnl_route *r, const struct netlink_route *route)
{
	__attribute__((cleanup(addr_cleanup))) struct nl_addr *gateway = NULL;
	struct rtnl_nexthop *nh = rtnl_route_nh_alloc();

	if (nh == NULL)
		return -ENOMEM;
	rtnl_route_add_nexthop(r, nh); // takes nh
	rtnl_route_nh_set_ifindex(nh, route->ifindex);
	if (route->onlink)
		rtnl_route_nh_set_flags(nh, RTNH_F_ONLINK);
	if (route->gateway == NULL)
		return 0;
	gateway = netlink_addr(route->gateway, IN6_IS_ADDR_V4MAPPED(route->gateway) ? 32 : 128);
	if (gateway == NULL)
		return -ENOMEM;
	rtnl_route_nh_set_gateway(nh, gateway);
	return 0;
}

// The route in libnl's form; the caller's to put. NULL: out of memory.
static struct rtnl_route *route_build(const struct netlink_route *route)
{
	__attribute__((cleanup(addr_cleanup))) struct nl_addr *dst = NULL, *src = NULL;
	struct rtnl_route *r = rtnl_route_alloc();

	if (r == NULL)
		return NULL;
	rtnl_route_set_family(r, (uint8_t)route->family);
	rtnl_route_set_table(r, RT_TABLE_MAIN);
	rtnl_route_set_protocol(r, ROUTE_PROTOCOL);
	rtnl_route_set_scope(r, route->gateway == NULL && route->family == AF_INET
					? RT_SCOPE_LINK
					: RT_SCOPE_UNIVERSE);
	dst = route->dst != NULL ? netlink_addr(route->dst, route->prefix_len)
				 : nl_addr_build(route->family, NULL, 0);
	if (dst == NULL || rtnl_route_set_dst(r, dst) < 0 || route_set_nexthop(r, route) < 0)
		goto put_route;
	if (route->src != NULL) {
		src = netlink_addr(route->src, route->family == AF_INET ? 32 : 128);
		if (src == NULL || rtnl_route_set_pref_src(r, src) < 0)
			goto put_route;
	}
	return r;

put_route:
	rtnl_route_put(r);
	return NULL;
}

int netlink_add_route(struct nl_sock *sock, const struct netlink_route *route, int nl_flags)
{
	__attribute__((cleanup(route_cleanup))) struct rtnl_route *r = route_build(route);

	if (r == NULL)
		return -ENOMEM;
	return netlink_errno(rtnl_route_add(sock, r, nl_flags));
}

int netlink_del_route(struct nl_sock *sock, const struct netlink_route *route)
{
	__attribute__((cleanup(route_cleanup))) struct rtnl_route *r = route_build(route);

	if (r == NULL)
		return -ENOMEM;
	return netlink_errno(rtnl_route_delete(sock, r, 0));
}

struct in6_addr netlink_gateway(int family)
{
	struct in6_addr ip;

	(void)inet_pton(
		AF_INET6, family == AF_INET ? "::ffff:" VIRTUAL_GATEWAY4 : VIRTUAL_GATEWAY6, &ip);
	return ip;
}

static int end_describe(struct rtnl_link *link, const struct veth_end *end, uint16_t mtu)
{
	__attribute__((cleanup(addr_cleanup))) struct nl_addr *mac = NULL;

	rtnl_link_set_name(link, end->name);
	rtnl_link_set_mtu(link, mtu);
	rtnl_link_set_num_tx_queues(link, 1);
	rtnl_link_set_num_rx_queues(link, 1);
	if (end->netns_fd >= 0)
		rtnl_link_set_ns_fd(link, end->netns_fd);
	if (end->mac == NULL)
		return 0;
	mac = nl_addr_build(AF_LLC, end->mac, 6);
	if (mac == NULL)
		return -ENOMEM;
	rtnl_link_set_addr(link, mac);
	return 0;
}

int netlink_add_veth(
	struct nl_sock *sock, const struct veth_end *end, const struct veth_end *peer, uint16_t mtu)
{
	__attribute__((cleanup(link_cleanup))) struct rtnl_link *link = rtnl_link_veth_alloc();
	__attribute__((cleanup(link_cleanup))) struct rtnl_link *other = NULL;
	int ret;

	if (link == NULL)
		return -ENOMEM;
	other = rtnl_link_veth_get_peer(link);
	ret = end_describe(link, end, mtu);
	if (ret == 0)
		ret = end_describe(other, peer, mtu);
	if (ret == 0)
		ret = netlink_errno(rtnl_link_add(sock, link, NLM_F_CREATE | NLM_F_EXCL));
	return ret;
}
