// Fuzzes the whole data path: frames of any bytes go through the pipeline of a pod's port, the uplink
// or the host port. Whatever they are, each comes out as a well-formed frame or is dropped.
//
// An input is one byte each for the port, OPTION_* and the headroom (in units of two bytes), then
// frames: sixteen bits, big endian, of which the low twelve are the length and the high four say
// after how many sixteenths of it the first segment ends (0: never).
#include <stdlib.h>
#include <string.h>

#include <rte_ip.h>
#include <rte_udp.h>
#include <rte_vxlan.h>

#include "tests/unit/dataplane/eal.h"
#include "tests/unit/vswitch/world.h"
#include "vswitch/packet.h"
#include "vswitch/parse.h"
#include "vswitch/rcu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OPTION_REPAIR 0x01 // MAC addresses and checksums are made right, to get further
#define OPTION_TUNNEL_IP6 0x02
#define OPTION_HOST_ELSEWHERE 0x04 // the uplink does not carry the host
#define OPTION_NO_HOST 0x08
#define OPTION_NO_UPLINK 0x10
#define OPTION_NO_VTEP 0x20
#define OPTION_TAILROOM 0x40

#define HEAD_LEN 3
#define LENGTH_MASK 0x0fff
#define TAILROOM 32
#define SEGMENTS_MAX 3
#define ETHERTYPE_AT 12

static struct frame segments[BURST_MAX * SEGMENTS_MAX];
static bool owned[BURST_MAX * SEGMENTS_MAX];
static size_t n_segments;
static struct node node; // the world's, but for the options
static struct icmp_limit icmp_limit;
static struct burst burst;

static void check(bool ok)
{
	if (!ok)
		abort();
}

// ── Frames in ──────────────────────────────────────────────────────────────────────────────────

static void repair_packet(uint8_t *l3, size_t len, uint16_t ether_type);

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void repair_frame(uint8_t *frame, size_t len)
{
	size_t l3 = RTE_ETHER_HDR_LEN;

	if (len >= ETHERTYPE_AT + 6 && get16(frame + ETHERTYPE_AT) == RTE_ETHER_TYPE_VLAN)
		l3 += RTE_VLAN_HLEN;
	if (len >= l3)
		repair_packet(frame + l3, len - l3, get16(frame + l3 - 2));
}

static void repair_tunnel(uint8_t *udp, size_t len)
{
	const size_t headers = sizeof(struct rte_udp_hdr) + sizeof(struct rte_vxlan_hdr);

	if (len >= headers && get16(udp + 2) == VXLAN_PORT)
		repair_frame(udp + headers, len - headers);
}

static void repair_packet(uint8_t *l3, size_t len, uint16_t ether_type)
{
	if (ether_type == RTE_ETHER_TYPE_IPV4 && len >= sizeof(struct rte_ipv4_hdr)) {
		struct rte_ipv4_hdr *ip = (void *)l3;
		size_t header_len = rte_ipv4_hdr_len(ip);
		if (header_len > len)
			return;
		if (ip->next_proto_id == IPPROTO_UDP)
			repair_tunnel(l3 + header_len, len - header_len);
		ip->hdr_checksum = 0;
		ip->hdr_checksum = rte_ipv4_cksum(ip);
	} else if (ether_type == RTE_ETHER_TYPE_IPV6 && len >= sizeof(struct rte_ipv6_hdr)) {
		struct rte_ipv6_hdr *ip = (void *)l3;
		struct nd_hdr *nd = (void *)(ip + 1);
		if (ip->proto == IPPROTO_UDP)
			repair_tunnel(l3 + sizeof(*ip), len - sizeof(*ip));
		if (ip->proto != IPPROTO_ICMPV6 || get16(l3 + 4) < sizeof(*nd) ||
			sizeof(*ip) + get16(l3 + 4) > len)
			return;
		nd->checksum = 0;
		nd->checksum = rte_ipv6_udptcp_cksum(ip, nd);
	}
}

static void repair(uint8_t *frame, size_t len)
{
	struct rte_ether_hdr *eth = (void *)frame;

	if (len < sizeof(*eth))
		return;
	if (burst.in->kind == VPORT_POD)
		eth->src_addr = burst.in->mac;
	else if (!rte_is_multicast_ether_addr(&eth->dst_addr))
		eth->dst_addr = burst.in->kind == VPORT_UPLINK ? node.uplink_mac : GATEWAY_MAC;
	repair_frame(frame, len);
}

