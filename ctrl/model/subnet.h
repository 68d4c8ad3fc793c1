// Subnet: a range of addresses of a Network.
#pragma once

#include "ctrl/model/network.h"

struct subnet_obj {
	struct object obj;
	char network[NAME_MAX_LEN];
	bool has_net_id;
	int64_t net_id;
	struct {
		char version[8]; // "4" or "6"; anything else is admission's to refuse
		char cidr_text[CIDR_TEXT_MAX], start_text[IP_TEXT_MAX], end_text[IP_TEXT_MAX], gateway_text[IP_TEXT_MAX]; // as written
		struct cidr cidr;
		bool has_start, has_end, has_gateway;
		struct in6_addr start, end, gateway;
		struct in6_addr *reserved, *excluded; // owned
		size_t n_reserved, n_excluded;
	} range;
	bool has_auto_nat_outgoing;
	bool auto_nat_outgoing; // effective: true unless set
	bool private;

	struct {
		struct ip_count count;
		char last_allocated_ip[IP_TEXT_MAX];
	} status;
};

// VLAN id or VNI: the Subnet's own, else its Network's. False if neither has one.
bool subnet_net_id(const struct subnet_obj *subnet, const struct network *network, int64_t *ret_id);
// First and last allocatable address, defaults applied.
void subnet_bounds(const struct subnet_obj *subnet, struct in6_addr *ret_start, struct in6_addr *ret_end);
