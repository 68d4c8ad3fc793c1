// The choice between Subnets: an address comes from the Network's current Subnet until that is full,
// then from the next one by name; families have rings of their own.
#include <errno.h>
#include <string.h>

#include "ctrl/ipam/ipam_inner.h"

bool ipam_in_ring(const struct ipam_subnet *s, const char *network, int ring)
{
	return ipam_subnet_is_v4(s) == (ring == RING_V4) && strcmp(s->network, network) == 0;
}

// The Subnet to allocate from next: the last one while it has room, then those after it by name,
// then those before it. Private ones are left to those who name them.
static struct ipam_subnet *current_subnet(
	const struct ipam *ipam, const struct ipam_network *n, int ring)
{
	const struct ipam_subnet *first = NULL, *s;
	const char *last = ipam_find_subnet(ipam, n->last[ring]) != NULL ? n->last[ring] : "";

	for (s = ipam->subnets; s != NULL; s = ipam_next_subnet(s)) {
		if (!ipam_in_ring(s, n->name, ring) || s->private || !ipam_subnet_has_free(s))
			continue;
		if (strcmp(s->name, last) >= 0)
			return ipam_find_subnet(ipam, s->name);
		if (first == NULL)
			first = s;
	}
	return first != NULL ? ipam_find_subnet(ipam, first->name) : NULL;
}

static int pick_subnet(const struct ipam *ipam, const struct ipam_network *n, int ring,
	const char *name, struct ipam_subnet **ret_s)
{
	struct ipam_subnet *s =
		name != NULL ? ipam_find_subnet(ipam, name) : current_subnet(ipam, n, ring);

	if (s == NULL || !ipam_in_ring(s, n->name, ring))
		return name != NULL ? -ENOENT : -ENOSPC;
	*ret_s = s;
	return 0;
}

static const char *pick_error(int err)
{
	return err == -ENOENT ? "subnet not found" : "no available subnet";
}

static void fill_address(const struct ipam_network *n, const struct ipam_subnet *s, u128 ip,
	struct ipam_address *ret_addr)
{
	*ret_addr = (struct ipam_address){
		.ip = {.ip = ipam_address_of(ip), .len = s->cidr.len},
		.has_gateway = s->has_gateway,
		.gateway = s->gateway,
		.has_net_id = s->has_net_id || n->has_net_id,
		.net_id = s->has_net_id ? s->net_id : n->net_id,
	};
	strcpy(ret_addr->subnet, s->name);
}

// The last Subnet moves only when the choice was ours: a Subnet that a pod names is not the ring's.
static void move_ring(
	struct ipam_network *n, int ring, const char *named, const struct ipam_subnet *s)
{
	if (named == NULL)
		strcpy(n->last[ring], s->name);
}

static int allocate_one(struct ipam *ipam, struct ipam_network *n, int ring, const char *named,
	const char *owner, struct ipam_address *ret_addr, char error[IPAM_ERROR_MAX])
{
	const char *family = ring == RING_V4 ? "ipv4" : "ipv6";
	struct ipam_subnet *s;
	u128 ip;
	int ret = pick_subnet(ipam, n, ring, named, &s);

	if (ret < 0)
		return ipam_fail(ret, error, "fail to get %s subnet: %s", family, pick_error(ret));
	ret = ipam_subnet_allocate(s, owner, &ip);
	if (ret < 0)
		return ipam_fail(ret, error, "fail to get one available %s address from subnet %s",
			family, s->name);
	fill_address(n, s, ip, ret_addr);
	move_ring(n, ring, named, s);
	return 0;
}

