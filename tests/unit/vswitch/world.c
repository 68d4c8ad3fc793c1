#include "tests/unit/vswitch/world.h"

#include "vswitch/rcu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEADROOM 128 // what the stingiest driver leaves

struct world world;

// ── Who is who ─────────────────────────────────────────────────────────────────────────────────

// clang-format off
const struct station overlay_pod      = {10, "02:12:34:00:00:10", {"100.64.0.10",    "fd64::10"}};
const struct station overlay_pod2     = {11, "02:12:34:00:00:11", {"100.64.0.11",    "fd64::11"}};
const struct station closed_pod       = {12, "02:12:34:00:00:12", {"100.65.0.12",    "fd65::12"}};
const struct station blue_pod         = {13, "02:12:34:00:00:13", {"192.168.56.13",  "fd56::13"}};
const struct station blue_pod2        = {14, "02:12:34:00:00:14", {"192.168.56.14",  "fd56::14"}};
const struct station plain_pod        = {15, "02:12:34:00:00:15", {"192.168.1.15",   "fd01::15"}};
const struct station far_overlay_pod  = {0, NODE2_MAC_TEXT,       {"100.64.0.20",    "fd64::20"}};
const struct station far_blue_pod     = {0, NODE2_MAC_TEXT,       {"192.168.56.20",  "fd56::20"}};
const struct station far_green_pod    = {0, NODE2_MAC_TEXT,       {"192.168.57.20",  "fd57::20"}};
const struct station blue_gateway     = {0, "02:00:00:00:56:01",  {"192.168.56.1",   "fd56::1"}};
const struct station plain_gateway    = {0, "02:00:00:00:01:ff",  {"192.168.1.1",    "fd01::1"}};
const struct station blue_server      = {0, "02:00:00:00:56:99",  {"192.168.56.99",  "fd56::99"}};
const struct station nobody_overlay   = {0, NULL,                 {"100.64.9.9",     "fd64::9:9"}};
const struct station reserved_overlay = {0, NULL,                 {"100.64.0.30",    "fd64::30"}};
const struct station nobody_blue      = {0, NULL,                 {"192.168.56.77",  "fd56::77"}};
const struct station nobody_green     = {0, NULL,                 {"192.168.57.77",  "fd57::77"}};
const struct station outside          = {0, NULL,                 {"198.51.100.7",   "2001:db8::7"}};
const struct station node1            = {0, UPLINK_MAC_TEXT,      {"10.0.0.1",       "fd00::1"}};
const struct station node2            = {0, NODE2_MAC_TEXT,       {"10.0.0.2",       "fd00::2"}};
// clang-format on

// ── Building it ────────────────────────────────────────────────────────────────────────────────

static void add_port(uint16_t index, enum vport_kind kind, const char *mac)
{
	struct vport *v = &world.ports[index];

	*v = (struct vport){.index = index,
		.kind = kind,
		.mac = frame_mac(mac),
		.subnet4 = SUBNET_NONE,
		.subnet6 = SUBNET_NONE};
	(void)snprintf(v->name, sizeof(v->name), "port%u", index);
}

static uint32_t add_nexthop(const struct nexthop *nh)
{
	uint32_t id = NEXTHOP_NONE;
	assert_int_equal(tables_add_nexthop(world.tab, nh, &id), 0);
	return id;
}

void world_put_route(const char *ip, struct route r)
{
	r.addr = frame_addr(ip);
	assert_int_equal(tables_put_route(world.tab, &r), 0);
}

void world_del_route(const char *ip)
{
	struct in6_addr addr = frame_addr(ip);
	tables_del_route(world.tab, &addr);
}

static void add_pod(const struct station *s, bool overlay, uint32_t subnet)
{
	struct vport *v = &world.ports[s->port];
	uint32_t nexthop = add_nexthop(&(struct nexthop){
		.kind = NEXTHOP_PORT, .port = s->port, .mtu = 1500, .dst = frame_mac(s->mac)});

	add_port(s->port, VPORT_POD, s->mac);
	v->overlay = overlay;
	v->ip4 = frame_addr(s->ip[IP4]);
	v->ip6 = frame_addr(s->ip[IP6]);
	v->subnet4 = subnet;
	v->subnet6 = subnet + 1;
	for (enum family f = IP4; f <= IP6; f++)
		world_put_route(s->ip[f], (struct route){.kind = ROUTE_LOCAL_POD,
						  .overlay = overlay,
						  .vlan = world.subnets[subnet].vlan,
						  .subnet = subnet + f,
						  .nexthop = nexthop});
}

