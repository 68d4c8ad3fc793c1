// Look at a frame once: which headers it has, where, and what they say. Nothing else in the data
// path checks lengths; later stages trust struct pkt.
#include "vswitch/parse.h"

#include "vswitch/packet.h"
#include "vswitch/stages.h"

// Hosts accept about as many; more of them only serve to wear out whoever looks at them.
#define EXTENSION_HEADERS_MAX 8

#define IP4_MORE_OR_OFFSET RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)
#define IP4_OFFSET RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK)
#define IP6_OFFSET RTE_BE16(0xfff8)

struct extension {
	uint8_t next;
	uint8_t len; // in units of eight bytes, without the first
	rte_be16_t fragment; // of a fragment header: offset and flags
	uint32_t rest;
} __attribute__((packed));

// Bytes the header of a layer-4 protocol has at the least.
static uint16_t l4_len_min(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return sizeof(struct rte_tcp_hdr);
	case IPPROTO_UDP:
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return sizeof(struct rte_udp_hdr);
	default:
		return 0;
	}
}

// Whether the layer-4 header at off is in the first segment. What has room for the longest of them needs
// no closer look.
static inline bool has_l4(const struct rte_mbuf *m, uint16_t off, uint8_t proto)
{
	return off + sizeof(struct rte_tcp_hdr) <= m->data_len ||
	       off + l4_len_min(proto) <= m->data_len;
}

bool parse_trim(struct rte_mbuf *m, uint32_t len)
{
	if (m->pkt_len < len)
		return false;
	uint32_t extra = m->pkt_len - len;
	if (m->nb_segs > 1 && extra >= rte_pktmbuf_lastseg(m)->data_len)
		return false;
	return rte_pktmbuf_trim(m, (uint16_t)extra) == 0;
}

// Checks a neighbour solicitation or advertisement and notes the link-layer address in it.
static enum drop_reason parse_nd(struct rte_mbuf *m, struct pkt *p)
{
	const struct rte_ipv6_hdr *ip = ip6_of(m);
	uint16_t len = (uint16_t)(m->pkt_len - p->l4_off);

	// Hop limit 255 proves that no router forwarded it (RFC 4861, 7.1); neither fragments nor
	// extension headers are needed for it (RFC 6980).
	if (p->ttl != 255 || len < sizeof(struct nd_hdr) || m->nb_segs > 1 ||
		p->l4_off != p->l3_off + sizeof(*ip) || (p->flags & PKT_FRAGMENT) != 0)
		return DROP_MALFORMED;
	if (!checksum6_is_right(ip, l4_of(m), len))
		return DROP_BAD_CHECKSUM;

	const struct nd_hdr *nd = nd_of(m);
	uint8_t wanted =
		nd->type == ICMP6_NEIGHBOUR_SOLICITATION ? ND_OPTION_SOURCE : ND_OPTION_TARGET;
	p->flags |= PKT_ND;
	p->dst = addr_of_ip6(nd->target);
	// As in the IP header, an IPv4-mapped address would pass for an IPv4 one.
	if (nd->code != 0 || addr_is_multicast(&p->dst) || addr_is_ip4(&p->dst))
		return DROP_MALFORMED;

	uint16_t at = sizeof(*nd);
	while (at + sizeof(struct nd_option) <= len) {
		const struct nd_option *o = (const void *)((const uint8_t *)nd + at);
		if (o->len == 0)
			return DROP_MALFORMED;
		if (o->type == wanted && o->len == 1)
			p->lladdr_off =
				(uint16_t)(p->l4_off + at + offsetof(struct nd_option, mac));
		at = (uint16_t)(at + o->len * sizeof(*o));
	}
	return at == len ? PARSED : DROP_MALFORMED;
}

// An IPv4 header of header_len bytes at off. Where the compiler knows both lengths, as it does for the
// usual packet, hardly more is left than the loads and stores.
static inline __attribute__((always_inline)) enum drop_reason parse_ip4_header(
	struct rte_mbuf *m, struct pkt *p, uint16_t off, uint16_t header_len)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, const void *, off);
	uint16_t len = rte_be_to_cpu_16(ip->total_length);
	rte_be16_t fragment = ip->fragment_offset;

	if (len < header_len || off + header_len > m->data_len ||
		!parse_cut(m, (uint32_t)off + len))
		return DROP_MALFORMED;
	if (header_len == sizeof(*ip) ? !ip4_checksum_is_right(ip) : rte_ipv4_cksum(ip) != 0)
		return DROP_BAD_CHECKSUM;

	p->src = addr_of_ip4(ip->src_addr);
	p->dst = addr_of_ip4(ip->dst_addr);
	p->proto = ip->next_proto_id;
	p->ttl = ip->time_to_live;
	p->tos = ip->type_of_service;
	if ((fragment & IP4_MORE_OR_OFFSET) != 0)
		p->flags |= PKT_FRAGMENT;
	if ((fragment & IP4_OFFSET) != 0)
		return PARSED;
	p->l4_off = (uint16_t)(off + header_len);
	return has_l4(m, p->l4_off, p->proto) ? PARSED : DROP_MALFORMED;
}

