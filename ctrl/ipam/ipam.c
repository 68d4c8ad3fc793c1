// Networks and their Subnets, and the choice between them: an address comes from the Network's
// current Subnet until that is full, then from the next one by name; families have rings of
// their own.
#include "ctrl/ipam/ipam.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctrl/ipam/subnet.h"

struct ipam_network {
	char name[NAME_MAX_LEN];
	bool has_net_id;
	int64_t net_id;
	char last[2][NAME_MAX_LEN]; // Subnets that were allocated from last: IPv4, IPv6
	UT_hash_handle hh;
};

struct ipam {
	struct ipam_network *networks; // owned
	struct ipam_subnet *subnets; // owned; in the order of names
};

enum {
	RING_V4,
	RING_V6
};

int ip_family_parse(const char *text, enum ip_family *ret_family)
{
	static const struct {
		const char *text;
		enum ip_family family;
	} names[] = {
		{"IPv4", IP_FAMILY_IPV4},
		{"IPv4Only", IP_FAMILY_IPV4},
		{"IPv6", IP_FAMILY_IPV6},
		{"IPv6Only", IP_FAMILY_IPV6},
		{"DualStack", IP_FAMILY_DUAL_STACK},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcasecmp(text, names[i].text) == 0) {
			*ret_family = names[i].family;
			return 0;
		}
	}
	return -EINVAL;
}

__attribute__((format(printf, 3, 4))) static int fail(
	int err, char error[IPAM_ERROR_MAX], const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(error, IPAM_ERROR_MAX, format, ap);
	va_end(ap);
	return err;
}

// ── Networks and Subnets ───────────────────────────────────────────────────────────────────────

struct ipam *ipam_new(void)
{
	return calloc(1, sizeof(struct ipam));
}

void ipam_free(struct ipam *ipam)
{
	struct ipam_network *n, *next_n;
	struct ipam_subnet *s, *next_s;

	if (ipam == NULL)
		return;
	HASH_ITER (hh, ipam->networks, n, next_n) {
		HASH_DEL(ipam->networks, n);
		free(n);
	}
	HASH_ITER (hh, ipam->subnets, s, next_s) {
		HASH_DEL(ipam->subnets, s);
		ipam_subnet_free(s);
	}
	free(ipam);
}

static struct ipam_network *find_network(const struct ipam *ipam, const char *name)
{
	struct ipam_network *n;

	HASH_FIND_STR(ipam->networks, name, n);
	return n;
}

static struct ipam_subnet *find_subnet(const struct ipam *ipam, const char *name)
{
	struct ipam_subnet *s;

	HASH_FIND_STR(ipam->subnets, name, s);
	return s;
}

static int by_name(const struct ipam_subnet *a, const struct ipam_subnet *b)
{
	return strcmp(a->name, b->name);
}

int ipam_put_network(struct ipam *ipam, const struct network *obj)
{
	struct ipam_network *n = find_network(ipam, obj->obj.meta.name);

	if (n == NULL) {
		n = calloc(1, sizeof(*n));
		if (n == NULL)
			return -ENOMEM;
		strcpy(n->name, obj->obj.meta.name);
		strcpy(n->last[RING_V4], obj->status.last_allocated_subnet);
		strcpy(n->last[RING_V6], obj->status.last_allocated_ipv6_subnet);
		HASH_ADD_STR(ipam->networks, name, n);
		if (n->hh.tbl == NULL) {
			free(n);
			return -ENOMEM;
		}
	}
	n->has_net_id = obj->has_net_id;
	n->net_id = obj->net_id;
	return 0;
}

// Puts what s has in the place of what old has, which stays in the hash; s goes.
static void replace(struct ipam_subnet *old, struct ipam_subnet *s)
{
	struct ipam_subnet gone = *old;

	*old = *s;
	old->hh = gone.hh;
	*s = gone;
	ipam_subnet_free(s);
}