static struct rte_mbuf *segment(uint16_t headroom, const uint8_t *data, size_t len)
{
	return frame_tight(&segments[n_segments++], headroom, data, (uint16_t)len);
}

// A packet of which the first segment has `first` bytes; two more share the rest.
static struct rte_mbuf *chain(uint16_t headroom, const uint8_t *data, size_t len, size_t first)
{
	size_t middle = (len - first + 1) / 2;
	struct rte_mbuf *m = segment(headroom, data, first);

	m->next = segment(0, data + first, middle);
	m->nb_segs = 2;
	if (first + middle < len) {
		m->next->next = segment(0, data + first + middle, len - first - middle);
		m->nb_segs = 3;
	}
	m->pkt_len = (uint32_t)len;
	return m;
}

// The next packet of the input.
static struct rte_mbuf *packet(
	const uint8_t **at, const uint8_t *end, uint8_t options, uint8_t room)
{
	uint8_t frame[LENGTH_MASK + TAILROOM] __attribute__((aligned(2))) = {0};
	uint16_t head = get16(*at);
	size_t len = RTE_MIN((size_t)(head & LENGTH_MASK), (size_t)(end - *at) - sizeof(head));
	size_t first = len * (head >> 12) / 16;
	uint16_t headroom = (uint16_t)(room % 128 * 2);

	memcpy(frame, *at + sizeof(head), len);
	*at += sizeof(head) + len;
	if ((options & OPTION_REPAIR) != 0)
		repair(frame, len);
	if (first != 0)
		return chain(headroom, frame, len, first);

	size_t tailroom = (options & OPTION_TAILROOM) != 0 ? TAILROOM : 0;
	struct rte_mbuf *m = segment(headroom, frame, len + tailroom);
	m->data_len = (uint16_t)len;
	m->pkt_len = (uint32_t)len;
	return m;
}

static void set_up(uint8_t port, uint8_t options)
{
	static const uint16_t ports[] = {10, 12, 13, 15, UPLINK, HOST};

	if (world.tab == NULL) {
		eal_start("fuzz-parse", "0");
		check(world_setup(NULL) == 0);
	}
	node = world.node;
	node.carries_host = (options & OPTION_HOST_ELSEWHERE) == 0;
	if ((options & OPTION_NO_HOST) != 0)
		node.host = VPORT_NONE;
	if ((options & OPTION_NO_UPLINK) != 0)
		node.uplink = VPORT_NONE;
	if ((options & OPTION_NO_VTEP) != 0)
		node.vtep4 = node.vtep6 = (struct in6_addr){0};
	world_set_tunnel((options & OPTION_TUNNEL_IP6) != 0 ? IP6 : IP4);
	(void)rcu_poll(world.rcu);
	memset(owned, 0, sizeof(owned));
	n_segments = 0;
	icmp_limit = (struct icmp_limit){0};
	burst = (struct burst){
		.tab = world.tab,
		.node = &node,
		.subnets = world.tab->subnets,
		.in = world.tab->vports[ports[port % (sizeof(ports) / sizeof(ports[0]))]],
		.now = UINT64_C(1) << 40,
		.icmp_limit = &icmp_limit,
	};
}

// ── What must be true ──────────────────────────────────────────────────────────────────────────

// Every segment is either sent or given back, once, and lies in its buffer.
static void own(const struct rte_mbuf *m)
{
	for (; m != NULL; m = m->next) {
		ptrdiff_t i = (const struct frame *)(const void *)m - segments;
		check(i >= 0 && (size_t)i < n_segments && !owned[i]);
		owned[i] = true;
		check(m->data_off + m->data_len <= m->buf_len);
	}
}

static void check_lengths(const struct rte_mbuf *head)
{
	uint32_t len = 0;
	uint16_t n = 0;

	for (const struct rte_mbuf *m = head; m != NULL; m = m->next) {
		len += m->data_len;
		n++;
	}
	check(len == head->pkt_len && n == head->nb_segs);
}