static void add_subnets(uint32_t first, const char *prefix4, uint8_t len4, const char *prefix6,
	bool overlay, uint16_t vlan)
{
	for (enum family f = IP4; f <= IP6; f++) {
		struct subnet *s = &world.subnets[first + f];
		*s = (struct subnet){
			.prefix = frame_addr(f == IP4 ? prefix4 : prefix6),
			.prefix_len = (uint8_t)(f == IP4 ? 96 + len4 : 64),
			.overlay = overlay,
			.nat_outgoing = overlay && first != SUBNET_CLOSED,
			.attached = !overlay,
			.vlan = vlan,
		};
	}
}

static void add_gateway(uint32_t subnet, const struct station *s)
{
	for (enum family f = IP4; f <= IP6; f++) {
		uint16_t vlan = world.subnets[subnet].vlan;
		uint32_t id = add_nexthop(&(struct nexthop){.kind = NEXTHOP_NEIGHBOUR,
			.mtu = 1500,
			.vlan = vlan,
			.dst = frame_mac(s->mac),
			.remote = frame_addr(s->ip[f])});
		world.gateways[subnet + f] = id;
		world.subnets[subnet + f].gateway = id;
		world.subnets[subnet + f].gateway_addr = frame_addr(s->ip[f]);
		world_put_route(s->ip[f], (struct route){.kind = ROUTE_NEIGHBOUR,
						  .vlan = vlan,
						  .subnet = subnet + f,
						  .nexthop = id});
	}
}

static void add_far_pods(void)
{
	for (enum family f = IP4; f <= IP6; f++) {
		struct route r = {.kind = ROUTE_REMOTE_POD,
			.subnet = SUBNET_BLUE + f,
			.nexthop = world.tunnel};

		world.neighbours[f] = add_nexthop(&(struct nexthop){.kind = NEXTHOP_NEIGHBOUR,
			.mtu = 1500,
			.vlan = VLAN_BLUE,
			.dst = frame_mac(far_blue_pod.mac),
			.remote = frame_addr(far_blue_pod.ip[f])});
		r.vlan = VLAN_BLUE;
		r.neighbour = world.neighbours[f];
		world_put_route(far_blue_pod.ip[f], r);
		r.vlan = VLAN_GREEN;
		r.subnet = SUBNET_GREEN + f;
		r.neighbour = NEXTHOP_NONE;
		world_put_route(far_green_pod.ip[f], r);
		r.vlan = 0;
		r.overlay = true;
		r.subnet = SUBNET_OVERLAY + f;
		world_put_route(far_overlay_pod.ip[f], r);
		r.kind = ROUTE_RESERVED;
		r.nexthop = NEXTHOP_NONE;
		world_put_route(reserved_overlay.ip[f], r);
		world_put_route(node1.ip[f],
			(struct route){.kind = ROUTE_NODE_SELF, .subnet = SUBNET_NONE});
		world_put_route(node2.ip[f], (struct route){.kind = ROUTE_NODE_OTHER,
						     .subnet = SUBNET_NONE,
						     .nexthop = world.tunnel});
		world_put_route(blue_server.ip[f],
			(struct route){.kind = ROUTE_NEIGHBOUR,
				.vlan = VLAN_BLUE,
				.subnet = SUBNET_BLUE + f,
				.nexthop = add_nexthop(&(struct nexthop){.kind = NEXTHOP_NEIGHBOUR,
					.mtu = 1500,
					.vlan = VLAN_BLUE,
					.dst = frame_mac(blue_server.mac),
					.remote = frame_addr(blue_server.ip[f])})});
	}
}

