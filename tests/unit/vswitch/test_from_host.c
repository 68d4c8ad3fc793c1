// What the host and the control thread send, by the rules in doc/forwarding.md.
#include "tests/unit/dataplane/eal.h"
#include "tests/unit/vswitch/suite.h"

#define NOBODY_MAC "00:00:00:00:00:00"
#define ROUTER_MAC "02:00:00:00:00:fe" // of the physical network

static const struct station host = {HOST, HOST_MAC_TEXT, {"10.0.0.1", "fd00::1"}};

static struct packet by_router(struct packet p)
{
	p.eth_dst = ROUTER_MAC;
	return p;
}

static void goes_to_the_uplink_unchanged(const struct bytes *frame)
{
	run(HOST, frame);
	expect_out(UPLINK, frame);
}

static struct bytes question(enum family f, const char *target)
{
	if (f == IP4)
		return frame_arp(&(struct arp){.eth_src = HOST_MAC_TEXT,
			.eth_dst = BROADCAST_TEXT,
			.op = 1,
			.sha = HOST_MAC_TEXT,
			.sip = host.ip[IP4],
			.tha = NOBODY_MAC,
			.tip = target});
	return frame_nd(&(struct nd){.eth_src = HOST_MAC_TEXT,
		.eth_dst = "33:33:ff:00:00:01",
		.src = host.ip[IP6],
		.dst = "ff02::1:ff00:1",
		.hop_limit = 255,
		.type = 135,
		.target = target,
		.option = 1,
		.lladdr = HOST_MAC_TEXT});
}

static struct bytes answer(enum family f, const char *target)
{
	if (f == IP4)
		return frame_arp(&(struct arp){.eth_src = GATEWAY_MAC_TEXT,
			.eth_dst = HOST_MAC_TEXT,
			.op = 2,
			.sha = GATEWAY_MAC_TEXT,
			.sip = target,
			.tha = HOST_MAC_TEXT,
			.tip = host.ip[IP4]});
	return frame_nd(&(struct nd){.eth_src = GATEWAY_MAC_TEXT,
		.eth_dst = HOST_MAC_TEXT,
		.src = target,
		.dst = host.ip[IP6],
		.hop_limit = 255,
		.type = 136,
		.flags = 0xe0000000,
		.target = target,
		.option = 2,
		.lladdr = GATEWAY_MAC_TEXT});
}

static void host_to_a_local_pod_is_delivered(void **state)
{
	static const struct station *const pods[] = {&overlay_pod, &blue_pod, &plain_pod};

	for (size_t i = 0; i < 3; i++) {
		struct packet p = udp(family(state), &host, pods[i]);
		sends(&host, p);
		struct bytes expected = delivered(p, pods[i]);
		expect_out(pods[i]->port, &expected);
	}
}

static void host_to_a_remote_overlay_pod_goes_by_tunnel(void **state)
{
	struct packet p = udp(family(state), &host, &far_overlay_pod);

	sends(&host, p);
	struct bytes inner = into_tunnel(p);
	expect_tunnel(&inner, 0);
}

static void host_to_a_remote_underlay_pod_goes_by_the_hosts_own_routes(void **state)
{
	struct packet p = by_router(udp(family(state), &host, &far_blue_pod));
	struct bytes frame = frame_ip(&p);

	goes_to_the_uplink_unchanged(&frame);
	sends(&host, udp(family(state), &host, &far_blue_pod));
	expect_drop_count(DROP_NO_ROUTE, 1);
}

static void host_to_another_node_by_the_gateway_goes_by_tunnel(void **state)
{
	struct packet p = udp(family(state), &host, &node2);

	sends(&host, p);
	struct bytes inner = into_tunnel(p);
	expect_tunnel(&inner, 0);
	p = by_router(p);
	struct bytes frame = frame_ip(&p);
	goes_to_the_uplink_unchanged(&frame);
}

static void other_frames_of_the_host_go_to_the_uplink_unchanged(void **state)
{
	enum family f = family(state);
	struct packet p = by_router(udp(f, &host, &outside));
	p.ttl = 1;
	struct bytes frame = frame_ip(&p);

	goes_to_the_uplink_unchanged(&frame);
	p.vlan = 99;
	frame = frame_ip(&p);
	goes_to_the_uplink_unchanged(&frame);
	p = by_router(udp(f, &host, &overlay_pod)); // it is not the switch that was meant
	frame = frame_ip(&p);
	goes_to_the_uplink_unchanged(&frame);
	p.eth_dst = BROADCAST_TEXT;
	p.dst = f == IP4 ? "255.255.255.255" : "ff02::1";
	frame = frame_ip(&p);
	goes_to_the_uplink_unchanged(&frame);
	frame.data[12] = 0x88;
	frame.data[13] = 0xcc;
	goes_to_the_uplink_unchanged(&frame);
}

static void other_frames_of_the_host_are_dropped_if_it_is_not_on_the_uplink(void **state)
{
	struct packet p = by_router(udp(family(state), &host, &outside));

	world.node.carries_host = false;
	world_publish();
	sends(&host, p);
	expect_drop(DROP_NOT_FOR_US);
	p.eth_dst = BROADCAST_TEXT;
	sends(&host, p);
	expect_drop(DROP_MULTICAST);
	world.node.carries_host = true;
	world.node.uplink = VPORT_NONE;
	world_publish();
	sends(&host, p);
	expect_drop(DROP_NO_UPLINK);
}

