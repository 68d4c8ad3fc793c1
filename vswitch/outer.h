// The headers of a VXLAN tunnel (RFC 7348, section 5), as they stand in front of a frame, without what
// differs from packet to packet: lengths, TOS, source port and checksum. The tables keep them ready with each
// tunnel's next hop.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <rte_vxlan.h>

struct node;

struct outer4 {
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
	struct rte_vxlan_hdr vxlan;
} __attribute__((packed));

struct outer6 {
	struct rte_ipv6_hdr ip;
	struct rte_udp_hdr udp;
	struct rte_vxlan_hdr vxlan;
} __attribute__((packed));

#define OUTER_TAGGED_LEN (RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN)
#define OUTER_LEN_MAX (OUTER_TAGGED_LEN + sizeof(struct outer6))

struct outer {
	uint8_t bytes[OUTER_LEN_MAX +
		      RTE_ETHER_HDR_LEN]; // the inner Ethernet header last, if it has one
	uint16_t sum; // of the IPv4 header, without what is missing
	uint8_t l3_off; // of the outer IP header
	uint8_t len; // without the inner Ethernet header; 0: there is no tunnel, for the node has no end point
	bool is_ip4;
};

// Where a tunnel leads.
struct tunnel_to {
	const struct in6_addr *remote; // the other end point
	const struct rte_ether_addr *mac; // of the way there
	uint16_t vlan; // of the outer frame, 0: untagged
	const struct rte_ether_addr
		*inner_mac; // whom the inner frame is for, NULL: it has a header
};

// Pure. Any thread.
void outer_make(struct outer *o, const struct node *node, const struct tunnel_to *to);
// Whether both nodes' tunnels have the same headers.
bool outer_is_same(const struct node *a, const struct node *b);