static void add_node(void)
{
	world.node = (struct node){
		.uplink = UPLINK,
		.host = HOST,
		.carries_host = true,
		.uplink_mac = frame_mac(UPLINK_MAC_TEXT),
		.host_mac = frame_mac(HOST_MAC_TEXT),
		.vtep4 = frame_addr(node1.ip[IP4]),
		.vtep6 = frame_addr(node1.ip[IP6]),
		.vtep_mac = frame_mac(VTEP_MAC_TEXT),
		.vxlan_port = VXLAN_PORT,
		.has_vni = true,
		.vni = VNI,
	};
	world.node.vlans[VLAN_BLUE / 64] |= UINT64_C(1) << VLAN_BLUE % 64;
	add_port(UPLINK, VPORT_UPLINK, UPLINK_MAC_TEXT);
	add_port(HOST, VPORT_HOST, HOST_MAC_TEXT);
	add_port(CONTROL, VPORT_CONTROL, UPLINK_MAC_TEXT);
}

int world_setup(void **)
{
	memset(&world, 0, sizeof(world));
	world.rcu = rcu_new(1);
	world.tab = world.rcu != NULL ? tables_new(64, world.rcu) : NULL;
	if (world.tab == NULL)
		return -1;

	add_node();
	add_subnets(SUBNET_OVERLAY, "100.64.0.0", 16, "fd64::", true, 0);
	add_subnets(SUBNET_CLOSED, "100.65.0.0", 16, "fd65::", true, 0);
	add_subnets(SUBNET_BLUE, "192.168.56.0", 24, "fd56::", false, VLAN_BLUE);
	add_subnets(SUBNET_GREEN, "192.168.57.0", 24, "fd57::", false, VLAN_GREEN);
	add_subnets(SUBNET_PLAIN, "192.168.1.0", 24, "fd01::", false, 0);
	add_gateway(SUBNET_BLUE, &blue_gateway);
	add_gateway(SUBNET_PLAIN, &plain_gateway);
	world.tunnel = add_nexthop(&(struct nexthop){.kind = NEXTHOP_TUNNEL,
		.mtu = 1450,
		.dst = frame_mac(NODE2_MAC_TEXT),
		.inner_dst = frame_mac(NODE2_VTEP_MAC_TEXT),
		.remote = frame_addr(node2.ip[IP4])});
	add_pod(&overlay_pod, true, SUBNET_OVERLAY);
	add_pod(&overlay_pod2, true, SUBNET_OVERLAY);
	add_pod(&closed_pod, true, SUBNET_CLOSED);
	add_pod(&blue_pod, false, SUBNET_BLUE);
	add_pod(&blue_pod2, false, SUBNET_BLUE);
	add_pod(&plain_pod, false, SUBNET_PLAIN);
	add_far_pods();
	world_publish();
	return 0;
}

int world_teardown(void **)
{
	tables_free(world.tab);
	rcu_free(world.rcu);
	return 0;
}

void world_publish(void)
{
	assert_int_equal(tables_set_node(world.tab, &world.node), 0);
	assert_int_equal(tables_set_subnets(world.tab, world.subnets, SUBNET_COUNT), 0);
	for (size_t i = 0; i < sizeof(world.ports) / sizeof(world.ports[0]); i++) {
		if (world.ports[i].name[0] != '\0')
			assert_int_equal(tables_set_vport(world.tab, &world.ports[i]), 0);
	}
}

void world_set_nexthop(uint32_t id, enum nexthop_kind kind)
{
	struct nexthop nh = *world.tab->nexthops[id];
	nh.kind = kind;
	assert_int_equal(tables_set_nexthop(world.tab, id, &nh), 0);
}

void world_set_mtu(const struct station *pod, uint16_t mtu)
{
	struct in6_addr addr = frame_addr(pod->ip[IP4]);
	uint32_t id = tables_route(world.tab, &addr)->nexthop;
	struct nexthop nh = *world.tab->nexthops[id];
	nh.mtu = mtu;
	assert_int_equal(tables_set_nexthop(world.tab, id, &nh), 0);
}

void world_set_tunnel(enum family outer)
{
	struct nexthop nh = *world.tab->nexthops[world.tunnel];
	nh.remote = frame_addr(node2.ip[outer]);
	nh.mtu = outer == IP4 ? 1450 : 1430;
	assert_int_equal(tables_set_nexthop(world.tab, world.tunnel, &nh), 0);
}

