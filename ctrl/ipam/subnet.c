// A Subnet's addresses: validation as hybridnet's Canonicalize, the set, and the round robin in it.
#include "ctrl/ipam/subnet.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX_LEN_MAX 126 // of the IPv6 form: a /31 or /127 has nothing to allocate

struct ipam_use {
	u128 ip;
	char *owner; // owned; "namespace/pod"
	UT_hash_handle hh;
};

u128 ipam_number(const struct in6_addr *ip)
{
	u128 number = 0;

	for (int i = 0; i < 16; i++)
		number = number << 8 | ip->s6_addr[i];
	return number;
}

struct in6_addr ipam_address_of(u128 number)
{
	struct in6_addr ip;

	for (int i = 15; i >= 0; i--, number >>= 8)
		ip.s6_addr[i] = (uint8_t)(number & 0xff);
	return ip;
}

// ── Making ─────────────────────────────────────────────────────────────────────────────────────

__attribute__((format(printf, 2, 3))) static int invalid(
	char error[IPAM_ERROR_MAX], const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(error, IPAM_ERROR_MAX, format, ap);
	va_end(ap);
	return -EINVAL;
}

static int validate(const struct subnet_obj *s, char error[IPAM_ERROR_MAX])
{
	char cidr[CIDR_TEXT_MAX], ip[IP_TEXT_MAX];

	if (s->obj.meta.name[0] == '\0')
		return invalid(error, "subnet name can not be empty");
	if (s->network[0] == '\0')
		return invalid(error, "subnet's partent network can not be empty");
	if (!s->range.has_cidr)
		return invalid(error, "CIDR is invalid");
	(void)cidr_text(&s->range.cidr, cidr);
	if (s->range.cidr.len > PREFIX_LEN_MAX)
		return invalid(error, "CIDR %s too small to allocate from", cidr);

	struct in6_addr first = cidr_first(&s->range.cidr);
	if (ip_cmp(&first, &s->range.cidr.ip) != 0)
		return invalid(error,
			"CIDR has host bits set because a subnet mask of length %s the network "
			"address is %s",
			strchr(cidr, '/') + 1, ip_text(&first, ip));
	if (s->range.has_gateway && !cidr_contains(&s->range.cidr, &s->range.gateway))
		return invalid(
			error, "gateway %s not in CIDR %s", ip_text(&s->range.gateway, ip), cidr);
	if (s->range.has_start && !cidr_contains(&s->range.cidr, &s->range.start))
		return invalid(
			error, "start %s not in CIDR %s", ip_text(&s->range.start, ip), cidr);
	if (s->range.has_end && !cidr_contains(&s->range.cidr, &s->range.end))
		return invalid(error, "end %s not in CIDR %s", ip_text(&s->range.end, ip), cidr);
	return 0;
}

static bool in_range(const struct ipam_subnet *s, u128 ip)
{
	return ip >= s->start && ip <= s->end;
}

static int withhold(struct ipam_subnet *s, const struct in6_addr *ip)
{
	u128 number = ipam_number(ip);

	if (!in_range(s, number))
		return 0;
	int ret = bitmap_set(&s->withheld, number);
	return ret < 0 ? ret : bitmap_set(&s->taken, number);
}

static int reserve(struct ipam_subnet *s, const struct in6_addr *ip)
{
	u128 number = ipam_number(ip);

	if (!ipam_subnet_contains(s, number))
		return 0;
	int ret = bitmap_set(&s->reserved, number);
	return ret < 0 ? ret : bitmap_set(&s->taken, number);
}

static int set_lists(struct ipam_subnet *s, const struct subnet_obj *obj)
{
	int ret = obj->range.has_gateway ? withhold(s, &obj->range.gateway) : 0;

	for (size_t i = 0; ret == 0 && i < obj->range.n_excluded; i++)
		ret = withhold(s, &obj->range.excluded[i]);
	for (size_t i = 0; ret == 0 && i < obj->range.n_reserved; i++)
		ret = reserve(s, &obj->range.reserved[i]);
	return ret;
}

int ipam_subnet_new(
	const struct subnet_obj *obj, struct ipam_subnet **ret_s, char error[IPAM_ERROR_MAX])
{
	struct in6_addr start, end, cursor;
	int ret = validate(obj, error);

	if (ret < 0)
		return ret;
	subnet_bounds(obj, &start, &end);
	if (ip_cmp(&start, &end) > 0) {
		char start_buf[IP_TEXT_MAX], end_buf[IP_TEXT_MAX];
		return invalid(error,
			"subnet should have at least one available IP. start=%s, end=%s",
			ip_text(&start, start_buf), ip_text(&end, end_buf));
	}
	struct ipam_subnet *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	strcpy(s->name, obj->obj.meta.name);
	strcpy(s->network, obj->network);
	s->cidr = obj->range.cidr;
	s->start = ipam_number(&start);
	s->end = ipam_number(&end);
	s->private = obj->private;
	s->has_gateway = obj->range.has_gateway;
	s->gateway = obj->range.gateway;
	s->has_net_id = obj->has_net_id;
	s->net_id = obj->net_id;
	if (ip_parse(obj->status.last_allocated_ip, &cursor) == 0) {
		s->has_cursor = true;
		s->cursor = ipam_number(&cursor);
	}
	ret = set_lists(s, obj);
	if (ret < 0) {
		ipam_subnet_free(s);
		return ret;
	}
	*ret_s = s;
	return 0;
}

