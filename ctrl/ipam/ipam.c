// Networks and their Subnets, and what is used of them. Which one an address comes from is chosen in
// allocate.c.
#include "ctrl/ipam/ipam.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctrl/ipam/ipam_inner.h"

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

int ipam_fail(int err, char error[IPAM_ERROR_MAX], const char *format, ...)
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

struct ipam_network *ipam_find_network(const struct ipam *ipam, const char *name)
{
	struct ipam_network *n;

	HASH_FIND_STR(ipam->networks, name, n);
	return n;
}

struct ipam_subnet *ipam_find_subnet(const struct ipam *ipam, const char *name)
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
	struct ipam_network *n = ipam_find_network(ipam, obj->obj.meta.name);

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
	struct ipam_subnet *old = ipam_find_subnet(ipam, obj->obj.meta.name);
	struct ipam_subnet *s;
	int ret = ipam_subnet_new(obj, &s, error);

	if (ret == -ENOMEM)
		return ipam_fail(ret, error, "out of memory");
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
	return ipam_fail(-ENOMEM, error, "out of memory");
}

void ipam_del_network(struct ipam *ipam, const char *name)
{
	struct ipam_network *n = ipam_find_network(ipam, name);

	if (n == NULL)
		return;
	HASH_DEL(ipam->networks, n);
	free(n);
}

void ipam_del_subnet(struct ipam *ipam, const char *name)
{
	struct ipam_subnet *s = ipam_find_subnet(ipam, name);

	if (s == NULL)
		return;
	HASH_DEL(ipam->subnets, s);
	ipam_subnet_free(s);
}

// ── Addresses that are known to be used ────────────────────────────────────────────────────────

int ipam_use(struct ipam *ipam, const char *subnet, const struct in6_addr *ip, const char *owner)
{
	struct ipam_subnet *s = ipam_find_subnet(ipam, subnet);

	return s != NULL ? ipam_subnet_use(s, ipam_number(ip), owner) : -ENOENT;
}

void ipam_release(struct ipam *ipam, const char *subnet, const struct in6_addr *ip)
{
	struct ipam_subnet *s = ipam_find_subnet(ipam, subnet);

	if (s != NULL)
		ipam_subnet_release(s, ipam_number(ip));
}

// ── Usage ──────────────────────────────────────────────────────────────────────────────────────

int ipam_subnet_usage(const struct ipam *ipam, const char *subnet, struct ipam_usage *ret_usage)
{
	const struct ipam_subnet *s = ipam_find_subnet(ipam, subnet);

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

void ipam_network_free(const struct ipam *ipam, const char *network, bool *ret_v4, bool *ret_v6)
{
	const struct ipam_subnet *s;

	*ret_v4 = *ret_v6 = false;
	for (s = ipam->subnets; s != NULL; s = ipam_next_subnet(s)) {
		if (s->private || strcmp(s->network, network) != 0 || !ipam_subnet_has_free(s))
			continue;
		*(ipam_subnet_is_v4(s) ? ret_v4 : ret_v6) = true;
	}
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
	const struct ipam_network *n = ipam_find_network(ipam, network);
	const struct ipam_subnet *s;

	if (n == NULL)
		return -ENOENT;
	*ret_v4 = *ret_v6 = *ret_dual = (struct ip_count){0};
	for (s = ipam->subnets; s != NULL; s = ipam_next_subnet(s)) {
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
	strcpy(ret_last4, ipam_find_subnet(ipam, n->last[RING_V4]) != NULL ? n->last[RING_V4] : "");
	strcpy(ret_last6, ipam_find_subnet(ipam, n->last[RING_V6]) != NULL ? n->last[RING_V6] : "");
	return 0;
}
