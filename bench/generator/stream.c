#include "stream.h"

#include "pcap.h"

#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_vxlan.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_MAX 192
#define HEAD_ALIGN 64
#define TTL 64
#define FRAME_MIN 60
#define FRAME_MIN_IP6 80 // the smallest that has ports and a trailer
#define VXLAN_FLAG_VNI 0x08000000u

// 7 : 4 : 1, the big ones apart from each other.
static const uint16_t imix[] = {60, 570, 60, 60, 570, 60, 1514, 60, 570, 60, 60, 570};

struct outer {
	struct rte_ether_hdr eth;
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
	struct rte_vxlan_hdr vxlan;
} __attribute__((packed, aligned(2)));

// Appends to the head. Returns where.
static void *append(struct pattern *t, uint16_t size)
{
	void *at = t->head + t->head_len;

	t->head_len += size;
	return at;
}

static void append_ether(struct pattern *t, const struct rte_ether_addr *src,
	const struct rte_ether_addr *dst, uint16_t vlan, uint16_t type)
{
	struct rte_ether_hdr *eth = append(t, sizeof(*eth));

	eth->src_addr = *src;
	eth->dst_addr = *dst;
	eth->ether_type = rte_cpu_to_be_16(type);
	if (vlan == 0)
		return;
	eth->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN);
	struct rte_vlan_hdr *tag = append(t, sizeof(*tag));
	tag->vlan_tci = rte_cpu_to_be_16(vlan);
	tag->eth_proto = rte_cpu_to_be_16(type);
}

static void fill_ip4(struct rte_ipv4_hdr *ip, rte_be32_t src, rte_be32_t dst, uint16_t len)
{
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16(len),
		.fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG),
		.time_to_live = TTL,
		.next_proto_id = IPPROTO_UDP,
		.src_addr = src,
		.dst_addr = dst,
	};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

// UDP checksums are 0: switches do not look at them, and the payload differs from frame to frame.
static void fill_udp(struct rte_udp_hdr *udp, uint16_t src, uint16_t dst, uint16_t len)
{
	*udp = (struct rte_udp_hdr){
		.src_port = rte_cpu_to_be_16(src),
		.dst_port = rte_cpu_to_be_16(dst),
		.dgram_len = rte_cpu_to_be_16(len),
	};
}

static void append_outer(struct pattern *t, const struct order *o, uint16_t inner_len)
{
	struct outer *outer = append(t, sizeof(*outer));
	uint16_t len = (uint16_t)(inner_len + sizeof(*outer) - sizeof(outer->eth));

	outer->eth.src_addr = o->outer_src_mac;
	outer->eth.dst_addr = o->outer_dst_mac;
	outer->eth.ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	fill_ip4(&outer->ip, o->outer_src.s_addr, o->outer_dst.s_addr, len);
	fill_udp(&outer->udp, 49152, o->vxlan_port, (uint16_t)(len - sizeof(outer->ip)));
	outer->vxlan.vx_flags = rte_cpu_to_be_32(VXLAN_FLAG_VNI);
	outer->vxlan.vx_vni = rte_cpu_to_be_32(o->vni << 8);
	t->outer_udp = offsetof(struct outer, udp);
}

static void append_ip4(struct pattern *t, const struct order *o, uint16_t len)
{
	struct rte_ipv4_hdr *ip = append(t, sizeof(*ip));
	rte_be32_t dst = o->dst.s6_addr32[3];

	fill_ip4(ip, o->src.s6_addr32[3], 0, len);
	t->ip_sum = (uint16_t)~rte_be_to_cpu_16(ip->hdr_checksum);
	ip->dst_addr = dst;
}

static void append_ip6(struct pattern *t, const struct order *o, uint16_t len)
{
	struct rte_ipv6_hdr *ip = append(t, sizeof(*ip));

	*ip = (struct rte_ipv6_hdr){
		.vtc_flow = rte_cpu_to_be_32(6u << 28),
		.payload_len = rte_cpu_to_be_16((uint16_t)(len - sizeof(*ip))),
		.proto = IPPROTO_UDP,
		.hop_limits = TTL,
	};
	memcpy(ip->src_addr, &o->src, sizeof(o->src));
	memcpy(ip->dst_addr, &o->dst, sizeof(o->dst));
}

