// Networks and Subnets for tests of address management, from the text of their spec.
#pragma once

#include "ctrl/ipam/ipam.h"

void put_network(struct ipam *ipam, const char *name, const char *spec, const char *status);
// 0, or what ipam_put_subnet says, with its error in error.
int put_subnet_range(struct ipam *ipam, const char *name, const char *network, const char *range,
	const char *more, char error[IPAM_ERROR_MAX]);
int put_subnet_private(struct ipam *ipam, const char *name, const char *network, const char *range,
	bool private, char error[IPAM_ERROR_MAX]);
// range such as "\"cidr\":\"10.0.0.0/24\"", version follows from it; must succeed.
void put_subnet(struct ipam *ipam, const char *name, const char *network, const char *range);
struct in6_addr ip_of(const char *text);
