// Reading and rewriting the headers of a packet that `parse` has accepted.
#pragma once

#include <rte_arp.h>
#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>
#include <rte_udp.h>
#include <rte_vxlan.h>

#include "vswitch/addr.h"
#include "vswitch/burst.h"

#define TTL_DEFAULT 64

#define ICMP4_ECHO_REPLY 0
#define ICMP4_UNREACHABLE 3
#define ICMP4_ECHO_REQUEST 8
#define ICMP4_TIME_EXCEEDED 11

#define ICMP6_UNREACHABLE 1
#define ICMP6_TIME_EXCEEDED 3
#define ICMP6_INFORMATIONAL 128 // the first type that is no error
#define ICMP6_ECHO_REQUEST 128
#define ICMP6_ECHO_REPLY 129
#define ICMP6_ROUTER_SOLICITATION 133
#define ICMP6_NEIGHBOUR_SOLICITATION 135
#define ICMP6_NEIGHBOUR_ADVERTISEMENT 136

// A neighbour solicitation or advertisement, without options.
struct nd_hdr {
	uint8_t type;
	uint8_t code;
	rte_be16_t checksum;
	uint32_t flags; // advertisement: ND_*
	uint8_t target[16];
} __attribute__((packed));
#define ND_ROUTER RTE_BE32(0x80000000)
#define ND_SOLICITED RTE_BE32(0x40000000)
#define ND_OVERRIDE RTE_BE32(0x20000000)

struct nd_option {
	uint8_t type;
	uint8_t len; // in units of eight bytes
	struct rte_ether_addr mac;
};
#define ND_OPTION_SOURCE 1
#define ND_OPTION_TARGET 2
static_assert(sizeof(struct nd_option) == 8);

static inline struct rte_ether_hdr *eth_of(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
}

static inline struct rte_ipv4_hdr *ip4_of(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, pkt(m)->l3_off);
}

static inline struct rte_ipv6_hdr *ip6_of(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod_offset(m, struct rte_ipv6_hdr *, pkt(m)->l3_off);
}

static inline struct rte_arp_hdr *arp_of(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod_offset(m, struct rte_arp_hdr *, pkt(m)->l3_off);
}

// The layer-4 header. Only if l4_off is not 0.
static inline void *l4_of(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod_offset(m, void *, pkt(m)->l4_off);
}

static inline struct nd_hdr *nd_of(struct rte_mbuf *m)
{
	return l4_of(m);
}

static inline const struct rte_ether_addr *lladdr_of(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod_offset(m, const struct rte_ether_addr *, pkt(m)->lladdr_off);
}

static inline bool is_ip(const struct pkt *p)
{
	return (p->flags & (PKT_ARP | PKT_OTHER)) == 0;
}

// In two loads each.
static inline bool mac_equal(const struct rte_ether_addr *a, const struct rte_ether_addr *b)
{
	uint32_t x, y;
	uint16_t v, w;
	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	memcpy(&v, &a->addr_bytes[sizeof(x)], sizeof(v));
	memcpy(&w, &b->addr_bytes[sizeof(y)], sizeof(w));
	return ((x ^ y) | (uint32_t)(v ^ w)) == 0;
}

// Whether it is ARP or neighbour discovery.
static inline bool is_neighbour(const struct pkt *p)
{
	return (p->flags & (PKT_ARP | PKT_ND)) != 0;
}

// A question where pkt->dst is: an ARP request or a neighbour solicitation.
static inline bool is_neighbour_request(struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);
	if ((p->flags & PKT_ARP) != 0)
		return arp_of(m)->arp_opcode == RTE_BE16(RTE_ARP_OP_REQUEST);
	return (p->flags & PKT_ND) != 0 && nd_of(m)->type == ICMP6_NEIGHBOUR_SOLICITATION;
}

// Bytes of the IP packet, or of what else is behind the Ethernet header.
static inline uint32_t l3_len(const struct rte_mbuf *m, const struct pkt *p)
{
	return m->pkt_len - p->l3_off;
}

// The one's complement sum of the 16-bit words of which s is the plain sum.
static inline uint16_t sum_fold16(uint32_t s)
{
	s = (s & UINT16_MAX) + (s >> 16);
	return (uint16_t)(s + (s >> 16));
}

// The same of 32-bit words.
static inline uint16_t sum_fold32(uint64_t s)
{
	s = (s & UINT32_MAX) + (s >> 32);
	s = (s & UINT16_MAX) + (s >> 16);
	return sum_fold16((uint32_t)s);
}

// The sum of the words of an IPv4 header without options, not folded.
static inline uint64_t ip4_sum(const struct rte_ipv4_hdr *ip)
{
	uint64_t word[2];
	uint32_t last;

	memcpy(word, ip, sizeof(word));
	memcpy(&last, (const uint8_t *)ip + sizeof(word), sizeof(last));
	return (word[0] & UINT32_MAX) + (word[0] >> 32) + (word[1] & UINT32_MAX) + (word[1] >> 32) +
	       last;
}

