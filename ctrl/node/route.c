// The kernel's routes to pods: through the host port, where the switch has the rest of the way.
#include "ctrl/node/link.h"

#include "ctrl/node/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>

static struct netlink_route describe(
	const struct link_address *prefix, int ifindex, const struct in6_addr *gateway)
{
	bool v4 = IN6_IS_ADDR_V4MAPPED(&prefix->ip);

	return (struct netlink_route){.dst = &prefix->ip,
		.prefix_len = prefix->prefix_len,
		.family = v4 ? AF_INET : AF_INET6,
		.ifindex = ifindex,
		.gateway = gateway,
		.onlink = v4}; // IPv6's gateway is link-local
}

static int change(
	const char *ifname, const struct link_address *prefix, const struct in6_addr *src, bool add)
{
	__attribute__((cleanup(netlink_cleanup))) struct nl_sock *sock = NULL;
	struct in6_addr gateway =
		netlink_gateway(IN6_IS_ADDR_V4MAPPED(&prefix->ip) ? AF_INET : AF_INET6);
	struct netlink_route route;
	int ret, ifindex;

	ifindex = link_index(ifname);
	if (ifindex < 0)
		return ifindex;
	ret = netlink_open(&sock);
	if (ret < 0)
		return ret;
	route = describe(prefix, ifindex, &gateway);
	if (!add)
		return netlink_del_route(sock, &route);
	if (src != NULL && !IN6_IS_ADDR_UNSPECIFIED(src))
		route.src = src;
	return netlink_add_route(sock, &route, NLM_F_CREATE | NLM_F_REPLACE);
}

static const char *prefix_text(const struct link_address *prefix, char buf[64])
{
	char ip[INET6_ADDRSTRLEN];

	if (IN6_IS_ADDR_V4MAPPED(&prefix->ip))
		(void)inet_ntop(AF_INET, &prefix->ip.s6_addr[12], ip, sizeof(ip));
	else
		(void)inet_ntop(AF_INET6, &prefix->ip, ip, sizeof(ip));
	(void)snprintf(buf, 64, "%s/%u", ip, prefix->prefix_len);
	return buf;
}

int link_route_add(const char *ifname, const struct link_address *prefix,
	const struct in6_addr *src, char why[LINK_WHY_MAX])
{
	char text[64];
	int ret;

	ret = change(ifname, prefix, src, true);
	if (ret < 0)
		return link_fail(why, ret, "cannot add the route to %s by '%s'",
			prefix_text(prefix, text), ifname);
	return 0;
}

int link_route_del(const char *ifname, const struct link_address *prefix, char why[LINK_WHY_MAX])
{
	char text[64];
	int ret;

	ret = change(ifname, prefix, NULL, false);
	if (ret == -ENOENT || ret == -ENODEV)
		return 0; // never there, or gone with the device
	if (ret < 0)
		return link_fail(why, ret, "cannot delete the route to %s by '%s'",
			prefix_text(prefix, text), ifname);
	return 0;
}