static int pattern_init(struct pattern *t, const struct order *o, uint16_t frame)
{
	uint16_t vlan = o->encap == ENCAP_VLAN ? o->vlan : 0;
	uint16_t ip_len = (uint16_t)(frame - sizeof(struct rte_ether_hdr));

	t->head = aligned_alloc(HEAD_ALIGN, HEAD_MAX);
	if (t->head == NULL)
		return -ENOMEM;
	memset(t->head, 0, HEAD_MAX);
	if (o->encap == ENCAP_VXLAN)
		append_outer(t, o, frame);
	append_ether(t, &o->src_mac, &o->dst_mac, vlan,
		o->ip6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	t->ip = t->head_len;
	if (o->ip6)
		append_ip6(t, o, ip_len);
	else
		append_ip4(t, o, ip_len);
	t->udp = t->head_len;
	fill_udp(
		append(t, sizeof(struct rte_udp_hdr)), 0, 0, (uint16_t)(ip_len - (t->udp - t->ip)));
	// A tag and a tunnel come on top of the frame's length.
	t->len = (uint16_t)(t->ip + ip_len);
	return t->head_len + sizeof(struct trailer) <= t->len ? 0 : -EMSGSIZE;
}

// Frames of a file stay as they are but for the trailer.
static int pattern_from_file(struct pattern *t, const struct pcap_frame *f)
{
	t->head = aligned_alloc(HEAD_ALIGN, RTE_ALIGN_CEIL(f->len, HEAD_ALIGN));
	if (t->head == NULL)
		return -ENOMEM;
	memcpy(t->head, f->data, f->len);
	t->head_len = f->len;
	t->len = f->len > FRAME_MIN ? f->len : FRAME_MIN;
	return 0;
}

static int add_from_file(void *arg, const struct pcap_frame *f)
{
	struct stream *s = arg;

	if (s->n_patterns == PATTERNS_MAX)
		return 0;
	return pattern_from_file(&s->patterns[s->n_patterns++], f);
}

static int add_from_order(struct stream *s, const struct order *o)
{
	const uint16_t *frames = o->frame == FRAME_IMIX ? imix : &o->frame;
	uint32_t n = o->frame == FRAME_IMIX ? RTE_DIM(imix) : 1;

	for (uint32_t i = 0; i < n; i++) {
		uint16_t frame = frames[i];
		if (o->frame == FRAME_IMIX && o->ip6 && frame < FRAME_MIN_IP6)
			frame = FRAME_MIN_IP6;
		int ret = pattern_init(&s->patterns[s->n_patterns++], o, frame);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int stream_init(struct stream *s, const struct order *o)
{
	int ret;

	*s = (struct stream){
		.patterns = calloc(PATTERNS_MAX, sizeof(struct pattern)),
		.n_flows = o->flows,
		.n_destinations = o->destinations,
		.ip6 = o->ip6,
		.dst = rte_be_to_cpu_32(o->dst.s6_addr32[3]),
		.random = 0x9e3779b97f4a7c15,
		// Higher than that of any earlier stream.
		.sequence = rte_rdtsc(),
	};
	if (s->patterns == NULL)
		return -ENOMEM;
	if (o->pcap[0] != '\0')
		ret = pcap_read(o->pcap, add_from_file, s);
	else
		ret = add_from_order(s, o);
	if (ret == 0 && s->n_patterns == 0)
		ret = -ENODATA;
	if (ret < 0) {
		stream_fini(s);
		return ret;
	}
	for (uint32_t i = 0; i < s->n_patterns; i++)
		s->frame_bytes += s->patterns[i].len;
	return 0;
}

void stream_fini(struct stream *s)
{
	for (uint32_t i = 0; s->patterns != NULL && i < s->n_patterns; i++)
		free(s->patterns[i].head);
	free(s->patterns);
	s->patterns = NULL;
}
