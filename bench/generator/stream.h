// A stream: the frames that an order asks for. Headers are made once; for each frame they are
// copied and what differs from flow to flow is filled in.
#pragma once

#include "order.h"
#include "trailer.h"

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_memcpy.h>
#include <rte_udp.h>

#define PATTERNS_MAX 4096 // frames of a pcap file that are used

struct pattern {
	uint8_t *head; // owned; readable up to head_len rounded up to 64
	uint16_t head_len;
	uint16_t len; // of the frame
	uint16_t ip; // offset of the inner IP header; 0: leave addresses and ports as they are
	uint16_t udp;
	uint16_t outer_udp; // 0: there is none
	uint32_t ip_sum; // of the IPv4 header without checksum and destination
};

struct stream {
	struct pattern *patterns; // owned; sent one after the other
	uint32_t n_patterns;
	uint32_t n_flows, n_destinations;
	bool ip6;
	uint32_t dst; // IPv4, or the last 32 bits of IPv6; host order
	uint64_t sequence; // of the next frame
	uint32_t turn; // pattern of the next frame
	uint64_t random;
	uint64_t frame_bytes; // all patterns' together
};

// Makes the stream of an order. Returns 0; -EMSGSIZE: headers and trailer do not fit into the
// frame; -EINVAL or -errno for a pcap file that cannot be read.
int stream_init(struct stream *s, const struct order *o);
void stream_fini(struct stream *s);

// A flow, uniformly random.
static inline uint32_t stream_flow(struct stream *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return (uint32_t)(((s->random >> 32) * s->n_flows) >> 32);
}

static inline void pattern_set_destination(const struct pattern *t, uint8_t *frame, uint32_t dst)
{
	struct rte_ipv4_hdr *ip = (void *)(frame + t->ip);
	uint32_t sum = t->ip_sum + (dst >> 16) + (dst & 0xffff);

	sum = (sum >> 16) + (sum & 0xffff);
	sum += sum >> 16;
	ip->hdr_checksum = rte_cpu_to_be_16((uint16_t)~sum);
	ip->dst_addr = rte_cpu_to_be_32(dst);
}

// Makes m, an empty buffer, the next frame.
static inline void stream_fill(struct stream *s, struct rte_mbuf *m, uint64_t now)
{
	const struct pattern *t = &s->patterns[s->turn];
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);

	if (++s->turn == s->n_patterns)
		s->turn = 0;
	rte_memcpy(frame, t->head, t->head_len);
	if (t->ip != 0) {
		uint32_t flow = stream_flow(s);
		uint32_t dst = s->dst + (s->n_destinations > 1 ? flow % s->n_destinations : 0);
		struct rte_udp_hdr *udp = (void *)(frame + t->udp);

		if (s->ip6)
			*(unaligned_uint32_t *)(void *)(frame + t->udp - 4) = rte_cpu_to_be_32(dst);
		else
			pattern_set_destination(t, frame, dst);
		udp->src_port = rte_cpu_to_be_16((uint16_t)(1024 + (flow & 0x7fff)));
		udp->dst_port = rte_cpu_to_be_16((uint16_t)(1024 + (flow >> 15)));
		if (t->outer_udp != 0)
			*(rte_be16_t *)(void *)(frame + t->outer_udp) =
				rte_cpu_to_be_16((uint16_t)(49152 + (flow & 0x3fff)));
	}
	struct trailer *trailer = (void *)(frame + t->len - sizeof(*trailer));
	trailer->magic = TRAILER_MAGIC;
	trailer->sequence = s->sequence++;
	trailer->tsc = now;
	m->data_len = t->len;
	m->pkt_len = t->len;
}
