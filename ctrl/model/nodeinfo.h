// NodeInfo: a node's tunnel end point and addresses, written by that node's daemon.
#pragma once

#include "ctrl/model/object.h"

struct nodeinfo {
	struct object obj; // name = node name; with the dir store its labels are the node's
	bool has_vtep;
	struct in6_addr vtep_ip;
	uint8_t vtep_mac[6];
	struct in6_addr *local_ips; // owned
	size_t n_local_ips;
	char update_timestamp[40]; // status
};
