// Tell the senders of refused packets why, by turning the packet into the ICMP error about it. The
// error goes back by the way the packet came.
#include "vswitch/packet.h"
#include "vswitch/stages.h"

// One token comes back per 2^21 TSC cycles, roughly a millisecond; up to 64 are kept.
#define LIMIT_SHIFT 21
#define LIMIT_BURST 64

// How much of the packet is quoted: the error must fit any link (RFC 1812, 4.3.2.3; RFC 4443, 2.4).
#define QUOTE_MAX4 (576 - sizeof(struct rte_ipv4_hdr) - sizeof(struct icmp_error_hdr))
#define QUOTE_MAX6 (1280 - sizeof(struct rte_ipv6_hdr) - sizeof(struct icmp_error_hdr))

#define TOS_ERROR 0xc0 // internetwork control (RFC 1812, 4.3.2.5)

struct icmp_error_hdr {
	uint8_t type;
	uint8_t code;
	rte_be16_t checksum;
	uint32_t unused;
} __attribute__((packed));

struct error4 {
	struct rte_ipv4_hdr ip;
	struct icmp_error_hdr icmp;
} __attribute__((packed));

struct error6 {
	struct rte_ipv6_hdr ip;
	struct icmp_error_hdr icmp;
} __attribute__((packed));

static const struct {
	uint8_t type4, code4, type6, code6;
} kinds[REFUSAL_COUNT] = {
	[REFUSAL_TTL_EXCEEDED] = {ICMP4_TIME_EXCEEDED, 0, ICMP6_TIME_EXCEEDED, 0},
	[REFUSAL_NO_ROUTE] = {ICMP4_UNREACHABLE, 0, ICMP6_UNREACHABLE, 0},
	[REFUSAL_HOST_UNREACHABLE] = {ICMP4_UNREACHABLE, 1, ICMP6_UNREACHABLE, 3},
	[REFUSAL_PROHIBITED] = {ICMP4_UNREACHABLE, 13, ICMP6_UNREACHABLE, 1},
};

