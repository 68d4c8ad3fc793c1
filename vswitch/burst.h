// A burst is the unit of work of the data path: the packets read in one poll of one queue, plus
// everything a stage needs to decide about them. Stages get nothing else and keep nothing.
#pragma once

#include <assert.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "vswitch/drop.h"
#include "vswitch/tables.h"

#define BURST_MAX 64

// The way a packet takes. Until a stage decides it is WAY_UNDECIDED; stages that decide leave all
// others alone.
enum way {
	WAY_UNDECIDED,
	WAY_POD, // to the local pod of pkt->nexthop
	WAY_TUNNEL, // to the node of pkt->nexthop
	WAY_NEIGHBOUR, // to the station on a VLAN of pkt->nexthop
	WAY_HOST, // to the node's own network stack, as a routed packet
	WAY_BACK, // an answer, complete, to where the request came from (port or tunnel)
	WAY_AS_IS, // unchanged out of pkt->out
	WAY_REFUSED, // dropped, but its sender is told why
};

// What the sender of a refused packet is told.
enum refusal {
	REFUSAL_TTL_EXCEEDED,
	REFUSAL_NO_ROUTE,
	REFUSAL_HOST_UNREACHABLE,
	REFUSAL_PROHIBITED,
	REFUSAL_COUNT
};

// What the switch knows about a packet; lives in the mbuf's private area. `parse` fills the first
// part and sets the rest to "not decided".
struct pkt {
	struct in6_addr src,
		dst; // of the IP header, IPv4-mapped; ARP: sender and target protocol address; ND: dst is the target
	uint16_t ether_type; // host order, of the payload behind the tag
	uint16_t vlan; // id of the frame's tag (priority-tagged and untagged: 0)
	uint16_t l3_off; // from the start of the frame
	uint16_t l4_off; // 0 for a fragment that is not the first
	uint8_t proto; // of the layer-4 header (IPv6: after extension headers)
	uint8_t ttl;
	uint8_t tos; // DSCP and ECN
	uint8_t flags; // PKT_*
	uint16_t out; // port it leaves by, VPORT_NONE until the last stages
	uint8_t way; // enum way
	uint8_t refusal; // enum refusal, of WAY_REFUSED
	uint16_t
		lladdr_off; // where ARP or ND says the sender's link-layer address, 0 if it does not
	uint8_t why; // enum drop_reason, of WAY_REFUSED
	const struct route *route; // of dst, NULL if there is none; set by the route look-up

	const struct nexthop *nexthop; // of WAY_POD, _TUNNEL, _NEIGHBOUR; NULL until decided
	uint32_t subnet; // of a WAY_NEIGHBOUR: index of its Subnet, else SUBNET_NONE
	uint16_t peer_vlan; // PKT_TUNNEL: where the outer frame came from
	struct rte_ether_addr peer_mac;
	struct in6_addr peer;
} __attribute__((aligned(64)));
static_assert(offsetof(struct pkt, nexthop) == 64);
static_assert(sizeof(struct pkt) == 128);

// Nothing is known yet but where the header behind Ethernet's begins. The addresses are left as they
// are, and what only a tunnel's packets have.
static inline void pkt_init(struct pkt *p, uint16_t l3_off)
{
	p->ether_type = 0;
	p->vlan = 0;
	p->l3_off = l3_off;
	p->l4_off = 0;
	p->proto = 0;
	p->ttl = 0;
	p->tos = 0;
	p->flags = 0;
	p->out = VPORT_NONE;
	p->way = WAY_UNDECIDED;
	p->refusal = 0;
	p->lladdr_off = 0;
	p->why = 0;
	p->route = NULL;
	p->nexthop = NULL;
	p->subnet = SUBNET_NONE;
}

