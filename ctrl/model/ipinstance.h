// IPInstance: one allocated address of a pod. Named by the address (10-0-0-5, fe80-0-0-0-0-0-0-1),
// in the pod's namespace.
#pragma once

#include "ctrl/model/object.h"

struct ipinstance {
	struct object obj;
	const char *network;
	const char *subnet;
	struct {
		char version[8]; // "4" or "6"; not given: as ip is
		struct cidr ip; // address with the Subnet's mask
		bool has_gateway;
		struct in6_addr gateway;
		bool has_net_id;
		int64_t net_id;
		uint8_t mac[6];
	} address;
	struct {
		const char *referred_kind, *referred_name, *referred_uid;
		const char *node_name; // "": reserved
		const char *pod_name;
		const char *pod_uid;
		bool has_stateful_index;
		int64_t stateful_index;
	} binding;
	struct {
		const char *node_name, *pod_name, *pod_namespace, *sandbox_id;
		const char *update_timestamp;
	} status;
};

// The object as JSON, without what is not decoded or was shed. NULL without memory.
cJSON *ipinstance_encode(const struct ipinstance *i);
// The object name of an address.
void ipinstance_name(const struct in6_addr *ip, char buf[64]);
// The value of the label `pod`: the name, or 31 characters of it and 32 hex digits of the MD5 of the rest.
void ipinstance_pod_label(const char *pod_name, char buf[LABEL_MAX_LEN]);