static bool is_icmp_error(struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);
	bool is_ip6 = (p->flags & PKT_IPV6) != 0;

	// Of other protocols there may be nothing to read.
	if (p->l4_off == 0 || p->proto != (is_ip6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return false;
	uint8_t type = *(const uint8_t *)l4_of(m);
	if (is_ip6)
		return type < ICMP6_INFORMATIONAL;
	// Unreachable, source quench, redirect, time exceeded, parameter problem.
	return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

// RFC 1812, 4.3.2.7 and RFC 4443, 2.4(e): what must never be answered by an error.
static bool may_be_answered(struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);

	return p->l4_off != 0 && (p->flags & PKT_GROUP) == 0 && !addr_is_multicast(&p->dst) &&
	       !addr_is_multicast(&p->src) && !addr_is_unspecified(&p->src) &&
	       !addr_is_loopback(&p->src) && !is_icmp_error(m);
}

// Pods and the host know the virtual gateway, one hop away; for all others it is the VTEP.
static struct in6_addr speaker(const struct burst *b, const struct pkt *p)
{
	bool is_ip6 = (p->flags & PKT_IPV6) != 0;

	if (b->in->kind == VPORT_UPLINK)
		return is_ip6 ? b->node->vtep6 : b->node->vtep4;
	return is_ip6 ? GATEWAY_IP6 : GATEWAY_IP4;
}

static bool take_token(const struct burst *b)
{
	struct icmp_limit *limit = b->icmp_limit;
	uint64_t refill = (b->now - limit->last) >> LIMIT_SHIFT;

	if (refill >= LIMIT_BURST - limit->tokens) {
		limit->tokens = LIMIT_BURST;
		limit->last = b->now;
	} else {
		limit->tokens += (uint32_t)refill;
		limit->last += refill << LIMIT_SHIFT;
	}
	if (limit->tokens == 0)
		return false;
	limit->tokens--;
	return true;
}

// Keeps the first len bytes of the IP packet, or all if it has fewer. Segments behind them go to
// the dead; of the first one enough is left, since it holds all headers.
static void quote(struct burst *b, struct rte_mbuf *m, size_t len)
{
	uint32_t keep = pkt(m)->l3_off + (uint32_t)len;

	if (m->next != NULL) {
		b->dead[b->n_dead++] = m->next;
		m->next = NULL;
		m->nb_segs = 1;
		m->pkt_len = m->data_len;
	}
	if (m->pkt_len > keep)
		(void)rte_pktmbuf_trim(m, (uint16_t)(m->pkt_len - keep));
	(void)rte_pktmbuf_adj(m, pkt(m)->l3_off);
	pkt(m)->l3_off = 0;
}

static bool build4(struct rte_mbuf *m, const struct in6_addr *from)
{
	const struct pkt *p = pkt(m);
	uint16_t quoted = m->data_len;
	struct error4 *e = (void *)rte_pktmbuf_prepend(m, sizeof(*e));
	if (e == NULL)
		return false;

	*e = (struct error4){
		.ip.version_ihl = RTE_IPV4_VHL_DEF,
		.ip.type_of_service = TOS_ERROR,
		.ip.total_length = rte_cpu_to_be_16((uint16_t)(sizeof(*e) + quoted)),
		.ip.time_to_live = TTL_DEFAULT,
		.ip.next_proto_id = IPPROTO_ICMP,
		.ip.src_addr = addr_ip4(from),
		.ip.dst_addr = addr_ip4(&p->src),
		.icmp.type = kinds[p->refusal].type4,
		.icmp.code = kinds[p->refusal].code4,
	};
	e->ip.hdr_checksum = rte_ipv4_cksum(&e->ip);
	e->icmp.checksum = (rte_be16_t)~rte_raw_cksum(&e->icmp, sizeof(e->icmp) + quoted);
	return true;
}

static bool build6(struct rte_mbuf *m, const struct in6_addr *from)
{
	const struct pkt *p = pkt(m);
	uint16_t quoted = m->data_len;
	struct error6 *e = (void *)rte_pktmbuf_prepend(m, sizeof(*e));
	if (e == NULL)
		return false;

	*e = (struct error6){
		.ip.vtc_flow = RTE_BE32(6 << 28),
		.ip.payload_len = rte_cpu_to_be_16((uint16_t)(sizeof(e->icmp) + quoted)),
		.ip.proto = IPPROTO_ICMPV6,
		.ip.hop_limits = TTL_DEFAULT,
		.icmp.type = kinds[p->refusal].type6,
		.icmp.code = kinds[p->refusal].code6,
	};
	memcpy(e->ip.src_addr, from, sizeof(*from));
	memcpy(e->ip.dst_addr, &p->src, sizeof(p->src));
	e->icmp.checksum = rte_ipv6_udptcp_cksum(&e->ip, &e->icmp);
	return true;
}

static bool tell(struct burst *b, struct rte_mbuf *m)
{
	struct pkt *p = pkt(m);
	const struct rte_ether_hdr eth = *eth_of(m);
	const struct rte_ether_addr own = own_mac(b, p);
	const struct in6_addr from = speaker(b, p);
	bool is_ip6 = (p->flags & PKT_IPV6) != 0;
	enum drop_reason why = p->why;

	quote(b, m, is_ip6 ? QUOTE_MAX6 : QUOTE_MAX4);
	bool built = is_ip6 ? build6(m, &from) : build4(m, &from);
	if (!built || !ether_set(m, &eth.src_addr, &own, p->vlan))
		return burst_drop(b, m, DROP_NO_HEADROOM);
	burst_send(b, p, WAY_BACK);
	p->proto = is_ip6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	p->tos = is_ip6 ? 0 : TOS_ERROR;
	burst_count(b, why); // the packet is gone; the error has taken its place
	return true;
}

static bool refuse(struct burst *b, struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);

	if (p->way != WAY_REFUSED)
		return true;
	const struct in6_addr from = speaker(b, p);
	if (addr_is_unspecified(&from) || !may_be_answered(m))
		return burst_drop(b, m, p->why);
	if (!take_token(b)) {
		burst_count(b, DROP_RATE_LIMITED);
		return burst_drop(b, m, p->why);
	}
	return tell(b, m);
}

void icmp_error(struct burst *b)
{
	if (burst_has(b, 1u << WAY_REFUSED))
		burst_filter(b, refuse);
}
