// Network: a scheduling domain, nodes with the same network properties.
#pragma once

#include "ctrl/model/object.h"

enum network_type {
	NETWORK_UNDERLAY,
	NETWORK_OVERLAY,
	NETWORK_GLOBAL_BGP, // decoded, not served
	NETWORK_TYPE_OTHER, // a string nobody knows; admission names it
};

enum network_mode {
	NETWORK_VLAN,
	NETWORK_VXLAN,
	NETWORK_BGP,
	NETWORK_MODE_GLOBAL_BGP,
	NETWORK_MODE_OTHER,
};

struct ip_count {
	int64_t total, used, available;
};

struct bgp_peer {
	char address[MODEL_TEXT_MAX]; // as written
	int64_t asn;
	int64_t graceful_restart_seconds;
	char password[MODEL_TEXT_MAX];
	bool does_not_route_traffic, allow_not_established;
};

struct network {
	struct object obj;
	enum network_type type; // effective: "" is Underlay
	enum network_mode mode; // effective: "" by type
	char type_text[MODEL_TEXT_MAX], mode_text[MODEL_TEXT_MAX]; // as written
	bool has_net_id;
	int64_t net_id; // VLAN id or VNI
	struct key_values node_selector;
	char switch_id[64]; // spec.switchID, "" if not set (shown as "virtual-switch")
	struct bgp_peer *bgp_peers; // owned; kept for admission, not served
	size_t n_bgp_peers;

	struct {
		char last_allocated_subnet[NAME_MAX_LEN];
		char last_allocated_ipv6_subnet[NAME_MAX_LEN];
		char **subnets, **nodes; // owned; sorted names
		size_t n_subnets, n_nodes;
		struct ip_count v4, v6, dual;
	} status;
};
