// A number that is the same for all packets of a flow and differs between flows.
#pragma once

#include "vswitch/packet.h"

// Ports count, but for fragments: those of one datagram must stay on one path. The products do not
// wait for each other; the high bits of the result are the good ones.
static inline uint32_t flow_hash(struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);
	uint64_t word[4];
	uint32_t ports = 0;

	memcpy(word, &p->src, sizeof(p->src));
	memcpy(&word[2], &p->dst, sizeof(p->dst));
	if ((p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP) && (p->flags & PKT_FRAGMENT) == 0)
		memcpy(&ports, l4_of(m), sizeof(ports));
	uint64_t h = word[1] * UINT64_C(0xbf58476d1ce4e5b9) ^
		     word[3] * UINT64_C(0xd6e8feb86659fd93) ^
		     ((uint64_t)p->proto << 32 | ports) * UINT64_C(0xff51afd7ed558ccd);
	if ((p->flags & PKT_IPV6) != 0) // of IPv4 these words are 0
		h ^= word[0] * UINT64_C(0x9e3779b97f4a7c15) ^
		     word[2] * UINT64_C(0x94d049bb133111eb);
	h ^= h >> 32;
	return (uint32_t)(h * UINT64_C(0xc4ceb9fe1a85ec53) >> 32);
}