static void use_free(struct ipam_use *u)
{
	free(u->owner);
	free(u);
}

void ipam_subnet_free(struct ipam_subnet *s)
{
	struct ipam_use *u, *next;

	if (s == NULL)
		return;
	HASH_ITER (hh, s->uses, u, next) {
		HASH_DEL(s->uses, u);
		use_free(u);
	}
	bitmap_fini(&s->withheld);
	bitmap_fini(&s->reserved);
	bitmap_fini(&s->taken);
	free(s);
}

int ipam_subnet_inherit(struct ipam_subnet *s, const struct ipam_subnet *old)
{
	for (const struct ipam_use *u = old->uses; u != NULL; u = u->hh.next) {
		int ret = ipam_subnet_use(s, u->ip, u->owner);
		if (ret < 0)
			return ret;
	}
	if (old->has_cursor) {
		s->has_cursor = true;
		s->cursor = old->cursor;
	}
	return 0;
}

// ── Asking ─────────────────────────────────────────────────────────────────────────────────────

bool ipam_subnet_contains(const struct ipam_subnet *s, u128 ip)
{
	return in_range(s, ip) && !bitmap_get(&s->withheld, ip);
}

// Whether the address is in the set that is handed out without being asked for.
static bool is_counted(const struct ipam_subnet *s, u128 ip)
{
	return ipam_subnet_contains(s, ip) && !bitmap_get(&s->reserved, ip);
}

static u128 total(const struct ipam_subnet *s)
{
	u128 span = s->end - s->start;
	u128 size = span + 1 != 0 ? span + 1 : span; // all 2^128 addresses do not fit

	return size - s->withheld.n - s->reserved.n;
}

bool ipam_subnet_has_free(const struct ipam_subnet *s)
{
	return total(s) > s->n_used;
}

static int64_t saturated(u128 n)
{
	return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

void ipam_subnet_count(const struct ipam_subnet *s, struct ip_count *ret_count)
{
	*ret_count = (struct ip_count){
		.total = saturated(total(s)),
		.used = (int64_t)s->n_used,
		.available = saturated(total(s) - s->n_used),
	};
}

// ── Changing ───────────────────────────────────────────────────────────────────────────────────

static struct ipam_use *use_find(const struct ipam_subnet *s, u128 ip)
{
	struct ipam_use *u;

	HASH_FIND(hh, s->uses, &ip, sizeof(ip), u);
	return u;
}

static struct ipam_use *use_add(struct ipam_subnet *s, u128 ip, const char *owner)
{
	struct ipam_use *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return NULL;
	u->ip = ip;
	u->owner = strdup(owner);
	if (u->owner == NULL)
		goto free_use;
	HASH_ADD(hh, s->uses, ip, sizeof(u->ip), u);
	if (u->hh.tbl == NULL)
		goto free_use;
	return u;
free_use:
	use_free(u);
	return NULL;
}

int ipam_subnet_use(struct ipam_subnet *s, u128 ip, const char *owner)
{
	struct ipam_use *u = use_find(s, ip);

	if (u != NULL)
		return strcmp(u->owner, owner) == 0 ? 0 : -EEXIST;
	u = use_add(s, ip, owner);
	if (u == NULL)
		return -ENOMEM;
	if (!is_counted(s, ip))
		return 0;
	if (bitmap_set(&s->taken, ip) < 0) {
		HASH_DEL(s->uses, u);
		use_free(u);
		return -ENOMEM;
	}
	s->n_used++;
	return 0;
}

void ipam_subnet_release(struct ipam_subnet *s, u128 ip)
{
	struct ipam_use *u = use_find(s, ip);

	if (u == NULL)
		return;
	HASH_DEL(s->uses, u);
	use_free(u);
	if (is_counted(s, ip)) {
		bitmap_clear(&s->taken, ip);
		s->n_used--;
	}
}

// The next address after the cursor that nobody has, then from the start up to the cursor.
static bool next_free(const struct ipam_subnet *s, u128 *ret_ip)
{
	bool midway = s->has_cursor && in_range(s, s->cursor) && s->cursor < s->end;

	if (midway && bitmap_next_clear(&s->taken, s->cursor + 1, s->end, ret_ip))
		return true;
	return bitmap_next_clear(&s->taken, s->start, midway ? s->cursor : s->end, ret_ip);
}

int ipam_subnet_allocate(struct ipam_subnet *s, const char *owner, u128 *ret_ip)
{
	u128 ip;

	if (!next_free(s, &ip))
		return -ENOSPC;
	int ret = ipam_subnet_use(s, ip, owner);
	if (ret < 0)
		return ret;
	s->has_cursor = true;
	s->cursor = ip;
	*ret_ip = ip;
	return 0;
}
