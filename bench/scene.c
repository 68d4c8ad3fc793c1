#include "bench/scene.h"

#include <rte_ip.h>
#include <rte_udp.h>
#include <rte_vxlan.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vswitch/addr.h"

#define VLAN_BLUE 56
#define VNI 4
#define VXLAN_PORT 8472
#define HEADROOM 256

enum { // indices of Subnets; the IPv6 ones follow their IPv4 twins
	SUBNET_OVERLAY = 0,
	SUBNET_BLUE = 2,
	N_SUBNETS = 4
};

// ── Addresses ──────────────────────────────────────────────────────────────────────────────────

// The host part of a pod: those of this node are 10 and up, the remote ones behind 256.
static uint32_t local_host(enum scene_port port)
{
	return 10u + port;
}

static uint32_t remote_host(uint32_t i)
{
	return 256 + i;
}

static struct in6_addr pod_addr(bool overlay, bool is_ip6, uint32_t host)
{
	struct in6_addr a = {0};

	if (!is_ip6)
		return addr_of_ip4(htonl((overlay ? 0x64400000 : 0xc0a80000) + host));
	a.s6_addr16[0] = htons(overlay ? 0xfd64 : 0xfd56);
	a.s6_addr32[3] = htonl(host);
	return a;
}

// Node 0 is this one.
static struct in6_addr node_addr(uint32_t node)
{
	return addr_of_ip4(htonl(0x0a000001 + node));
}

static struct rte_ether_addr mac(uint8_t kind, uint32_t number)
{
	return (struct rte_ether_addr){
		.addr_bytes = {0x02, kind, 0, 0, (uint8_t)(number >> 8), (uint8_t)number}};
}
#define MAC_POD 1
#define MAC_UPLINK 2
#define MAC_VTEP 3
#define MAC_BLUE 4

static struct rte_ether_addr port_mac(enum scene_port port)
{
	return port == SCENE_UPLINK ? mac(MAC_UPLINK, 0) : mac(MAC_POD, port);
}

// ── Tables ─────────────────────────────────────────────────────────────────────────────────────

static int add_subnets(struct tables *t)
{
	struct subnet s[N_SUBNETS];

	for (uint32_t i = 0; i < N_SUBNETS; i++) {
		bool overlay = i < SUBNET_BLUE;
		s[i] = (struct subnet){.prefix = pod_addr(overlay, i % 2 != 0, 0),
			.prefix_len = i % 2 != 0 ? 64 : 96 + 16,
			.overlay = overlay,
			.attached = !overlay,
			.vlan = overlay ? 0 : VLAN_BLUE};
	}
	return tables_set_subnets(t, s, N_SUBNETS);
}

static int add_node(struct tables *t)
{
	struct node node = {.uplink = SCENE_UPLINK,
		.host = VPORT_NONE,
		.uplink_mac = port_mac(SCENE_UPLINK),
		.vtep4 = node_addr(0),
		.vtep_mac = mac(MAC_VTEP, 0),
		.vxlan_port = VXLAN_PORT,
		.has_vni = true,
		.vni = VNI};

	node.vlans[VLAN_BLUE / 64] |= UINT64_C(1) << VLAN_BLUE % 64;
	return tables_set_node(t, &node);
}

static int add_port(struct tables *t, enum scene_port port)
{
	bool overlay = port != SCENE_BLUE_POD;
	struct vport v = {.index = (uint16_t)port,
		.kind = port == SCENE_UPLINK ? VPORT_UPLINK : VPORT_POD,
		.overlay = overlay,
		.mac = port_mac(port),
		.subnet4 = overlay ? SUBNET_OVERLAY : SUBNET_BLUE,
		.subnet6 = overlay ? SUBNET_OVERLAY + 1 : SUBNET_BLUE + 1};
	struct nexthop nh = {
		.kind = NEXTHOP_PORT, .port = (uint16_t)port, .mtu = 1500, .dst = v.mac};
	struct route r = {
		.kind = ROUTE_LOCAL_POD, .overlay = overlay, .vlan = overlay ? 0 : VLAN_BLUE};

	if (t->vports[port] != NULL)
		v.dev = t->vports[port]->dev;
	if (v.kind == VPORT_UPLINK)
		return tables_set_vport(t, &v);
	v.ip4 = pod_addr(overlay, false, local_host(port));
	v.ip6 = pod_addr(overlay, true, local_host(port));
	int ret = tables_set_vport(t, &v);
	if (ret == 0)
		ret = tables_add_nexthop(t, &nh, &r.nexthop);
	for (int six = 0; six < 2 && ret == 0; six++) {
		r.addr = six != 0 ? v.ip6 : v.ip4;
		r.subnet = six != 0 ? v.subnet6 : v.subnet4;
		ret = tables_put_route(t, &r);
	}
	return ret;
}

