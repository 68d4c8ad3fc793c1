// The host port's veth. Both ends are in the node's namespace: one is the kernel's, with the
// node's addresses; the switch has the other.
#include "ctrl/node/link.h"

#include "ctrl/node/netlink.h"

#include <netlink/route/neighbour.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>

// Whether packets may pass between devices is the node's as a whole. IPv6 is written only if it is
// off: the kernel forgets routes it has by router advertisements when it is turned on, unless their
// device has accept_ra=2, which is the operator's to decide.
static int enable_forwarding(void)
{
	static const char *const v6 = "/proc/sys/net/ipv6/conf/all/forwarding";
	char now = '1';
	int fd, ret;

	ret = sysctl_conf("ipv4", "all", "forwarding", "1"); // the same as net.ipv4.ip_forward
	if (ret < 0)
		return ret;
	fd = open(v6, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0; // a kernel without IPv6
	if (read(fd, &now, 1) != 1)
		now = '1';
	close(fd);
	return now == '1' ? 0 : sysctl_conf("ipv6", "all", "forwarding", "1");
}

static int settings(const struct link_host *host)
{
	static const char *const keys[][3] = {
		{"ipv4", "forwarding", "1"},
		// Packets of underlay pods may come back by another device. 2 holds even if `all` has 1.
		{"ipv4", "rp_filter", "2"},
		{"ipv4", "send_redirects", "0"},
		{"ipv4", "accept_redirects", "0"},
		{"ipv6", "disable_ipv6", "0"},
		{"ipv6", "forwarding", "1"},
		{"ipv6", "accept_ra", "0"},
		{"ipv6", "accept_dad", "0"},
		{"ipv6", "accept_redirects", "0"},
	};
	int ret;

	ret = enable_forwarding();
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && ret == 0; i++)
		ret = sysctl_conf(keys[i][0], host->ifname, keys[i][1], keys[i][2]);
	if (ret == 0)
		ret = sysctl_conf("ipv6", host->peer, "disable_ipv6", "1");
	return ret;
}

static int add_neighbour(struct nl_sock *sock, int ifindex, int family)
{
	struct in6_addr gateway = netlink_gateway(family);
	struct nl_addr *ip = netlink_addr(&gateway, family == AF_INET ? 32 : 128);
	struct nl_addr *mac = nl_addr_build(AF_LLC, VIRTUAL_GATEWAY_MAC, 6);
	struct rtnl_neigh *n = rtnl_neigh_alloc();
	int ret = -ENOMEM;

	if (ip != NULL && mac != NULL && n != NULL) {
		rtnl_neigh_set_ifindex(n, ifindex);
		rtnl_neigh_set_state(n, NUD_PERMANENT);
		rtnl_neigh_set_lladdr(n, mac);
		ret = netlink_errno(rtnl_neigh_set_dst(n, ip));
		if (ret == 0)
			ret = netlink_errno(rtnl_neigh_add(sock, n, NLM_F_CREATE | NLM_F_REPLACE));
	}
	rtnl_neigh_put(n);
	nl_addr_put(mac);
	nl_addr_put(ip);
	return ret;
}

// Appended, so that a default route by another device stays the first choice.
static int add_default(
	struct nl_sock *sock, int ifindex, const struct in6_addr *gateway, int family)
{
	struct netlink_route route = {.family = family, .ifindex = ifindex, .gateway = gateway};
	int ret;

	if (IN6_IS_ADDR_UNSPECIFIED(gateway))
		return 0;
	ret = netlink_add_route(sock, &route, NLM_F_CREATE | NLM_F_APPEND);
	return ret == -EEXIST ? 0 : ret;
}

static int configure(
	struct nl_sock *sock, const struct link_host *host, int ifindex, char why[LINK_WHY_MAX])
{
	const char *name = host->ifname;
	int ret;

