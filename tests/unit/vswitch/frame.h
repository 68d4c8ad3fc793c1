// Frames for tests, built byte by byte from a description, without any code of the switch: what
// comes out of a pipeline is compared with a second frame made here.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "vswitch/burst.h"

#define FRAME_MAX 4096
#define TAG_PRIORITY 4096 // a tag with VLAN id 0

struct bytes {
	uint16_t len;
	uint8_t data[FRAME_MAX];
};

// An IP packet in an Ethernet frame. Addresses are text; the family is that of src.
struct packet {
	const char *eth_src, *eth_dst;
	uint16_t vlan; // 0: no tag
	const char *src, *dst;
	uint8_t ttl; // taken literally, like all that follow
	uint8_t tos;
	uint8_t proto; // IPPROTO_UDP, TCP, ICMP or ICMPV6 get a header, others are payload only
	uint16_t sport, dport; // UDP, TCP
	uint8_t icmp_type, icmp_code;
	uint32_t icmp_rest; // host order, the second word of the ICMP header
	bool no_fragment; // IPv4: DF
	bool is_fragment; // IPv6: with a fragment header even if offset and more are 0
	bool more; // more fragments follow
	uint16_t offset; // of a fragment, bytes; not 0: payload only, no layer-4 header
	bool no_udp_checksum;
	const uint8_t *payload; // NULL: payload_len bytes that count up
	uint16_t payload_len;
};

struct arp {
	const char *eth_src, *eth_dst;
	uint16_t vlan;
	uint16_t op;
	const char *sha, *sip, *tha, *tip;
};

struct nd {
	const char *eth_src, *eth_dst;
	uint16_t vlan;
	const char *src, *dst;
	uint8_t hop_limit;
	uint8_t type;
	uint32_t flags; // host order
	const char *target;
	uint8_t option; // 0: none
	const char *lladdr;
};

struct bytes frame_ip(const struct packet *p);
struct bytes frame_arp(const struct arp *a);
struct bytes frame_nd(const struct nd *n);
// inner in VXLAN in outer, whose sport says the source port; flags is the header's first byte.
struct bytes frame_vxlan(
	const struct packet *outer, uint8_t flags, uint32_t vni, const struct bytes *inner);

// Only the packet: what an ICMP error quotes.
struct bytes frame_payload(const struct bytes *frame);

struct in6_addr frame_addr(const char *text); // IPv4-mapped if IPv4
struct rte_ether_addr frame_mac(const char *text);

// An mbuf that needs no pool, with the switch's private area behind it.
struct frame {
	struct rte_mbuf m;
	struct pkt priv;
	uint8_t buffer[512 + FRAME_MAX];
} __attribute__((aligned(64)));

// Makes f a single segment with the bytes behind `headroom` free ones. Returns its mbuf.
struct rte_mbuf *frame_mbuf(struct frame *f, uint16_t headroom, const void *data, uint16_t len);

// The same in memory of exactly that size, so that a sanitizer sees whoever reads on.
struct rte_mbuf *frame_tight(struct frame *f, uint16_t headroom, const void *data, uint16_t len);
void frame_tight_free(struct frame *f);