static void is_refused(enum family f, const struct station *to, enum drop_reason why, uint8_t code)
{
	struct packet p = udp(f, &host, to);
	struct bytes frame = frame_ip(&p);

	run(HOST, &frame);
	struct bytes expected = icmp_error_about(&frame, f == IP4 ? GATEWAY4_TEXT : GATEWAY6_TEXT,
		p.src, GATEWAY_MAC_TEXT, HOST_MAC_TEXT, 0, f == IP4 ? 3 : 1, code);
	expect_out(HOST, &expected);
	expect_drop_count(why, 1);
}

static void host_to_an_overlay_address_without_a_pod_is_unreachable(void **state)
{
	enum family f = family(state);

	is_refused(f, &nobody_overlay, DROP_NO_SUCH_POD, f == IP4 ? 1 : 3);
	is_refused(f, &reserved_overlay, DROP_NO_SUCH_POD, f == IP4 ? 1 : 3);
}

static void host_to_anything_else_by_the_gateway_has_no_route(void **state)
{
	static const struct station *const others[] = {
		&outside, &nobody_blue, &blue_server, &node1};

	for (size_t i = 0; i < 4; i++)
		is_refused(family(state), others[i], DROP_NO_ROUTE, 0);
	struct packet p = udp(IP4, &host, &overlay_pod);
	struct bytes frame = frame_ip(&p);
	frame.data[12] = 0x88;
	run(HOST, &frame);
	expect_drop(DROP_UNKNOWN_ETHERTYPE);
}

static void ttl_of_one_from_the_host_to_a_pod_is_exceeded(void **state)
{
	enum family f = family(state);
	struct packet p = udp(f, &host, &overlay_pod);

	p.ttl = 1;
	struct bytes frame = frame_ip(&p);
	run(HOST, &frame);
	struct bytes expected = icmp_error_about(&frame, f == IP4 ? GATEWAY4_TEXT : GATEWAY6_TEXT,
		p.src, GATEWAY_MAC_TEXT, HOST_MAC_TEXT, 0, f == IP4 ? 11 : 3, 0);
	expect_out(HOST, &expected);
	expect_drop_count(DROP_TTL_EXCEEDED, 1);
}

static void hosts_question_for_a_pod_or_the_gateway_is_answered_with_the_gateways_mac(void **state)
{
	enum family f = family(state);
	const char *const targets[] = {overlay_pod.ip[f], blue_pod.ip[f], far_overlay_pod.ip[f],
		f == IP4 ? GATEWAY4_TEXT : GATEWAY6_TEXT};

	for (size_t i = 0; i < 4; i++) {
		struct bytes asked = question(f, targets[i]);
		run(HOST, &asked);
		struct bytes expected = answer(f, targets[i]);
		expect_out(HOST, &expected);
	}
}

static void hosts_question_for_others_goes_to_the_wire_or_is_ignored(void **state)
{
	enum family f = family(state);
	const char *const targets[] = {far_blue_pod.ip[f], node2.ip[f], outside.ip[f], host.ip[f]};

	for (size_t i = 0; i < 4; i++) {
		world.node.carries_host = true;
		world_publish();
		struct bytes asked = question(f, targets[i]);
		goes_to_the_uplink_unchanged(&asked);
		world.node.carries_host = false;
		world_publish();
		run(HOST, &asked);
		expect_drop(DROP_ARP_IGNORED);
	}
}

// What the kernel asks a neighbour it knows by unicast is for the gateway alone.
static void hosts_question_to_the_gateways_mac_does_not_leave(void **)
{
	struct bytes asked = question(IP4, outside.ip[IP4]);

	for (size_t i = 0; i < 6; i++)
		asked.data[i] = 0xee;
	run(HOST, &asked);
	expect_drop(DROP_ARP_IGNORED);
}

static void control_threads_frame_goes_to_the_uplink_unchanged(void **state)
{
	struct bytes frame = question(family(state), blue_server.ip[family(state)]);

	run(CONTROL, &frame);
	expect_out(UPLINK, &frame);
	world.node.uplink = VPORT_NONE;
	world_publish();
	run(CONTROL, &frame);
	expect_drop(DROP_NO_UPLINK);
}

static const char tests_prefix[] = "from-host";
static const struct CMUnitTest tests[] = {
	BOTH(host_to_a_local_pod_is_delivered),
	BOTH(host_to_a_remote_overlay_pod_goes_by_tunnel),
	BOTH(host_to_a_remote_underlay_pod_goes_by_the_hosts_own_routes),
	BOTH(host_to_another_node_by_the_gateway_goes_by_tunnel),
	BOTH(other_frames_of_the_host_go_to_the_uplink_unchanged),
	BOTH(other_frames_of_the_host_are_dropped_if_it_is_not_on_the_uplink),
	BOTH(host_to_an_overlay_address_without_a_pod_is_unreachable),
	BOTH(host_to_anything_else_by_the_gateway_has_no_route),
	BOTH(ttl_of_one_from_the_host_to_a_pod_is_exceeded),
	BOTH(hosts_question_for_a_pod_or_the_gateway_is_answered_with_the_gateways_mac),
	BOTH(hosts_question_for_others_goes_to_the_wire_or_is_ignored),
	TEST4(hosts_question_to_the_gateways_mac_does_not_leave),
	BOTH(control_threads_frame_goes_to_the_uplink_unchanged),
};

int main(void)
{
	return RUN_TESTS(tests);
}
