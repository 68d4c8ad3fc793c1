// An order to the generator: one line of "key=value" words on its standard input.
#pragma once

#include <rte_ether.h>

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

enum encap {
	ENCAP_NONE,
	ENCAP_VLAN,
	ENCAP_VXLAN,
};

#define FRAME_IMIX 0

struct order {
	uint16_t tx, rx; // ports, in the order of the command line
	double seconds; // measured, after `warmup` that is not
	double warmup;
	uint64_t rate; // frames a second. 0: as many as the device takes
	uint16_t frame; // length without FCS, of the inner frame; or FRAME_IMIX
	uint32_t flows; // told apart by their UDP ports
	uint32_t destinations; // addresses from dst on; flow i goes to the (i modulo these)-th
	bool ip6;
	struct rte_ether_addr src_mac, dst_mac;
	struct in6_addr src, dst; // IPv4 as ::ffff:a.b.c.d
	enum encap encap;
	uint16_t vlan;
	uint32_t vni;
	uint16_t vxlan_port;
	struct rte_ether_addr outer_src_mac, outer_dst_mac;
	struct in_addr outer_src, outer_dst;
	bool answers; // whoever is asked for on the rx port by ARP or neighbour discovery is `answer`
	struct rte_ether_addr answer;
	char pcap[256]; // "": none; else its frames are sent instead, round and round
};

// Reads a line. Returns 0, or -EINVAL with what is wrong in *ret_why (points into line or is static).
int order_parse(char *line, struct order *ret_order, const char **ret_why);