int ipam_put_subnet(struct ipam *ipam, const struct subnet_obj *obj, char error[IPAM_ERROR_MAX])
{
	struct ipam_subnet *old = find_subnet(ipam, obj->obj.meta.name);
	struct ipam_subnet *s;
	int ret = ipam_subnet_new(obj, &s, error);

	if (ret == -ENOMEM)
		return fail(ret, error, "out of memory");
	if (ret < 0)
		return ret;
	if (old != NULL) {
		if (ipam_subnet_inherit(s, old) < 0)
			goto free_subnet;
		replace(old, s);
		return 0;
	}
	HASH_ADD_KEYPTR_INORDER(hh, ipam->subnets, s->name, strlen(s->name), s, by_name);
	if (s->hh.tbl != NULL)
		return 0;
free_subnet:
	ipam_subnet_free(s);
	return fail(-ENOMEM, error, "out of memory");
}

void ipam_del_network(struct ipam *ipam, const char *name)
{
	struct ipam_network *n = find_network(ipam, name);

	if (n == NULL)
		return;
	HASH_DEL(ipam->networks, n);
	free(n);
}

void ipam_del_subnet(struct ipam *ipam, const char *name)
{
	struct ipam_subnet *s = find_subnet(ipam, name);

	if (s == NULL)
		return;
	HASH_DEL(ipam->subnets, s);
	ipam_subnet_free(s);
}

// ── Addresses that are known to be used ────────────────────────────────────────────────────────

int ipam_use(struct ipam *ipam, const char *subnet, const struct in6_addr *ip, const char *owner)
{
	struct ipam_subnet *s = find_subnet(ipam, subnet);

	return s != NULL ? ipam_subnet_use(s, ipam_number(ip), owner) : -ENOENT;
}

void ipam_release(struct ipam *ipam, const char *subnet, const struct in6_addr *ip)
{
	struct ipam_subnet *s = find_subnet(ipam, subnet);

	if (s != NULL)
		ipam_subnet_release(s, ipam_number(ip));
}

// ── Allocation ─────────────────────────────────────────────────────────────────────────────────

static bool in_ring(const struct ipam_subnet *s, const char *network, int ring)
{
	return ipam_subnet_is_v4(s) == (ring == RING_V4) && strcmp(s->network, network) == 0;
}

static const struct ipam_subnet *next_subnet(const struct ipam_subnet *s)
{
	return s->hh.next;
}

// The Subnet to allocate from next: the last one while it has room, then those after it by name,
// then those before it. Private ones are left to those who name them.
static struct ipam_subnet *current_subnet(
	const struct ipam *ipam, const struct ipam_network *n, int ring)
{
	const struct ipam_subnet *first = NULL, *s;
	const char *last = find_subnet(ipam, n->last[ring]) != NULL ? n->last[ring] : "";

	for (s = ipam->subnets; s != NULL; s = next_subnet(s)) {
		if (!in_ring(s, n->name, ring) || s->private || !ipam_subnet_has_free(s))
			continue;
		if (strcmp(s->name, last) >= 0)
			return find_subnet(ipam, s->name);
		if (first == NULL)
			first = s;
	}
	return first != NULL ? find_subnet(ipam, first->name) : NULL;
}