// ── Running and expecting ──────────────────────────────────────────────────────────────────────

static void run_burst(uint16_t port, struct rte_mbuf *const *m, uint16_t n)
{
	struct burst *b = &world.b;

	*b = (struct burst){
		.tab = world.tab,
		.node = world.tab->node,
		.subnets = world.tab->subnets,
		.in = world.tab->vports[port],
		.now = UINT64_C(1) << 40,
		.icmp_limit = &world.icmp_limit,
		.n = n,
	};
	memcpy(b->pkt, m, n * sizeof(*m));
	pipeline_run(pipeline_of(b->in->kind), b);
}

void run_mbuf(uint16_t port, struct rte_mbuf *m)
{
	run_burst(port, &m, 1);
}

void run(uint16_t port, const struct bytes *frame)
{
	run_mbuf(port, frame_mbuf(&world.frames[0], HEADROOM, frame->data, frame->len));
}

void sends(const struct station *from, struct packet p)
{
	struct bytes frame = frame_ip(&p);
	run(from->port, &frame);
}

void sends_both(const struct station *from, struct packet first, struct packet second)
{
	struct bytes frames[] = {frame_ip(&first), frame_ip(&second)};
	struct rte_mbuf *m[2];

	for (size_t i = 0; i < 2; i++)
		m[i] = frame_mbuf(&world.frames[i], HEADROOM, frames[i].data, frames[i].len);
	run_burst(from->port, m, 2);
}

static const char *what_happened(void)
{
	for (unsigned i = 0; i < DROP_REASON_COUNT; i++) {
		if (world.b.drops[i] != 0)
			return drop_name(i);
	}
	return "no drop";
}

struct bytes result(void)
{
	struct bytes b = {0};

	if (world.b.n != 1)
		fail_msg("%u frames came out: %s", world.b.n, what_happened());
	b.len = (uint16_t)world.b.pkt[0]->pkt_len;
	const uint8_t *data = rte_pktmbuf_read(world.b.pkt[0], 0, b.len, b.data);
	if (data != b.data)
		memcpy(b.data, data, b.len);
	return b;
}

static void expect_port(uint16_t port)
{
	assert_int_equal(world.b.n, 1);
	assert_int_equal(pkt(world.b.pkt[0])->out, port);
}

void expect_out(uint16_t port, const struct bytes *frame)
{
	struct bytes got = result();

	expect_port(port);
	assert_int_equal(got.len, frame->len);
	assert_memory_equal(got.data, frame->data, frame->len);
}

struct packet node2_outer(enum family f)
{
	return (struct packet){.eth_src = NODE2_MAC_TEXT,
		.eth_dst = UPLINK_MAC_TEXT,
		.src = node2.ip[f],
		.dst = node1.ip[f],
		.ttl = 64,
		.sport = 50000,
		.dport = VXLAN_PORT,
		.no_fragment = true,
		.no_udp_checksum = f == IP4};
}

struct bytes from_node2(enum family outer, const struct bytes *inner)
{
	struct packet o = node2_outer(outer);
	return frame_vxlan(&o, 0x08, VNI, inner);
}

void expect_tunnel(const struct bytes *inner, uint8_t tos)
{
	struct bytes got = result();
	enum family f = got.data[12] == 0x08 ? IP4 : IP6;
	struct packet outer = node2_outer(f);

	outer.eth_src = UPLINK_MAC_TEXT;
	outer.eth_dst = NODE2_MAC_TEXT;
	outer.src = node1.ip[f];
	outer.dst = node2.ip[f];
	outer.tos = tos;
	size_t sport_at = f == IP4 ? 34 : 54;
	outer.sport = (uint16_t)(got.data[sport_at] << 8 | got.data[sport_at + 1]);
	assert_in_range(outer.sport, 49152, 65535);

	struct bytes expected = frame_vxlan(&outer, 0x08, VNI, inner);
	expect_out(UPLINK, &expected);
}

