// IPAM from the inside: ipam.c keeps Networks and Subnets, allocate.c chooses between them.
#pragma once

#include "ctrl/ipam/ipam.h"
#include "ctrl/ipam/subnet.h"

struct ipam_network {
	char name[NAME_MAX_LEN];
	bool has_net_id;
	int64_t net_id;
	char last[2][NAME_MAX_LEN]; // Subnets that were allocated from last: IPv4, IPv6
	UT_hash_handle hh;
};

struct ipam {
	struct ipam_network *networks; // owned
	struct ipam_subnet *subnets; // owned; in the order of names
};

enum {
	RING_V4,
	RING_V6
};

struct ipam_network *ipam_find_network(const struct ipam *ipam, const char *name);
struct ipam_subnet *ipam_find_subnet(const struct ipam *ipam, const char *name);
bool ipam_in_ring(const struct ipam_subnet *s, const char *network, int ring);

static inline const struct ipam_subnet *ipam_next_subnet(const struct ipam_subnet *s)
{
	return s->hh.next;
}

// Writes the words of an error and returns it.
int ipam_fail(int err, char error[IPAM_ERROR_MAX], const char *format, ...)
	__attribute__((format(printf, 3, 4)));
