// One Subnet's addresses: which may be handed out, which are, and to whom. For ipam.c.
#pragma once

#include "ctrl/ipam/bitmap.h"
#include "ctrl/ipam/ipam.h"

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct ipam_use;

struct ipam_subnet {
	char name[NAME_MAX_LEN], network[NAME_MAX_LEN];
	struct cidr cidr;
	u128 start, end; // first and last address of the range
	bool private;
	bool has_gateway;
	struct in6_addr gateway;
	bool has_net_id;
	int64_t net_id;

	// All three within the range only.
	struct bitmap withheld; // gateway and excludeIPs: never anybody's
	struct bitmap reserved; // reservedIPs that are not withheld: only by ipam_subnet_take
	struct bitmap taken; // withheld, reserved, and used

	struct ipam_use *uses; // owned; also addresses outside the range
	uint64_t n_used; // of them, those that count: in the range, not withheld, not reserved
	bool has_cursor;
	u128 cursor; // the address that was allocated last
	UT_hash_handle hh; // in the order of names
};

u128 ipam_number(const struct in6_addr *ip);
struct in6_addr ipam_address_of(u128 number);

// 0, -EINVAL (error says why, in hybridnet's words) or -ENOMEM.
int ipam_subnet_new(
	const struct subnet_obj *s, struct ipam_subnet **ret_s, char error[IPAM_ERROR_MAX]);
void ipam_subnet_free(struct ipam_subnet *s);
// Gives s the used addresses and the cursor of old, which s replaces. On -ENOMEM, and as long as
// old lives, old has them still.
int ipam_subnet_inherit(struct ipam_subnet *s, const struct ipam_subnet *old);

static inline bool ipam_subnet_is_v4(const struct ipam_subnet *s)
{
	return ip_is_v4(&s->cidr.ip);
}
// Whether a pod may have the address: in the range, neither gateway nor excluded.
bool ipam_subnet_contains(const struct ipam_subnet *s, u128 ip);
bool ipam_subnet_has_free(const struct ipam_subnet *s);
void ipam_subnet_count(const struct ipam_subnet *s, struct ip_count *ret_count);

// Marks ip as owner's: 0, also if it is already; -EEXIST, -ENOMEM.
int ipam_subnet_use(struct ipam_subnet *s, u128 ip, const char *owner);
void ipam_subnet_release(struct ipam_subnet *s, u128 ip);
// The next free address after the last one, for owner: 0, -ENOSPC or -ENOMEM.
int ipam_subnet_allocate(struct ipam_subnet *s, const char *owner, u128 *ret_ip);
