// Networks and Subnets for tests of address management, from the text of their spec, and what is
// allocated from them.
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

#define OVERLAY "\"type\":\"Overlay\",\"netID\":4"

// cmocka's: an ipam with the Network "net", an OVERLAY, is the state.
int setup(void **state);
int teardown(void **state);
// The addresses a pod of "net" gets, as "a" or "a b", or the error.
const char *got(struct ipam *ipam, enum ip_family family, const char *subnet4, const char *subnet6);
void assert_count(struct ipam *ipam, const char *subnet, int64_t total, int64_t used);