static __attribute__((noinline)) enum drop_reason parse_ip4_options(
	struct rte_mbuf *m, struct pkt *p, uint16_t off)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, const void *, off);
	uint16_t header_len = rte_ipv4_hdr_len(ip);

	if (ip->version_ihl >> 4 != 4 || header_len < sizeof(*ip))
		return DROP_MALFORMED;
	return parse_ip4_header(m, p, off, header_len);
}

static inline __attribute__((always_inline)) enum drop_reason parse_ip4(
	struct rte_mbuf *m, struct pkt *p, uint16_t off)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, const void *, off);

	if (off + sizeof(*ip) > m->data_len)
		return DROP_MALFORMED;
	if (ip->version_ihl != RTE_IPV4_VHL_DEF)
		return parse_ip4_options(m, p, off);
	return parse_ip4_header(m, p, off, sizeof(*ip));
}

// Some messages concern only the link.
static enum drop_reason parse_icmp6(struct rte_mbuf *m, struct pkt *p)
{
	switch (*(const uint8_t *)l4_of(m)) {
	case ICMP6_NEIGHBOUR_SOLICITATION:
	case ICMP6_NEIGHBOUR_ADVERTISEMENT:
		return parse_nd(m, p);
	case ICMP6_ROUTER_SOLICITATION:
		p->flags |= PKT_RS;
		return PARSED;
	default:
		return PARSED;
	}
}

// Walks over extension headers. Returns where they end, 0 if they are broken; sets proto, and for
// a fragment that is not the first *ret_headless.
static uint16_t skip_extensions(struct rte_mbuf *m, struct pkt *p, bool *ret_headless)
{
	uint32_t off = (uint32_t)p->l3_off + sizeof(struct rte_ipv6_hdr);

	*ret_headless = false;
	for (int i = 0; i <= EXTENSION_HEADERS_MAX; i++) {
		if (p->proto != IPPROTO_HOPOPTS && p->proto != IPPROTO_ROUTING &&
			p->proto != IPPROTO_DSTOPTS && p->proto != IPPROTO_FRAGMENT)
			return (uint16_t)off;
		const struct extension *x = rte_pktmbuf_mtod_offset(m, const void *, off);
		if (off + sizeof(*x) > m->data_len)
			return 0;
		if (p->proto == IPPROTO_FRAGMENT) {
			p->flags |= PKT_FRAGMENT;
			*ret_headless = (x->fragment & IP6_OFFSET) != 0;
			off += (uint32_t)sizeof(*x);
		} else {
			off += (uint32_t)((x->len + 1u) * sizeof(*x));
		}
		p->proto = x->next;
		if (off > m->data_len)
			return 0;
		if (*ret_headless)
			return (uint16_t)off;
	}
	return 0;
}

// What is neither TCP nor UDP at once.
static __attribute__((noinline)) enum drop_reason parse_behind_ip6(
	struct rte_mbuf *m, struct pkt *p)
{
	bool headless;
	uint16_t l4_off = skip_extensions(m, p, &headless);

	if (l4_off == 0)
		return DROP_MALFORMED;
	if (headless)
		return PARSED;
	if (!has_l4(m, l4_off, p->proto))
		return DROP_MALFORMED;
	p->l4_off = l4_off;
	return p->proto == IPPROTO_ICMPV6 ? parse_icmp6(m, p) : PARSED;
}

static inline __attribute__((always_inline)) enum drop_reason parse_ip6(
	struct rte_mbuf *m, struct pkt *p, uint16_t off)
{
	const struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod_offset(m, const void *, off);

	if (off + sizeof(*ip) > m->data_len)
		return DROP_MALFORMED;
	uint32_t end = off + (uint32_t)sizeof(*ip) + rte_be_to_cpu_16(ip->payload_len);
	uint32_t vtc_flow = rte_be_to_cpu_32(ip->vtc_flow);
	if (vtc_flow >> 28 != 6 || !parse_cut(m, end))
		return DROP_MALFORMED;