static int pick_subnet(const struct ipam *ipam, const struct ipam_network *n, int ring,
	const char *name, struct ipam_subnet **ret_s)
{
	struct ipam_subnet *s =
		name != NULL ? find_subnet(ipam, name) : current_subnet(ipam, n, ring);

	if (s == NULL || !in_ring(s, n->name, ring))
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
		return fail(ret, error, "fail to get %s subnet: %s", family, pick_error(ret));
	ret = ipam_subnet_allocate(s, owner, &ip);
	if (ret < 0)
		return fail(ret, error, "fail to get one available %s address from subnet %s",
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
		return fail(ret, error, "fail to get paired subnets: %s", pick_error(ret));

	bool had_cursor = s[RING_V4]->has_cursor;
	u128 cursor = s[RING_V4]->cursor;
	ret = ipam_subnet_allocate(s[RING_V4], owner, &ip[RING_V4]);
	if (ret < 0)
		return fail(
			ret, error, "fail to get ipv4 address from subnet %s", s[RING_V4]->name);
	ret = ipam_subnet_allocate(s[RING_V6], owner, &ip[RING_V6]);
	if (ret < 0) {
		ipam_subnet_release(s[RING_V4], ip[RING_V4]);
		s[RING_V4]->has_cursor = had_cursor;
		s[RING_V4]->cursor = cursor;
		return fail(
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
	struct ipam_network *n = find_network(ipam, network);
	const char *const named[2] = {subnet4, subnet6};
	const char *one = subnet4 != NULL ? subnet4 : subnet6;
	int ret;

	if (n == NULL)
		return fail(-ENOENT, error, "fail to get network %s: network not found", network);
	if (family == IP_FAMILY_DUAL_STACK) {
		if ((subnet4 == NULL) != (subnet6 == NULL))
			return fail(-EINVAL, error,
				"only support two assigned subnets when DualStack family, but [%s]",
				one);
		ret = allocate_both(ipam, n, named, owner, ret_addr, error);
	} else {
		if (subnet4 != NULL && subnet6 != NULL)
			return fail(-EINVAL, error,
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
		struct ipam_subnet *named = find_subnet(ipam, name);
		return named != NULL && strcmp(named->network, network) == 0 ? named : NULL;
	}
	for (s = ipam->subnets; s != NULL; s = next_subnet(s)) {
		if (in_ring(s, network, ring) && ipam_subnet_contains(s, ipam_number(ip)))
			return find_subnet(ipam, s->name);
	}
	return NULL;
}

int ipam_assign(struct ipam *ipam, const char *network, const char *subnet,
	const struct in6_addr *ip, const char *owner, struct ipam_address *ret_addr,
	char error[IPAM_ERROR_MAX])
{
	const struct ipam_network *n = find_network(ipam, network);
	char text[IP_TEXT_MAX];

	(void)ip_text(ip, text);
	if (n == NULL)
		return fail(-ENOENT, error, "fail to get network %s: network not found", network);
	struct ipam_subnet *s = subnet_for(ipam, network, subnet, ip);
	if (s == NULL)
		return fail(-ENOENT, error, "fail to get subnet by {%s %s}: subnet not found",
			subnet != NULL ? subnet : "", text);
	if (!ipam_subnet_contains(s, ipam_number(ip)))
		return fail(-ENOENT, error, "fail to assign ip %s to pod %s: assigned ip not found",
			text, owner);
	int ret = ipam_subnet_use(s, ipam_number(ip), owner);
	if (ret < 0)
		return fail(ret, error,
			"fail to assign ip %s to pod %s: assigned ip is not available", text,
			owner);
	fill_address(n, s, ipam_number(ip), ret_addr);
	return 0;
}

// ── Usage ──────────────────────────────────────────────────────────────────────────────────────

int ipam_subnet_usage(const struct ipam *ipam, const char *subnet, struct ipam_usage *ret_usage)
{
	const struct ipam_subnet *s = find_subnet(ipam, subnet);

	if (s == NULL)
		return -ENOENT;
	ipam_subnet_count(s, &ret_usage->count);
	ret_usage->last_allocated[0] = '\0';
	if (s->has_cursor) {
		struct in6_addr ip = ipam_address_of(s->cursor);
		(void)ip_text(&ip, ret_usage->last_allocated);
	}
	return 0;
}

static void add(int64_t *sum, int64_t n)
{
	if (__builtin_add_overflow(*sum, n, sum))
		*sum = INT64_MAX;
}

int ipam_network_usage(const struct ipam *ipam, const char *network, struct ip_count *ret_v4,
	struct ip_count *ret_v6, struct ip_count *ret_dual, char ret_last4[NAME_MAX_LEN],
	char ret_last6[NAME_MAX_LEN])
{
	const struct ipam_network *n = find_network(ipam, network);
	const struct ipam_subnet *s;

	if (n == NULL)
		return -ENOENT;
	*ret_v4 = *ret_v6 = *ret_dual = (struct ip_count){0};
	for (s = ipam->subnets; s != NULL; s = next_subnet(s)) {
		struct ip_count *sum = ipam_subnet_is_v4(s) ? ret_v4 : ret_v6;
		struct ip_count count;

		if (strcmp(s->network, network) != 0)
			continue;
		ipam_subnet_count(s, &count);
		add(&sum->total, count.total);
		add(&sum->used, count.used);
		add(&sum->available, count.available);
	}
	ret_dual->available =
		ret_v4->available < ret_v6->available ? ret_v4->available : ret_v6->available;
	strcpy(ret_last4, find_subnet(ipam, n->last[RING_V4]) != NULL ? n->last[RING_V4] : "");
	strcpy(ret_last6, find_subnet(ipam, n->last[RING_V6]) != NULL ? n->last[RING_V6] : "");
	return 0;
}