void expect_drop_count(enum drop_reason why, uint64_t count)
{
	if (world.b.drops[why] != count)
		fail_msg("%s counted %u times: %s", drop_name(why), (unsigned)world.b.drops[why],
			what_happened());
}

void expect_drop(enum drop_reason why)
{
	expect_drop_count(why, 1);
	assert_int_equal(world.b.n, 0);
	assert_int_equal(world.b.n_dead, 1);
	assert_int_equal(world.b.n_dropped, 1);
}

void expect_no_punt(void)
{
	assert_int_equal(world.b.n_punt, 0);
}

void expect_punt(const struct punt *punt)
{
	const struct punt *got = &world.b.punt[0];

	assert_int_equal(world.b.n_punt, 1);
	assert_int_equal(got->kind, punt->kind);
	assert_int_equal(got->vlan, punt->vlan);
	assert_memory_equal(&got->mac, &punt->mac, sizeof(got->mac));
	assert_memory_equal(&got->ip, &punt->ip, sizeof(got->ip));
	assert_int_equal(got->subnet, punt->subnet);
	assert_int_equal(got->nexthop, punt->nexthop);
}

// ── Frames that most tests need ────────────────────────────────────────────────────────────────

struct packet udp(enum family f, const struct station *src, const struct station *dst)
{
	return (struct packet){.eth_src = src->mac != NULL ? src->mac : "02:00:00:00:00:77",
		.eth_dst = GATEWAY_MAC_TEXT,
		.src = src->ip[f],
		.dst = dst->ip[f],
		.ttl = 64,
		.proto = IPPROTO_UDP,
		.sport = 1000,
		.dport = 2000,
		.payload_len = 30};
}

static struct bytes after_hop(
	struct packet p, const char *eth_src, const char *eth_dst, uint16_t vlan)
{
	p.ttl--;
	p.eth_src = eth_src;
	p.eth_dst = eth_dst;
	p.vlan = vlan;
	return frame_ip(&p);
}

struct bytes delivered(struct packet p, const struct station *to)
{
	return after_hop(p, GATEWAY_MAC_TEXT, to->mac, 0);
}

struct bytes to_host(struct packet p)
{
	return after_hop(p, GATEWAY_MAC_TEXT, HOST_MAC_TEXT, 0);
}

struct bytes on_wire(struct packet p, const char *eth_dst, uint16_t vlan)
{
	return after_hop(p, UPLINK_MAC_TEXT, eth_dst, vlan);
}

struct bytes into_tunnel(struct packet p)
{
	return after_hop(p, VTEP_MAC_TEXT, NODE2_VTEP_MAC_TEXT, 0);
}

struct bytes icmp_error_about(const struct bytes *frame, const char *from, const char *to,
	const char *eth_src, const char *eth_dst, uint16_t vlan, uint8_t type, uint8_t code)
{
	struct bytes quoted = frame_payload(frame);
	bool is_ip4 = quoted.data[0] >> 4 == 4;
	uint16_t most = is_ip4 ? 576 - 28 : 1280 - 48;

	return frame_ip(&(struct packet){
		.eth_src = eth_src,
		.eth_dst = eth_dst,
		.vlan = vlan,
		.src = from,
		.dst = to,
		.ttl = 64,
		.tos = is_ip4 ? 0xc0 : 0,
		.proto = is_ip4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
		.icmp_type = type,
		.icmp_code = code,
		.payload = quoted.data,
		.payload_len = quoted.len < most ? quoted.len : most,
	});
}

void expect_refusal(const struct station *sender, struct packet p, enum drop_reason why,
	uint8_t type, uint8_t code)
{
	const char *gateway = strchr(p.src, ':') == NULL ? GATEWAY4_TEXT : GATEWAY6_TEXT;

	p.ttl = p.ttl <= 1 ? p.ttl : (uint8_t)(p.ttl - 1);
	struct bytes quoted = frame_ip(&p);
	struct bytes expected = icmp_error_about(
		&quoted, gateway, p.src, GATEWAY_MAC_TEXT, sender->mac, 0, type, code);
	expect_out(sender->port, &expected);
	expect_drop_count(why, 1);
	assert_int_equal(world.b.n_dropped, 1);
	assert_int_equal(world.b.n_dead, 0);
}