#define PKT_IPV6 0x01
#define PKT_ARP 0x02
#define PKT_ND 0x04 // ICMPv6 neighbour solicitation or advertisement
#define PKT_FRAGMENT 0x08
#define PKT_TUNNEL 0x10 // came out of a tunnel
#define PKT_GROUP 0x20 // the frame's destination is a group address or broadcast
#define PKT_OTHER 0x40 // neither IP nor ARP
#define PKT_RS 0x80 // ICMPv6 router solicitation

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
	// What there may be among the packets, so that a stage with nothing to do need not look at
	// each. Bits are only added.
	uint8_t seen; // PKT_*
	bool has_stranger; // a destination without a route
	bool is_unresolved; // a next hop that cannot be used as it is
	bool is_too_long; // a packet that is longer than what some next hop takes
	uint32_t longest; // frame, as it came in; bytes
	uint16_t ways; // 1 << enum way, of those that were decided
	struct rte_mbuf *pkt[BURST_MAX];
	struct rte_mbuf *dead
		[2 * BURST_MAX]; // freed in bulk by the worker: dropped packets, and tails of packets that were cut
	struct punt punt[BURST_MAX];
	uint16_t n_dropped; // the sum of drops[]
	uint64_t drops[DROP_REASON_COUNT];
};

// A token bucket for ICMP errors, per worker and input port. Zeroed it is full.
struct icmp_limit {
	uint64_t last; // TSC of the last refill
	uint32_t tokens;
};

// Makes a burst of the n packets in b->pkt[], which came in by `in`; ->now is the caller's. What has been
// dropped before is still there.
static inline void burst_begin(struct burst *b, const struct tables *tables, const struct vport *in,
	struct icmp_limit *icmp_limit)
{
	b->tab = tables;
	b->node = atomic_load_explicit(&tables->node, memory_order_acquire);
	b->subnets = atomic_load_explicit(&tables->subnets, memory_order_acquire);
	b->in = in;
	b->icmp_limit = icmp_limit;
	b->seen = 0;
	b->has_stranger = false;
	b->is_unresolved = false;
	b->is_too_long = false;
	b->longest = 0;
	b->ways = 0;
}

// Counts a drop, of a packet whose buffer serves on as an answer.
static inline void burst_count(struct burst *b, enum drop_reason why)
{
	b->drops[why]++;
	b->n_dropped++;
}

// Drops a packet. The caller removes it from b->pkt[] (by compaction) and must not touch it again.
// Returns false, so that a function for burst_filter() can end with it.
static inline bool burst_drop(struct burst *b, struct rte_mbuf *m, enum drop_reason why)
{
	b->dead[b->n_dead++] = m;
	burst_count(b, why);
	return false;
}

// Decides a packet's way.
static inline void burst_send(struct burst *b, struct pkt *p, enum way way)
{
	p->way = (uint8_t)way;
	b->ways |= (uint16_t)(1u << way);
}

// Whether a packet's way may be one of ways (1 << enum way).
static inline bool burst_has(const struct burst *b, unsigned ways)
{
	return (b->ways & ways) != 0;
}

// Drops a packet after its sender has been told; a later stage does both. Returns true.
static inline bool burst_refuse(
	struct burst *b, struct rte_mbuf *m, enum drop_reason why, enum refusal refusal)
{
	burst_send(b, pkt(m), WAY_REFUSED);
	pkt(m)->nexthop = NULL;
	pkt(m)->why = (uint8_t)why;
	pkt(m)->refusal = (uint8_t)refusal;
	return true;
}

// Tells the control thread something; silently forgotten when the burst has no room for more.
static inline struct punt *burst_punt(struct burst *b)
{
	return b->n_punt < BURST_MAX ? &b->punt[b->n_punt++] : NULL;
}

// Calls keep for every live packet; those for which it returns false are gone, the others stay in
// order. This is the loop of nearly every stage; the compiler unfolds keep into it.
static inline __attribute__((always_inline)) void burst_filter(
	struct burst *b, bool (*keep)(struct burst *b, struct rte_mbuf *m))
{
	const uint16_t n = b->n;
	uint16_t live = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = b->pkt[i];
		if (keep(b, m))
			b->pkt[live++] = m;
	}
	b->n = live;
}