// What the switch writes it must be able to read, with all lengths and checksums right. Returns the
// innermost TTL; the default if that is no IP packet.
static uint8_t check_frame(const uint8_t *data, uint16_t len, bool is_wrapped)
{
	static struct frame f;
	struct rte_mbuf *m = frame_mbuf(&f, 0, data, len);
	const struct pkt *p = pkt(m);

	check(parse_frame(m) == PARSED && m->pkt_len == len && (p->flags & PKT_OTHER) == 0);
	if (!is_wrapped)
		return is_ip(p) ? p->ttl : TTL_DEFAULT;
	check(p->proto == IPPROTO_UDP && p->l4_off != 0);
	if ((p->flags & PKT_IPV6) != 0) {
		struct rte_udp_hdr *udp = l4_of(m);
		rte_be16_t sum = udp->dgram_cksum;
		udp->dgram_cksum = 0;
		check(rte_ipv6_udptcp_cksum(ip6_of(m), udp) == sum);
	}
	uint16_t inner =
		(uint16_t)(p->l4_off + sizeof(struct rte_udp_hdr) + sizeof(struct rte_vxlan_hdr));
	check(inner <= len);
	return check_frame(data + inner, (uint16_t)(len - inner), false);
}

static bool is_own(const struct in6_addr *addr)
{
	return addr_equal(addr, &burst.in->ip4) || addr_equal(addr, &burst.in->ip6);
}

static void check_live(struct rte_mbuf *m)
{
	static uint8_t data[FRAME_MAX];
	const struct pkt *p = pkt(m);
	bool came_by_tunnel = (p->flags & PKT_TUNNEL) != 0;
	bool is_answer = p->way == WAY_BACK;

	check(p->out < VPORT_MAX && world.tab->vports[p->out] != NULL);
	check(p->way != WAY_UNDECIDED && p->way != WAY_REFUSED);
	check_lengths(m);
	// Pods speak for themselves only, and what came from the wire does not go back to it.
	if (burst.in->kind == VPORT_POD)
		check(is_answer || is_own(&p->src));
	if (burst.in->kind == VPORT_UPLINK)
		check(is_answer || p->out != node.uplink);
	if (p->way == WAY_AS_IS)
		return;
	check(m->pkt_len <= sizeof(data));
	const void *frame = rte_pktmbuf_read(m, 0, m->pkt_len, data);
	bool is_wrapped = p->way == WAY_TUNNEL || (is_answer && came_by_tunnel);
	uint8_t ttl = check_frame(frame, (uint16_t)m->pkt_len, is_wrapped);
	check(ttl > 0 || p->way == WAY_HOST); // the host takes its own packets as they are
}

static void check_burst(uint16_t n)
{
	const struct burst *b = &burst;
	uint64_t drops = 0;

	for (uint16_t i = 0; i < b->n; i++) {
		own(b->pkt[i]);
		check_live(b->pkt[i]);
	}
	check(b->n <= n && b->n_dead <= 2 * n && b->n_punt <= n);
	for (uint16_t i = 0; i < b->n_dead; i++)
		own(b->dead[i]);
	for (size_t i = 0; i < n_segments; i++)
		check(owned[i]);
	for (unsigned why = 0; why < DROP_REASON_COUNT; why++)
		drops += b->drops[why];
	check(drops == b->n_dropped && b->n_dropped >= n - b->n);
	for (uint16_t i = 0; i < b->n_punt; i++)
		check(b->punt[i].kind < PUNT_KIND_COUNT && b->punt[i].vlan < VLAN_COUNT &&
			(b->punt[i].subnet < SUBNET_COUNT || b->punt[i].subnet == SUBNET_NONE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < HEAD_LEN)
		return 0;
	const uint8_t *at = data + HEAD_LEN;
	const uint8_t *end = data + size;

	set_up(data[0], data[1]);
	while (end - at >= 2 && burst.n < BURST_MAX)
		burst.pkt[burst.n++] = packet(&at, end, data[1], data[2]);
	uint16_t n = burst.n;
	pipeline_run(pipeline_of(burst.in->kind), &burst);
	check_burst(n);
	for (size_t i = 0; i < n_segments; i++)
		frame_tight_free(&segments[i]);
	return 0;
}