static int add_tunnels(struct tables *t, uint32_t *ret_ids)
{
	int ret = 0;

	for (uint32_t i = 0; i < SCENE_NODES && ret == 0; i++) {
		struct nexthop nh = {.kind = NEXTHOP_TUNNEL,
			.mtu = 1450,
			.dst = mac(MAC_UPLINK, i + 1),
			.inner_dst = mac(MAC_VTEP, i + 1),
			.remote = node_addr(i + 1)};
		ret = tables_add_nexthop(t, &nh, &ret_ids[i]);
	}
	return ret;
}

static int add_remote_pod(struct tables *t, bool overlay, bool is_ip6, uint32_t i, uint32_t tunnel)
{
	struct route r = {.addr = pod_addr(overlay, is_ip6, remote_host(i)),
		.kind = ROUTE_REMOTE_POD,
		.overlay = overlay,
		.vlan = overlay ? 0 : VLAN_BLUE,
		.subnet = (overlay ? SUBNET_OVERLAY : SUBNET_BLUE) + is_ip6,
		.nexthop = tunnel};
	struct nexthop nh = {.kind = NEXTHOP_NEIGHBOUR,
		.vlan = VLAN_BLUE,
		.mtu = 1500,
		.dst = mac(MAC_BLUE, i),
		.remote = r.addr};

	int ret = overlay ? 0 : tables_add_nexthop(t, &nh, &r.neighbour);
	return ret < 0 ? ret : tables_put_route(t, &r);
}

int scene_tables(struct tables *t)
{
	uint32_t tunnels[SCENE_NODES];
	int ret = add_subnets(t);

	if (ret == 0)
		ret = add_node(t);
	for (enum scene_port port = SCENE_UPLINK; port < SCENE_PORTS && ret == 0; port++)
		ret = add_port(t, port);
	if (ret == 0)
		ret = add_tunnels(t, tunnels);
	for (uint32_t i = 0; i < 4 * SCENE_FLOWS && ret == 0; i++)
		ret = add_remote_pod(
			t, i % 2 == 0, i / 2 % 2 == 0, i / 4, tunnels[i / 4 % SCENE_NODES]);
	return ret;
}

// ── Frames ─────────────────────────────────────────────────────────────────────────────────────

struct ip4 {
	struct rte_ether_hdr eth;
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
	uint8_t payload[18];
} __attribute__((packed, aligned(2)));
static_assert(sizeof(struct ip4) == 60);

struct ip6 {
	struct rte_ether_hdr eth;
	struct rte_ipv6_hdr ip;
	struct rte_udp_hdr udp;
} __attribute__((packed, aligned(2)));
static_assert(sizeof(struct ip6) == 62);

struct outer_headers {
	struct rte_ether_hdr eth;
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
	struct rte_vxlan_hdr vxlan;
} __attribute__((packed, aligned(2)));

// Who sends a frame to whom.
struct flow {
	struct rte_ether_addr eth_src, eth_dst;
	struct in6_addr src, dst;
	uint16_t sport;
};

static struct rte_udp_hdr udp_header(uint16_t sport, size_t len)
{
	return (struct rte_udp_hdr){
		.src_port = htons(sport), .dst_port = htons(7), .dgram_len = htons((uint16_t)len)};
}

static struct rte_ipv4_hdr ip4_header(rte_be32_t src, rte_be32_t dst, size_t len)
{
	struct rte_ipv4_hdr ip = {.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = htons((uint16_t)len),
		.time_to_live = 64,
		.next_proto_id = IPPROTO_UDP,
		.src_addr = src,
		.dst_addr = dst};
	ip.hdr_checksum = rte_ipv4_cksum(&ip);
	return ip;
}

static struct rte_ether_hdr ether_header(const struct flow *f, uint16_t type)
{
	return (struct rte_ether_hdr){
		.dst_addr = f->eth_dst, .src_addr = f->eth_src, .ether_type = htons(type)};
}

static uint16_t put_ip4(uint8_t *at, const struct flow *f)
{
	struct ip4 h = {.eth = ether_header(f, RTE_ETHER_TYPE_IPV4),
		.ip = ip4_header(
			addr_ip4(&f->src), addr_ip4(&f->dst), sizeof(h) - offsetof(struct ip4, ip)),
		.udp = udp_header(f->sport, sizeof(h) - offsetof(struct ip4, udp))};
	memcpy(at, &h, sizeof(h));
	return sizeof(h);
}

static uint16_t put_ip6(uint8_t *at, const struct flow *f)
{
	struct ip6 h = {.eth = ether_header(f, RTE_ETHER_TYPE_IPV6),
		.ip = {.vtc_flow = RTE_BE32(6u << 28),
			.payload_len = htons(sizeof(h.udp)),
			.proto = IPPROTO_UDP,
			.hop_limits = 64},
		.udp = udp_header(f->sport, sizeof(h.udp))};
	memcpy(h.ip.src_addr, &f->src, sizeof(f->src));
	memcpy(h.ip.dst_addr, &f->dst, sizeof(f->dst));
	h.udp.dgram_cksum = rte_ipv6_udptcp_cksum(&h.ip, &h.udp);
	memcpy(at, &h, sizeof(h));
	return sizeof(h);
}