	ret = settings(host);
	if (ret < 0)
		return link_fail(why, ret, "cannot set the sysctls of '%s'", name);
	ret = offloads_off(name);
	if (ret == 0)
		ret = gro_off(host->peer);
	if (ret < 0)
		return link_fail(why, ret, "cannot turn off the offloads of '%s'", name);
	for (size_t i = 0; i < host->n_addr && ret == 0; i++)
		ret = netlink_add_address(sock, ifindex, &host->addr[i],
			IN6_IS_ADDR_V4MAPPED(&host->addr[i].ip) ? 0 : IFA_F_NODAD);
	if (ret < 0)
		return link_fail(why, ret, "cannot set an address of '%s'", name);
	ret = netlink_set_up(sock, link_index(host->peer));
	if (ret == 0)
		ret = netlink_set_up(sock, ifindex);
	if (ret < 0)
		return link_fail(why, ret, "cannot bring up '%s'", name);
	ret = add_neighbour(sock, ifindex, AF_INET);
	if (ret == 0)
		ret = add_neighbour(sock, ifindex, AF_INET6);
	// IPv6 may be switched off in the kernel.
	if (ret < 0 && ret != -EAFNOSUPPORT && ret != -EOPNOTSUPP)
		return link_fail(why, ret, "cannot set the switch's MAC address on '%s'", name);
	ret = add_default(sock, ifindex, &host->gateway4, AF_INET);
	if (ret == 0)
		ret = add_default(sock, ifindex, &host->gateway6, AF_INET6);
	if (ret < 0)
		return link_fail(why, ret,
			"cannot set a default route by '%s' (is the gateway in the prefix of an "
			"address?)",
			name);
	return 0;
}

static int read_mac(struct nl_sock *sock, const char *name, uint8_t ret_mac[6])
{
	__attribute__((cleanup(link_cleanup))) struct rtnl_link *link = NULL;
	struct nl_addr *mac;
	int ret;

	ret = netlink_link(sock, name, &link);
	if (ret < 0)
		return ret;
	mac = rtnl_link_get_addr(link);
	if (mac == NULL || nl_addr_get_len(mac) != 6)
		return -EPROTO;
	memcpy(ret_mac, nl_addr_get_binary_addr(mac), 6);
	return 0;
}

static int replace_pair(struct nl_sock *sock, const struct link_host *host, char why[LINK_WHY_MAX])
{
	static const uint8_t none[6];
	struct veth_end kernel = {
		host->ifname, memcmp(host->mac, none, 6) != 0 ? host->mac : NULL, -1};
	struct veth_end peer = {host->peer, NULL, -1};
	const char *names[] = {host->ifname, host->peer};
	int ret;

	for (size_t i = 0; i < 2; i++) {
		ret = netlink_delete_veth(sock, names[i]);
		if (ret == -EEXIST)
			return link_fail(why, ret,
				"device '%s' is not one of ours (no veth): choose another "
				"host.interface",
				names[i]);
		if (ret < 0)
			return link_fail(why, ret, "cannot delete device '%s'", names[i]);
	}
	ret = netlink_add_veth(sock, &kernel, &peer, host->mtu);
	if (ret < 0)
		return link_fail(why, ret, "cannot create '%s' and '%s'", host->ifname, host->peer);
	return 0;
}

int link_host_create(const struct link_host *host, int *ret_peer_ifindex, uint8_t ret_mac[6],
	char why[LINK_WHY_MAX])
{
	__attribute__((cleanup(netlink_cleanup))) struct nl_sock *sock = NULL;
	int ret;

	ret = netlink_open(&sock);
	if (ret < 0)
		return link_fail(why, ret, "cannot open a netlink socket");
	ret = replace_pair(sock, host, why);
	if (ret < 0)
		return ret;
	ret = configure(sock, host, link_index(host->ifname), why);
	if (ret == 0) {
		ret = read_mac(sock, host->ifname, ret_mac);
		if (ret < 0)
			(void)link_fail(
				why, ret, "cannot read the MAC address of '%s'", host->ifname);
	}
	if (ret < 0) {
		(void)netlink_delete_veth(sock, host->ifname);
		return ret;
	}
	*ret_peer_ifindex = link_index(host->peer);
	return 0;
}
