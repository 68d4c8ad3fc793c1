// Subnet: a range of addresses of a Network.
#pragma once

#include "ctrl/model/network.h"

struct subnet_obj {
	struct object obj;
	char network[NAME_MAX_LEN];
	bool has_net_id;
	int64_t net_id;
	struct {
		// "4" or "6", also as a number (people forget the quotes); else admission refuses it.
		char version[32];
		// As written: a text that does not parse is admission's to refuse, in hybridnet's
		// words, and its has_… below is false. "" is a field that is not set.
		char cidr_text[MODEL_TEXT_MAX], start_text[MODEL_TEXT_MAX];
		char end_text[MODEL_TEXT_MAX], gateway_text[MODEL_TEXT_MAX];
		bool has_cidr, has_start, has_end, has_gateway;
		struct cidr cidr;
		struct in6_addr start, end, gateway;
		// Up to the first text that is no address; has_bad_… tells that there is one.
		struct in6_addr *reserved, *excluded; // owned
		size_t n_reserved, n_excluded;
		bool has_bad_reserved, has_bad_excluded;
		char bad_reserved[MODEL_TEXT_MAX], bad_excluded[MODEL_TEXT_MAX];
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
void subnet_bounds(
	const struct subnet_obj *subnet, struct in6_addr *ret_start, struct in6_addr *ret_end);