static uint16_t put_ip(uint8_t *at, const struct flow *f, bool is_ip6)
{
	return (is_ip6 ? put_ip6 : put_ip4)(at, f);
}

// From the node of remote pod i.
static uint16_t put_tunnel(uint8_t *at, const struct flow *f, bool is_ip6, uint32_t i)
{
	uint32_t node = i % SCENE_NODES + 1;
	const struct flow o = {.eth_src = mac(MAC_UPLINK, node), .eth_dst = port_mac(SCENE_UPLINK)};
	const struct in6_addr src = node_addr(node), dst = node_addr(0);
	size_t inner = put_ip(at + sizeof(struct outer_headers), f, is_ip6);

	struct outer_headers h = {.eth = ether_header(&o, RTE_ETHER_TYPE_IPV4),
		.ip = ip4_header(addr_ip4(&src), addr_ip4(&dst),
			sizeof(h) - offsetof(struct outer_headers, ip) + inner),
		.udp = udp_header(
			f->sport, sizeof(h) - offsetof(struct outer_headers, udp) + inner),
		.vxlan = {.vx_flags = RTE_BE32(0x08000000), .vx_vni = RTE_BE32(VNI << 8)}};
	h.udp.dst_port = htons(VXLAN_PORT);
	memcpy(at, &h, sizeof(h));
	return (uint16_t)(sizeof(h) + inner);
}

static uint16_t put_tagged(uint8_t *at, const struct flow *f, bool is_ip6)
{
	const struct rte_vlan_hdr tag = {.vlan_tci = RTE_BE16(VLAN_BLUE),
		.eth_proto = htons(is_ip6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4)};
	const size_t macs = offsetof(struct rte_ether_hdr, ether_type);
	uint16_t len = put_ip(at + sizeof(tag), f, is_ip6);
	rte_be16_t type = RTE_BE16(RTE_ETHER_TYPE_VLAN);

	memmove(at, at + sizeof(tag), macs);
	memcpy(at + macs, &type, sizeof(type));
	memcpy(at + macs + sizeof(type), &tag, sizeof(tag));
	return (uint16_t)(len + sizeof(tag));
}

static const struct {
	const char *name;
	enum scene_port from, to;
} ways[SCENE_WAYS] = {
	[SCENE_POD_POD] = {"pod-pod", SCENE_POD_A, SCENE_POD_B},
	[SCENE_POD_TUNNEL] = {"pod-tunnel", SCENE_POD_A, SCENE_UPLINK},
	[SCENE_TUNNEL_POD] = {"tunnel-pod", SCENE_UPLINK, SCENE_POD_A},
	[SCENE_POD_VLAN] = {"pod-vlan", SCENE_BLUE_POD, SCENE_UPLINK},
	[SCENE_VLAN_POD] = {"vlan-pod", SCENE_UPLINK, SCENE_BLUE_POD},
};

static struct in6_addr station(
	const struct scene *s, enum scene_port port, bool overlay, uint32_t i)
{
	return pod_addr(
		overlay, s->is_ip6, port == SCENE_UPLINK ? remote_host(i) : local_host(port));
}

static uint16_t put_flow(struct scene *s, enum scene_way way, uint32_t i)
{
	bool overlay = way <= SCENE_TUNNEL_POD;
	uint8_t *at = s->frames[i];
	struct flow f = {.eth_src = port_mac(s->from),
		.eth_dst = GATEWAY_MAC,
		.src = station(s, s->from, overlay, i),
		.dst = station(s, s->to, overlay, i),
		.sport = (uint16_t)(1024 + i)};

	s->dst[i] = f.dst;
	switch (way) {
	case SCENE_TUNNEL_POD:
		f.eth_src = mac(MAC_VTEP, i % SCENE_NODES + 1);
		f.eth_dst = mac(MAC_VTEP, 0);
		return put_tunnel(at, &f, s->is_ip6, i);
	case SCENE_VLAN_POD:
		f.eth_src = mac(MAC_BLUE, i);
		f.eth_dst = port_mac(SCENE_UPLINK);
		return put_tagged(at, &f, s->is_ip6);
	default:
		return put_ip(at, &f, s->is_ip6);
	}
}

struct scene *scene_new(enum scene_way way, bool is_ip6)
{
	struct scene *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->name = ways[way].name;
	s->is_ip6 = is_ip6;
	s->from = ways[way].from;
	s->to = ways[way].to;
	for (uint32_t i = 0; i < SCENE_FLOWS; i++)
		s->len = put_flow(s, way, i);
	return s;
}

void scene_fill(const struct scene *s, struct rte_mbuf *m, uint32_t i)
{
	m->data_off = HEADROOM;
	m->data_len = s->len;
	m->pkt_len = s->len;
	memcpy(rte_pktmbuf_mtod(m, void *), s->frames[i % SCENE_FLOWS], s->len);
}
