// IPAM: which address a pod gets. Pure in-memory state, rebuilt from Networks, Subnets and
// IPInstances; holds nothing that is not in them.
//
// Addresses of a Subnet are a sparse bitmap; the next free address after the last allocated one is
// found a word at a time, so IPv6 /64 and 65,536-address Subnets cost the same.
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "ctrl/model/network.h"
#include "ctrl/model/subnet.h"

struct ipam;

#define IPAM_ERROR_MAX 256

enum ip_family {
	IP_FAMILY_IPV4,
	IP_FAMILY_IPV6,
	IP_FAMILY_DUAL_STACK,
};
// "IPv4", "IPv4Only", "IPv6", "IPv6Only", "DualStack", any case → 0; -EINVAL.
int ip_family_parse(const char *text, enum ip_family *ret_family);

struct ipam *ipam_new(void);
void ipam_free(struct ipam *ipam);

// Add or replace; used addresses of a replaced Subnet are kept. 0, -EINVAL (error says why), -ENOMEM.
int ipam_put_network(struct ipam *ipam, const struct network *n);
int ipam_put_subnet(struct ipam *ipam, const struct subnet_obj *s, char error[IPAM_ERROR_MAX]);
void ipam_del_network(struct ipam *ipam, const char *name);
void ipam_del_subnet(struct ipam *ipam, const char *name);

// Marks an address as used by owner ("namespace/pod"). -EEXIST if another owner has it, -ENOENT
// if the Subnet is unknown. An address outside the allocatable set is remembered, not counted.
int ipam_use(struct ipam *ipam, const char *subnet, const struct in6_addr *ip, const char *owner);
void ipam_release(struct ipam *ipam, const char *subnet, const struct in6_addr *ip);

struct ipam_address {
	char subnet[NAME_MAX_LEN];
	struct cidr ip; // with the Subnet's mask
	bool has_gateway;
	struct in6_addr gateway;
	bool has_net_id;
	int64_t net_id;
};

// Allocates one address per family of `family` in Network `network` for owner, all or none.
// subnet4/subnet6 name the Subnets to use, NULL: the Network's current one (fill, then the next).
// 0 with *ret_n addresses (v4 first), or -ENOSPC / -ENOENT / -EINVAL with error in hybridnet's words.
int ipam_allocate(struct ipam *ipam, const char *network, enum ip_family family,
	const char *subnet4, const char *subnet6, const char *owner,
	struct ipam_address ret_addr[2], size_t *ret_n, char error[IPAM_ERROR_MAX]);

// Takes exactly ip for owner, from whichever Subnet of the Network (or from `subnet`) holds it; an address that is in
// reservedIPs may be taken. -ENOENT, -EEXIST with error.
int ipam_assign(struct ipam *ipam, const char *network, const char *subnet,
	const struct in6_addr *ip, const char *owner, struct ipam_address *ret_addr,
	char error[IPAM_ERROR_MAX]);

// Whether a pod that names no Subnet finds an address of each family: private Subnets do not count.
void ipam_network_free(const struct ipam *ipam, const char *network, bool *ret_v4, bool *ret_v6);

struct ipam_usage {
	struct ip_count count;
	char last_allocated[IP_TEXT_MAX]; // "" before the first allocation
};
int ipam_subnet_usage(const struct ipam *ipam, const char *subnet, struct ipam_usage *ret_usage);
// Sums, and the names of the current Subnets ("" before the first allocation).
int ipam_network_usage(const struct ipam *ipam, const char *network, struct ip_count *ret_v4,
	struct ip_count *ret_v6, struct ip_count *ret_dual, char ret_last4[NAME_MAX_LEN],
	char ret_last6[NAME_MAX_LEN]);
