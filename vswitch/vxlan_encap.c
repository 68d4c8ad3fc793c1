// Wrap what goes to another node, or back through the tunnel it came by, in VXLAN over IPv4 or
// IPv6. All other packets pass untouched.
#include "vswitch/flow_hash.h"
#include "vswitch/outer.h"
#include "vswitch/stages.h"

#define ENTROPY_PORTS 49152 // the first of the dynamic range, whose 2^14 ports are used
#define ENTROPY_SHIFT (32 - 14)

static void finish_udp(struct rte_udp_hdr *udp, uint32_t hash, uint16_t len)
{
	udp->src_port = rte_cpu_to_be_16((uint16_t)(ENTROPY_PORTS + (hash >> ENTROPY_SHIFT)));
	udp->dgram_len = rte_cpu_to_be_16(len);
}

// Copying the inner DSCP and ECN, 0 of what is not IP, is RFC 6040's normal mode. The checksum comes from what
// the header will say: reading what was just written in other pieces takes the processor longer than all else
// here.
static inline __attribute__((always_inline)) void finish4(
	const struct outer *o, struct outer4 *h, const struct pkt *p, uint32_t hash, uint16_t len)
{
	rte_be16_t total = rte_cpu_to_be_16(len);

	h->ip.type_of_service = p->tos;
	h->ip.total_length = total;
	h->ip.hdr_checksum =
		(rte_be16_t)~sum_fold16((uint32_t)o->sum + total + rte_cpu_to_be_16(p->tos));
	finish_udp(&h->udp, hash, (uint16_t)(len - sizeof(h->ip)));
}

// The checksum over everything from off on, which is in the first segment. DPDK 22.11's
// rte_raw_cksum_mbuf() loses carries behind a segment of odd length.
static uint16_t checksum_of_chain(const struct rte_mbuf *m, uint16_t off, uint32_t sum)
{
	bool is_odd = false;

	for (; m != NULL; m = m->next, off = 0) {
		uint16_t len = m->data_len - off;
		uint16_t part = rte_raw_cksum(rte_pktmbuf_mtod_offset(m, const void *, off), len);
		sum += is_odd ? rte_bswap16(part) : part;
		is_odd ^= len % 2 != 0;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

// Over IPv6 the UDP checksum is real: Linux drops tunnel packets without one unless it was told
// otherwise (udp6zerocsumrx).
static void finish6(const struct rte_mbuf *m, uint16_t l3_off, struct outer6 *h,
	const struct pkt *p, uint32_t hash)
{
	uint16_t len = (uint16_t)(m->pkt_len - l3_off - sizeof(h->ip));

	h->ip.vtc_flow = rte_cpu_to_be_32(6u << 28 | (uint32_t)p->tos << 20);
	h->ip.payload_len = rte_cpu_to_be_16(len);
	finish_udp(&h->udp, hash, len);
	uint16_t checksum = checksum_of_chain(
		m, (uint16_t)(l3_off + sizeof(h->ip)), rte_ipv6_phdr_cksum(&h->ip, 0));
	h->udp.dgram_cksum = checksum != 0 ? checksum : UINT16_MAX;
}

// Puts the headers before the IP header of the packet, behind an Ethernet header of type. False if the buffer
// has no room. Lengths that are known to the compiler make a few moves of a copy; the headers of a tunnel over
// IPv4 are a whole cache line.
static inline __attribute__((always_inline)) bool wrap_as(
	const struct outer *o, struct rte_mbuf *m, rte_be16_t type, uint16_t l3_off, bool is_ip4)
{
	const uint16_t len =
		(uint16_t)(l3_off + (is_ip4 ? sizeof(struct outer4) : sizeof(struct outer6)));
	const struct pkt *p = pkt(m);
	uint32_t hash = flow_hash(m);
	uint8_t *at = (void *)rte_pktmbuf_prepend(m, len);

	if (unlikely(at == NULL))
		return false;
	memcpy(at, o->bytes, len + RTE_ETHER_HDR_LEN);
	((struct rte_ether_hdr *)(at + len))->ether_type = type;
	if (is_ip4)
		finish4(o, (void *)(at + l3_off), p, hash, (uint16_t)(m->pkt_len - l3_off));
	else
		finish6(m, l3_off, (void *)(at + l3_off), p, hash);
	return true;
}

static inline __attribute__((always_inline)) bool wrap(
	const struct outer *o, struct rte_mbuf *m, rte_be16_t type)
{
	bool is_tagged = o->l3_off != RTE_ETHER_HDR_LEN;

	if (o->is_ip4)
		return is_tagged ? wrap_as(o, m, type, OUTER_TAGGED_LEN, true)
				 : wrap_as(o, m, type, RTE_ETHER_HDR_LEN, true);
	return is_tagged ? wrap_as(o, m, type, OUTER_TAGGED_LEN, false)
			 : wrap_as(o, m, type, RTE_ETHER_HDR_LEN, false);
}

// Answers to what came by a tunnel: their inner header is complete, and where they go to is no next hop.
static __attribute__((noinline)) bool send_back_by_tunnel(struct burst *b, struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);
	const struct rte_ether_hdr *inner = eth_of(m);
	struct outer o;

	outer_make(&o, b->node,
		&(struct tunnel_to){.remote = &p->peer, .mac = &p->peer_mac, .vlan = p->peer_vlan});
	if (o.len == 0)
		return burst_drop(b, m, DROP_NO_VTEP);
	memcpy(&o.bytes[o.len], inner, sizeof(*inner));
	return wrap(&o, m, inner->ether_type) || burst_drop(b, m, DROP_NO_HEADROOM);
}

static bool encap(struct burst *b, struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);

	if (p->way == WAY_BACK && (p->flags & PKT_TUNNEL) != 0)
		return send_back_by_tunnel(b, m);
	if (p->way != WAY_TUNNEL)
		return true;
	const struct outer *o = &tunnel_of(p->nexthop)->outer;
	if (o->len == 0)
		return burst_drop(b, m, DROP_NO_VTEP);
	return wrap(o, m, rte_cpu_to_be_16(p->ether_type)) || burst_drop(b, m, DROP_NO_HEADROOM);
}

void vxlan_encap(struct burst *b)
{
	if (burst_has(b, 1u << WAY_TUNNEL | 1u << WAY_BACK))
		burst_filter(b, encap);
}
