// IPInstance: one allocated address of a pod. Named by the address (10-0-0-5, fe80-0-0-0-0-0-0-1),
// in the pod's namespace.
#pragma once

#include "ctrl/model/object.h"

struct ipinstance {
	struct object obj;
	char network[NAME_MAX_LEN];
	char subnet[NAME_MAX_LEN];
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
		char referred_kind[64], referred_name[NAME_MAX_LEN], referred_uid[64];
		char node_name[NAME_MAX_LEN]; // "": reserved
		char pod_name[NAME_MAX_LEN];
		char pod_uid[64];
		bool has_stateful_index;
		int64_t stateful_index;
	} binding;
	struct {
		char node_name[NAME_MAX_LEN], pod_name[NAME_MAX_LEN], pod_namespace[64],
			sandbox_id[128];
		char update_timestamp[40];
	} status;
};

// The object name of an address.
void ipinstance_name(const struct in6_addr *ip, char buf[64]);
// The value of the label `pod`: the name, or 31 characters of it and 32 hex digits of the MD5 of the rest.
void ipinstance_pod_label(const char *pod_name, char buf[LABEL_MAX_LEN]);
