// A burst is the unit of work of the data path: the packets read in one poll of one queue, plus
// everything a stage needs to decide about them. Stages get nothing else and keep nothing.
#pragma once

#include <assert.h>
#include <netinet/in.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "vswitch/drop.h"
#include "vswitch/tables.h"

#define BURST_MAX 64

// What the switch knows about a packet; lives in the mbuf's private area. `parse` fills the first
// part and sets the rest to "not decided".
struct pkt {
	struct in6_addr src, dst; // of the IP header, IPv4-mapped; ARP: sender and target protocol address
	uint16_t ether_type; // host order, of the payload behind the tag
	uint16_t vlan; // id of the frame's tag (priority-tagged and untagged: 0)
	uint16_t l3_off; // from the start of the frame
	uint16_t l4_off; // 0 for a fragment that is not the first
	uint8_t proto; // of the layer-4 header (IPv6: after extension headers)
	uint8_t ttl;
	uint8_t tos; // DSCP and ECN
	uint8_t flags; // PKT_*
	uint16_t out; // port it leaves by, VPORT_NONE until decided
	uint8_t icmp_type; // with PKT_ICMP_ERROR: what to tell the sender
	uint8_t icmp_code;
	uint32_t hash; // of the flow (addresses, protocol, ports), symmetric or not; for entropy
	const struct route *route; // of dst, NULL if there is none; set by the route look-up
	const struct nexthop *nexthop; // the way out, NULL until decided
} __attribute__((aligned(64)));
static_assert(sizeof(struct pkt) <= 128);

#define PKT_IPV6 0x01
#define PKT_ARP 0x02
#define PKT_ND 0x04 // ICMPv6 neighbour solicitation or advertisement
#define PKT_FRAGMENT 0x08
#define PKT_DONE 0x10 // answered or complete: `out` is set, no later stage decides about it
#define PKT_ICMP_ERROR 0x20 // turn it into an ICMP error to its sender
#define PKT_TUNNEL 0x40 // came out of, or goes into, a tunnel

static inline struct pkt *pkt(struct rte_mbuf *m)
{
	return (struct pkt *)rte_mbuf_to_priv(m);
}

// What a worker tells the control thread, in passing and without promise: the ring may be full.
enum punt_kind {
	PUNT_NEIGHBOUR_WANTED, // an unresolved next hop, or an address on an underlay Subnet, is needed
	PUNT_NEIGHBOUR_SEEN, // an ARP or NA told us where ip is
	PUNT_KIND_COUNT
};

struct punt {
	enum punt_kind kind;
	uint16_t vlan;
	struct rte_ether_addr mac; // SEEN
	struct in6_addr ip;
	uint32_t subnet; // WANTED: index of the Subnet, SUBNET_NONE for a tunnel's outer next hop
	uint32_t nexthop; // WANTED: the unresolved slot, NEXTHOP_NONE if there is none yet
};

struct burst {
	const struct tables *tab;
	const struct node *node; // one generation of each for the whole burst
	const struct subnets *subnets;
	const struct vport *in; // where the burst came from
	uint64_t now; // TSC at the start of the burst
	struct icmp_limit *icmp_limit; // of the input port on this worker
	uint16_t n; // live packets
	uint16_t n_dead;
	uint16_t n_punt;
	struct rte_mbuf *pkt[BURST_MAX];
	struct rte_mbuf *dead[BURST_MAX]; // dropped, freed in bulk by the worker
	struct punt punt[BURST_MAX];
	uint64_t drops[DROP_REASON_COUNT];
};

// A token bucket for ICMP errors, per worker and input port.
struct icmp_limit {
	uint64_t last; // TSC of the last refill
	uint32_t tokens;
};

// Drops a packet. The caller removes it from b->pkt[] (by compaction) and must not touch it again.
static inline void burst_drop(struct burst *b, struct rte_mbuf *m, enum drop_reason why)
{
	b->dead[b->n_dead++] = m;
	b->drops[why]++;
}

// Tells the control thread something; silently forgotten when the burst has no room for more.
static inline struct punt *burst_punt(struct burst *b)
{
	return b->n_punt < BURST_MAX ? &b->punt[b->n_punt++] : NULL;
}