	p->src = addr_of_ip6(ip->src_addr);
	p->dst = addr_of_ip6(ip->dst_addr);
	p->flags |= PKT_IPV6;
	p->ttl = ip->hop_limits;
	p->tos = (uint8_t)(vtc_flow >> 20);
	p->proto = ip->proto;
	// An IPv4-mapped address on the wire would pass for an IPv4 one in the tables.
	if (addr_is_ip4(&p->src) || addr_is_ip4(&p->dst))
		return DROP_MALFORMED;
	if (p->proto != IPPROTO_TCP && p->proto != IPPROTO_UDP)
		return parse_behind_ip6(m, p);
	p->l4_off = (uint16_t)(off + sizeof(*ip));
	return has_l4(m, p->l4_off, p->proto) ? PARSED : DROP_MALFORMED;
}

static enum drop_reason parse_arp(struct rte_mbuf *m, struct pkt *p)
{
	const struct rte_arp_hdr *arp = arp_of(m);

	if (m->nb_segs > 1 || p->l3_off + sizeof(*arp) > m->data_len)
		return DROP_MALFORMED;
	if (arp->arp_hardware != RTE_BE16(RTE_ARP_HRD_ETHER) ||
		arp->arp_protocol != RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
		arp->arp_hlen != RTE_ETHER_ADDR_LEN || arp->arp_plen != sizeof(rte_be32_t))
		return DROP_MALFORMED;
	(void)parse_cut(m, p->l3_off + (uint32_t)sizeof(*arp)); // one segment: cannot fail

	p->flags |= PKT_ARP;
	p->src = addr_of_ip4(arp->arp_data.arp_sip);
	p->dst = addr_of_ip4(arp->arp_data.arp_tip);
	p->lladdr_off = (uint16_t)(p->l3_off + offsetof(struct rte_arp_hdr, arp_data.arp_sha));
	return PARSED;
}

// What is behind the Ethernet header, which ends at off.
static inline __attribute__((always_inline)) enum drop_reason parse_l3(
	struct rte_mbuf *m, struct pkt *p, uint16_t off)
{
	switch (p->ether_type) {
	case RTE_ETHER_TYPE_IPV4:
		return parse_ip4(m, p, off);
	case RTE_ETHER_TYPE_IPV6:
		return parse_ip6(m, p, off);
	case RTE_ETHER_TYPE_ARP:
		return parse_arp(m, p);
	default:
		p->flags |= PKT_OTHER;
		return PARSED;
	}
}

static __attribute__((noinline)) enum drop_reason parse_tagged(struct rte_mbuf *m, struct pkt *p)
{
	const struct rte_vlan_hdr *tag = (const void *)(eth_of(m) + 1);
	const uint16_t off = RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN;

	if (m->data_len < off)
		return DROP_MALFORMED;
	p->l3_off = off;
	p->vlan = rte_be_to_cpu_16(tag->vlan_tci) & (VLAN_COUNT - 1);
	p->ether_type = rte_be_to_cpu_16(tag->eth_proto);
	return parse_l3(m, p, off);
}

static inline __attribute__((always_inline)) enum drop_reason parse_mbuf(struct rte_mbuf *m)
{
	struct pkt *p = pkt(m);
	const struct rte_ether_hdr *eth = eth_of(m);

	pkt_init(p, sizeof(*eth));
	if (m->data_len < sizeof(*eth) || rte_is_multicast_ether_addr(&eth->src_addr))
		return DROP_MALFORMED;
	p->ether_type = rte_be_to_cpu_16(eth->ether_type);
	if (rte_is_multicast_ether_addr(&eth->dst_addr))
		p->flags |= PKT_GROUP;
	if (p->ether_type == RTE_ETHER_TYPE_VLAN)
		return parse_tagged(m, p);
	return parse_l3(m, p, sizeof(*eth));
}

enum drop_reason parse_frame(struct rte_mbuf *m)
{
	return parse_mbuf(m);
}

static bool parse_one(struct burst *b, struct rte_mbuf *m)
{
	enum drop_reason why = parse_mbuf(m);
	b->seen |= pkt(m)->flags;
	b->longest = RTE_MAX(b->longest, m->pkt_len);
	return why == PARSED || burst_drop(b, m, why);
}

void parse(struct burst *b)
{
	burst_filter(b, parse_one);
}