// Whether the checksum of such a header is right: the one's complement sum of its words is then a multiple
// of UINT16_MAX, which it also is before it is folded.
static inline bool ip4_checksum_is_right(const struct rte_ipv4_hdr *ip)
{
	return ip4_sum(ip) % UINT16_MAX == 0;
}

// An Internet checksum after one of its 16-bit words has changed (RFC 1624, equation 3).
static inline rte_be16_t checksum_change(rte_be16_t sum, rte_be16_t old, rte_be16_t new)
{
	uint32_t s = (uint16_t)~sum + (uint32_t)(uint16_t)~old + new;
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return (rte_be16_t)~s;
}

// Whether the checksum of len bytes of layer 4, all in one piece, is right.
static inline bool checksum6_is_right(const struct rte_ipv6_hdr *ip, const void *l4, uint16_t len)
{
	uint32_t s = (uint32_t)rte_raw_cksum(l4, len) + rte_ipv6_phdr_cksum(ip, 0);
	return (uint16_t)((s & 0xffff) + (s >> 16)) == UINT16_MAX;
}

// The MAC address by which whoever sent this packet knows the switch.
static inline struct rte_ether_addr own_mac(const struct burst *b, const struct pkt *p)
{
	if ((p->flags & PKT_TUNNEL) != 0)
		return b->node->vtep_mac;
	return b->in->kind == VPORT_UPLINK ? b->node->uplink_mac : GATEWAY_MAC;
}

// Turns the frame round, to the station that sent it.
static inline void send_back(struct burst *b, struct rte_mbuf *m)
{
	struct rte_ether_hdr *eth = eth_of(m);

	eth->dst_addr = eth->src_addr;
	eth->src_addr = own_mac(b, pkt(m));
	burst_send(b, pkt(m), WAY_BACK);
}

// The kind of next hop that a way needs.
static inline enum nexthop_kind nexthop_kind_of(enum way way)
{
	switch (way) {
	case WAY_POD:
		return NEXTHOP_PORT;
	case WAY_TUNNEL:
		return NEXTHOP_TUNNEL;
	default: // WAY_NEIGHBOUR
		return NEXTHOP_NEIGHBOUR;
	}
}

// Sends the packet by a slot of the next-hop table; the slot may turn out to be empty, or not of the
// way's kind (yet).
static inline void send_by(struct burst *b, struct pkt *p, enum way way, uint32_t nexthop)
{
	burst_send(b, p, way);
	p->nexthop = atomic_load_explicit(&b->tab->nexthops[nexthop], memory_order_acquire);
	if (p->nexthop == NULL || p->nexthop->kind != nexthop_kind_of(way))
		b->is_unresolved = true;
	else if (b->longest > (uint32_t)RTE_ETHER_HDR_LEN + p->nexthop->mtu)
		b->is_too_long = true;
}

// Makes the Ethernet header, with a tag or without, len bytes long. False if the buffer has no room.
static inline bool ether_resize(struct rte_mbuf *m, uint16_t len)
{
	struct pkt *p = pkt(m);

	if (len > p->l3_off && rte_pktmbuf_prepend(m, (uint16_t)(len - p->l3_off)) == NULL)
		return false;
	if (len < p->l3_off)
		(void)rte_pktmbuf_adj(m, (uint16_t)(p->l3_off - len));
	p->l4_off = (uint16_t)(p->l4_off != 0 ? p->l4_off - p->l3_off + len : 0);
	p->l3_off = len;
	return true;
}

// Puts an Ethernet header, with a tag if vlan is not 0, directly before the IP header in place of
// what is there. False if the buffer has no room.
static inline bool ether_set(struct rte_mbuf *m, const struct rte_ether_addr *dst,
	const struct rte_ether_addr *src, uint16_t vlan)
{
	struct pkt *p = pkt(m);
	uint16_t len = RTE_ETHER_HDR_LEN + (vlan != 0 ? RTE_VLAN_HLEN : 0);

	if (p->l3_off != len && !ether_resize(m, len))
		return false;
	struct rte_ether_hdr *eth = eth_of(m);
	eth->dst_addr = *dst;
	eth->src_addr = *src;
	eth->ether_type = rte_cpu_to_be_16(vlan != 0 ? RTE_ETHER_TYPE_VLAN : p->ether_type);
	if (vlan != 0) {
		struct rte_vlan_hdr *tag = (struct rte_vlan_hdr *)(eth + 1);
		tag->vlan_tci = rte_cpu_to_be_16(vlan);
		tag->eth_proto = rte_cpu_to_be_16(p->ether_type);
	}
	p->vlan = vlan;
	return true;
}