static int allocate_both(struct ipam *ipam, struct ipam_network *n, const char *const named[2],
	const char *owner, struct ipam_address ret_addr[2], char error[IPAM_ERROR_MAX])
{
	struct ipam_subnet *s[2];
	u128 ip[2];
	int ret = pick_subnet(ipam, n, RING_V4, named[RING_V4], &s[RING_V4]);

	if (ret == 0)
		ret = pick_subnet(ipam, n, RING_V6, named[RING_V6], &s[RING_V6]);
	if (ret < 0)
		return ipam_fail(ret, error, "fail to get paired subnets: %s", pick_error(ret));

	bool had_cursor = s[RING_V4]->has_cursor;
	u128 cursor = s[RING_V4]->cursor;
	ret = ipam_subnet_allocate(s[RING_V4], owner, &ip[RING_V4]);
	if (ret < 0)
		return ipam_fail(
			ret, error, "fail to get ipv4 address from subnet %s", s[RING_V4]->name);
	ret = ipam_subnet_allocate(s[RING_V6], owner, &ip[RING_V6]);
	if (ret < 0) {
		ipam_subnet_release(s[RING_V4], ip[RING_V4]);
		s[RING_V4]->has_cursor = had_cursor;
		s[RING_V4]->cursor = cursor;
		return ipam_fail(
			ret, error, "fail to get ipv6 address zfrom subnet %s", s[RING_V6]->name);
	}
	for (int ring = RING_V4; ring <= RING_V6; ring++) {
		fill_address(n, s[ring], ip[ring], &ret_addr[ring]);
		move_ring(n, ring, named[ring], s[ring]);
	}
	return 0;
}

int ipam_allocate(struct ipam *ipam, const char *network, enum ip_family family,
	const char *subnet4, const char *subnet6, const char *owner,
	struct ipam_address ret_addr[2], size_t *ret_n, char error[IPAM_ERROR_MAX])
{
	struct ipam_network *n = ipam_find_network(ipam, network);
	const char *const named[2] = {subnet4, subnet6};
	const char *one = subnet4 != NULL ? subnet4 : subnet6;
	int ret;

	if (n == NULL)
		return ipam_fail(
			-ENOENT, error, "fail to get network %s: network not found", network);
	if (family == IP_FAMILY_DUAL_STACK) {
		if ((subnet4 == NULL) != (subnet6 == NULL))
			return ipam_fail(-EINVAL, error,
				"only support two assigned subnets when DualStack family, but [%s]",
				one);
		ret = allocate_both(ipam, n, named, owner, ret_addr, error);
	} else {
		if (subnet4 != NULL && subnet6 != NULL)
			return ipam_fail(-EINVAL, error,
				"only support one specified subnet when %s family, but [%s %s]",
				family == IP_FAMILY_IPV4 ? "IPv4" : "IPv6", subnet4, subnet6);
		ret = allocate_one(ipam, n, family == IP_FAMILY_IPV4 ? RING_V4 : RING_V6, one,
			owner, &ret_addr[0], error);
	}
	if (ret == 0)
		*ret_n = family == IP_FAMILY_DUAL_STACK ? 2 : 1;
	return ret;
}

// The Subnet that may hold ip; the named one whether it holds it or not.
static struct ipam_subnet *subnet_for(
	const struct ipam *ipam, const char *network, const char *name, const struct in6_addr *ip)
{
	int ring = ip_is_v4(ip) ? RING_V4 : RING_V6;
	const struct ipam_subnet *s;

	if (name != NULL) {
		struct ipam_subnet *named = ipam_find_subnet(ipam, name);
		return named != NULL && strcmp(named->network, network) == 0 ? named : NULL;
	}
	for (s = ipam->subnets; s != NULL; s = ipam_next_subnet(s)) {
		if (ipam_in_ring(s, network, ring) && ipam_subnet_contains(s, ipam_number(ip)))
			return ipam_find_subnet(ipam, s->name);
	}
	return NULL;
}

int ipam_assign(struct ipam *ipam, const char *network, const char *subnet,
	const struct in6_addr *ip, const char *owner, struct ipam_address *ret_addr,
	char error[IPAM_ERROR_MAX])
{
	const struct ipam_network *n = ipam_find_network(ipam, network);
	char text[IP_TEXT_MAX];

	(void)ip_text(ip, text);
	if (n == NULL)
		return ipam_fail(
			-ENOENT, error, "fail to get network %s: network not found", network);
	struct ipam_subnet *s = subnet_for(ipam, network, subnet, ip);
	if (s == NULL)
		return ipam_fail(-ENOENT, error, "fail to get subnet by {%s %s}: subnet not found",
			subnet != NULL ? subnet : "", text);
	if (!ipam_subnet_contains(s, ipam_number(ip)))
		return ipam_fail(-ENOENT, error,
			"fail to assign ip %s to pod %s: assigned ip not found", text, owner);
	int ret = ipam_subnet_use(s, ipam_number(ip), owner);
	if (ret < 0)
		return ipam_fail(ret, error,
			"fail to assign ip %s to pod %s: assigned ip is not available", text,
			owner);
	fill_address(n, s, ipam_number(ip), ret_addr);
	return 0;
}
