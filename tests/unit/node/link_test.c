// Devices, namespaces and routes against the kernel. Needs root; the node is the test's own network
// namespace, the pod another.
#include "ctrl/node/link.h"

#include "netns_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct netns pod_ns;
static char why[LINK_WHY_MAX];

static struct in6_addr ip(const char *text)
{
	char mapped[64];
	struct in6_addr a;

	(void)snprintf(
		mapped, sizeof(mapped), "%s%s", strchr(text, ':') == NULL ? "::ffff:" : "", text);
	assert_int_equal(inet_pton(AF_INET6, mapped, &a), 1);
	return a;
}

static struct link_pod a_pod(void)
{
	struct link_pod pod = {.ifname = "eth0",
		.host_ifname = "linktest0",
		.mac = {0x02, 0x12, 0x34, 0x56, 0x78, 0x9a},
		.mtu = 1450,
		.n_addr = 2};

	(void)snprintf(pod.netns, sizeof(pod.netns), "%s", pod_ns.path);
	pod.addr[0] = (struct link_address){ip("10.16.0.5"), 16};
	pod.addr[1] = (struct link_address){ip("fd00:16::5"), 64};
	return pod;
}

static int setup(void **)
{
	netns_new(&pod_ns);
	return 0;
}

static int teardown(void **)
{
	netns_free(&pod_ns);
	(void)sh(NULL, "ip link del linktest0 2>/dev/null");
	(void)sh(NULL, "ip link del linkhost0 2>/dev/null");
	return 0;
}

static int create(const struct link_pod *pod)
{
	int ifindex = 0;
	int ret;

	ret = link_pod_create(pod, &ifindex, why);
	if (ret < 0)
		fail_msg("%s", why);
	return ifindex;
}

static void pod_has_what_the_forwarding_rules_promise(void **)
{
	struct link_pod pod = a_pod();
	int ifindex;

	// As container runtimes leave a namespace.
	assert_true(sh(&pod_ns, "ip link set lo down; sysctl -qw net.ipv6.conf.all.disable_ipv6=1 "
				"net.ipv6.conf.default.disable_ipv6=1"));
	ifindex = create(&pod);
	assert_int_equal(ifindex, if_nametoindex("linktest0"));
	assert_true(sh(&pod_ns, "ip link show eth0 | grep -q \"mtu 1450.* state UP\""));
	assert_true(sh(&pod_ns, "ip link show eth0 | grep -q 02:12:34:56:78:9a"));
	assert_true(sh(&pod_ns, "ip link show lo | grep -q LOOPBACK,UP"));
	assert_true(
		sh(&pod_ns, "ip addr show eth0 | grep -q \"inet 10.16.0.5/16 .*noprefixroute\""));
	assert_true(
		sh(&pod_ns, "ip addr show eth0 | grep -q \"inet6 fd00:16::5/64 .*noprefixroute\""));
	assert_true(sh(&pod_ns, "! ip addr show eth0 | grep -q tentative"));
	assert_true(sh(&pod_ns, "ip addr show eth0 | grep -q \"inet6 fe80.*scope link\""));
	assert_true(sh(&pod_ns,
		"test \"$(ip -4 route | sed \"s/ proto 157//; s/ *$//\")\" = "
		"\"default via 169.254.1.1 dev eth0\n169.254.1.1 dev eth0 scope link\""));
	assert_true(sh(&pod_ns,
		"ip -6 route | grep -q \"^default via fe80::ecee:eeff:feee:eeee dev eth0\""));
	assert_true(sh(&pod_ns, "! ip -6 route | grep fd00:16::/64"));
	assert_int_equal(link_pod_check(&pod, why), 0);
}

static void node_end_has_no_address_and_no_ipv6(void **)
{
	struct link_pod pod = a_pod();

	create(&pod);
	assert_true(sh(NULL, "ip link show linktest0 | grep -q 'mtu 1450.* state UP'"));
	assert_true(sh(NULL, "test -z \"$(ip -o addr show dev linktest0)\""));
	assert_true(sh(NULL, "ethtool -k linktest0 | grep -q 'generic-receive-offload: off'"));
}

static void ipv4_pod_gets_no_ipv6_route(void **)
{
	struct link_pod pod = a_pod();

	pod.n_addr = 1;
	create(&pod);
	assert_true(sh(&pod_ns, "! ip -6 route | grep -q default"));
	assert_int_equal(link_pod_check(&pod, why), 0);
}

static void create_leaves_a_right_pair_alone(void **)
{
	struct link_pod pod = a_pod();
	int ifindex = create(&pod);

	assert_int_equal(create(&pod), ifindex);
}

static void create_replaces_a_pair_that_is_not_right(void **)
{
	struct link_pod pod = a_pod();
	int ifindex = create(&pod);

	pod.mac[5] = 0x9b;
	assert_int_not_equal(create(&pod), ifindex);
	assert_true(sh(&pod_ns, "ip link show eth0 | grep -q 02:12:34:56:78:9b"));
	assert_int_equal(link_pod_check(&pod, why), 0);
}

static void name_that_is_taken_in_the_pod_is_refused_and_stays(void **)
{
	struct link_pod pod = a_pod();
	int ifindex = -1;

	assert_true(sh(&pod_ns, "ip link add eth0 type bridge"));
	assert_int_equal(link_pod_create(&pod, &ifindex, why), -EEXIST);
	assert_non_null(strstr(why, "'eth0'"));
	assert_int_equal(ifindex, -1);
	assert_true(sh(&pod_ns, "ip link show eth0 >/dev/null"));
	assert_int_equal(link_index("linktest0"), -ENODEV);
}

static void namespace_that_is_gone_is_told_apart(void **)
{
	struct link_pod pod = a_pod();
	int ifindex;

	(void)snprintf(pod.netns, sizeof(pod.netns), "/run/netns/linktest-none");
	assert_int_equal(link_pod_create(&pod, &ifindex, why), -ENOENT);
	assert_non_null(strstr(why, "/run/netns/linktest-none"));
	assert_int_equal(link_pod_check(&pod, why), -ENOENT);
}

static void namespace_is_gone_when_its_process_has_ended_or_it_was_unmounted(void **)
{
	char file[] = "/tmp/link-test-XXXXXX", below[64];
	struct netns ended;

	netns_new(&ended);
	assert_false(netns_is_gone(ended.path));
	netns_free(&ended);
	assert_true(netns_is_gone(ended.path));

	int fd = mkstemp(file);
	assert_true(fd >= 0);
	(void)snprintf(below, sizeof(below), "%s/x", file);
	bool unmounted = netns_is_gone(file), cannot_tell = netns_is_gone(below);
	close(fd);
	(void)unlink(file);
	assert_true(unmounted);
	assert_false(cannot_tell);
}

static void failure_half_way_leaves_nothing_behind(void **)
{
	struct link_pod pod = a_pod();
	int ifindex;

	pod.addr[0].prefix_len = 33;
	assert_true(link_pod_create(&pod, &ifindex, why) < 0);
	assert_non_null(strstr(why, "address"));
	assert_int_equal(link_index("linktest0"), -ENODEV);
	assert_true(sh(&pod_ns, "! ip link show eth0 2>/dev/null"));
}

static void check_names_what_is_missing(void **)
{
	static const struct {
		const char *damage;
		const char *word;
	} cases[] = {
		{"ip -4 route del default", "default route"},
		{"ip -6 route del default", "default route"},
		{"ip addr del 10.16.0.5/16 dev eth0", "address"},
		{"ip addr del fd00:16::5/64 dev eth0", "address"},
		{"ip link set eth0 down", "down"},
		{"ip link set eth0 address 02:00:00:00:00:01", "MAC"},
		{"ip link set eth0 name eth7", "no device"},
		{"ip link del eth0", "no device"},
	};
	struct link_pod pod = a_pod();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		create(&pod);
		assert_int_equal(link_pod_check(&pod, why), 0);
		assert_true(sh(&pod_ns, "%s", cases[i].damage));
		assert_true(link_pod_check(&pod, why) < 0);
		assert_non_null(strstr(why, cases[i].word));
		assert_int_equal(link_delete("linktest0", why), 0);
	}
}

static void calling_thread_stays_in_its_namespace(void **)
{
	struct link_pod pod = a_pod();
	char before[64] = "", after[64] = "";

	assert_true(readlink("/proc/thread-self/ns/net", before, sizeof(before) - 1) > 0);
	create(&pod);
	(void)link_pod_check(&pod, why);
	assert_true(readlink("/proc/thread-self/ns/net", after, sizeof(after) - 1) > 0);
	assert_string_equal(before, after);
}

// A pod's kernel would leave a large datagram in one piece, without a checksum, if it could.
static void frames_of_a_pod_are_complete(void **)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
	struct sockaddr_ll any = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	struct timeval patience = {.tv_sec = 1};
	static uint8_t data[14000];
	struct link_pod pod = a_pod();
	int segment = 1400, on = 1, fd, raw;

	any.sll_ifindex = create(&pod);
	assert_true(sh(&pod_ns, "ip neigh add 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0"));
	raw = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	assert_int_equal(bind(raw, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(setsockopt(raw, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)), 0);
	assert_int_equal(setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	fd = udp_socket(&pod_ns, "10.16.0.5", 9);
	assert_int_equal(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment)), 0);
	(void)inet_pton(AF_INET, "192.0.2.1", &to.sin_addr);
	assert_int_equal(sendto(fd, data, sizeof(data), 0, (struct sockaddr *)&to, sizeof(to)),
		sizeof(data));
	for (int got = 0; got < 10;) {
		char control[256];
		struct iovec iov = {data, sizeof(data)};
		struct msghdr msg = {.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control)};
		struct tpacket_auxdata aux;
		ssize_t len = recvmsg(raw, &msg, 0);

		assert_true(len > 0);
		if (data[12] != 0x08 || data[13] != 0x00)
			continue; // the kernel's own neighbour discovery
		assert_int_equal(len, 14 + 20 + 8 + 1400);
		memcpy(&aux, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(aux));
		assert_false(aux.tp_status & TP_STATUS_CSUMNOTREADY);
		got++;
	}
	close(fd);
	close(raw);
}

static void delete_succeeds_when_there_is_nothing_and_spares_other_devices(void **)
{
	assert_int_equal(link_delete("linktest0", why), 0);
	assert_true(sh(NULL, "ip link add linktest0 type bridge"));
	assert_int_equal(link_delete("linktest0", why), -EEXIST);
	assert_true(link_index("linktest0") > 0);
	assert_int_equal(link_delete("lo", why), -EEXIST);
}

static struct link_host a_host(const struct link_address *addr, size_t n)
{
	return (struct link_host){.ifname = "linkhost0",
		.peer = "linkhost0-sw",
		.mac = {0x02, 0xaa, 0, 0, 0, 1},
		.mtu = 1500,
		.addr = addr,
		.n_addr = n,
		.gateway4 = ip("192.168.5.1"),
		.gateway6 = ip("fd00:5::1")};
}

static void host_port_carries_the_nodes_addresses(void **)
{
	struct link_address addr[] = {{ip("192.168.5.10"), 24}, {ip("fd00:5::10"), 64}};
	struct link_host host = a_host(addr, 2);
	uint8_t mac[6] = {0};
	int peer = 0;

	for (int i = 0; i < 2; i++) { // the second replaces what the first left
		if (link_host_create(&host, &peer, mac, why) < 0)
			fail_msg("%s", why);
		assert_int_equal(peer, if_nametoindex("linkhost0-sw"));
		assert_memory_equal(mac, host.mac, 6);
		assert_true(sh(NULL, "ip link show linkhost0 | grep -q 02:aa:00:00:00:01"));
		assert_true(sh(NULL, "ip addr show linkhost0 | grep -q 'inet 192.168.5.10/24'"));
		assert_true(sh(NULL, "ip addr show linkhost0 | grep -q 'inet6 fd00:5::10/64'"));
		assert_true(sh(NULL, "! ip addr show linkhost0 scope global | grep -q tentative"));
		assert_true(sh(NULL, "test -z \"$(ip -o addr show dev linkhost0-sw)\""));
		assert_true(
			sh(NULL, "ip -4 route | grep -q 'default via 192.168.5.1 dev linkhost0'"));
		assert_true(
			sh(NULL, "ip -6 route | grep -q 'default via fd00:5::1 dev linkhost0'"));
		assert_true(sh(NULL, "ip neigh show dev linkhost0 nud permanent | "
				     "grep -q '169.254.1.1 lladdr ee:ee:ee:ee:ee:ee'"));
		assert_true(
			sh(NULL, "ip neigh show dev linkhost0 nud permanent | "
				 "grep -q 'fe80::ecee:eeff:feee:eeee lladdr ee:ee:ee:ee:ee:ee'"));
	}
	// The kernel makes the link-local address ready in a thread of its own.
	assert_true(sh(NULL, "test $(cat /proc/sys/net/ipv6/conf/linkhost0/accept_dad) = 0"));
	assert_true(sh(NULL, "test $(cat /proc/sys/net/ipv4/conf/linkhost0/rp_filter) = 2"));
	assert_true(sh(NULL, "test $(cat /proc/sys/net/ipv4/conf/linkhost0/send_redirects) = 0"));
	assert_true(sh(NULL, "test $(cat /proc/sys/net/ipv4/ip_forward) = 1"));
	assert_true(sh(NULL, "test $(cat /proc/sys/net/ipv6/conf/all/forwarding) = 1"));
	assert_true(sh(NULL, "ethtool -k linkhost0 | grep -q 'tx-checksumming: off'"));
}

static void host_port_without_a_mac_gets_the_kernels(void **)
{
	struct link_host host = {.ifname = "linkhost0", .peer = "linkhost0-sw", .mtu = 1400};
	static const uint8_t none[6];
	uint8_t mac[6] = {0};
	int peer;

	assert_int_equal(link_host_create(&host, &peer, mac, why), 0);
	assert_memory_not_equal(mac, none, 6);
}

static void host_port_does_not_replace_a_foreign_device(void **)
{
	struct link_host host = a_host(NULL, 0);
	uint8_t mac[6];
	int peer;

	assert_true(sh(NULL, "ip link add linkhost0 type bridge"));
	assert_int_equal(link_host_create(&host, &peer, mac, why), -EEXIST);
	assert_non_null(strstr(why, "host.interface"));
	assert_int_equal(link_index("linkhost0-sw"), -ENODEV);
}

static void routes_to_pods_go_by_the_host_port(void **)
{
	struct link_address addr[] = {{ip("192.168.5.10"), 24}, {ip("fd00:5::10"), 64}};
	struct link_address pod4 = {ip("10.16.0.5"), 32}, pod6 = {ip("fd00:16::5"), 128};
	struct in6_addr none = {0}, src4 = ip("192.168.5.10"), src6 = ip("fd00:5::10");
	struct link_host host = a_host(addr, 2);
	uint8_t mac[6];
	int peer;

	assert_int_equal(link_host_create(&host, &peer, mac, why), 0);
	for (int i = 0; i < 2; i++) {
		if (link_route_add("linkhost0", &pod4, &src4, why) < 0 ||
			link_route_add("linkhost0", &pod6, &src6, why) < 0)
			fail_msg("%s", why);
		assert_true(sh(NULL, "ip route get 10.16.0.5 | grep -q "
				     "'via 169.254.1.1 dev linkhost0 src 192.168.5.10'"));
		assert_true(sh(NULL, "ip route get fd00:16::5 | grep "
				     "'via fe80::ecee:eeff:feee:eeee dev linkhost0' | "
				     "grep -q 'src fd00:5::10'"));
	}
	assert_int_equal(link_route_add("linkhost0", &pod4, &none, why), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(link_route_del("linkhost0", &pod4, why), 0);
		assert_int_equal(link_route_del("linkhost0", &pod6, why), 0);
		assert_true(sh(NULL, "! ip route | grep -q 10.16.0.5"));
		assert_true(sh(NULL, "! ip -6 route | grep -q fd00:16::5"));
	}
	assert_int_equal(link_route_add("linktest9", &pod4, &none, why), -ENODEV);
	assert_non_null(strstr(why, "10.16.0.5/32"));
	assert_int_equal(link_route_del("linktest9", &pod4, why), 0);
}

static bool among(const struct in6_addr *list, size_t n, const char *text)
{
	struct in6_addr a = ip(text);

	for (size_t i = 0; i < n; i++)
		if (memcmp(&list[i], &a, sizeof(a)) == 0)
			return true;
	return false;
}

static void nodes_addresses_are_the_global_ones(void **)
{
	struct in6_addr *list = NULL;
	size_t n = 0;

	assert_true(sh(NULL, "ip link add linktest0 type bridge && ip link set linktest0 up && "
			     "ip addr add 192.168.7.1/24 dev linktest0 && "
			     "ip addr add fd00:7::1/64 dev linktest0 nodad"));
	assert_int_equal(link_node_addresses(NULL, &list, &n), 0);
	assert_true(among(list, n, "192.168.7.1"));
	assert_true(among(list, n, "fd00:7::1"));
	assert_false(among(list, n, "127.0.0.1"));
	assert_false(among(list, n, "::1"));
	free(list);
	assert_int_equal(link_node_addresses("linktest0", &list, &n), 0);
	assert_false(among(list, n, "192.168.7.1"));
	free(list);
}

int main(void)
{
#define LINK_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		LINK_TEST(pod_has_what_the_forwarding_rules_promise),
		LINK_TEST(node_end_has_no_address_and_no_ipv6),
		LINK_TEST(ipv4_pod_gets_no_ipv6_route),
		LINK_TEST(create_leaves_a_right_pair_alone),
		LINK_TEST(create_replaces_a_pair_that_is_not_right),
		LINK_TEST(name_that_is_taken_in_the_pod_is_refused_and_stays),
		LINK_TEST(namespace_that_is_gone_is_told_apart),
		LINK_TEST(namespace_is_gone_when_its_process_has_ended_or_it_was_unmounted),
		LINK_TEST(failure_half_way_leaves_nothing_behind),
		LINK_TEST(check_names_what_is_missing),
		LINK_TEST(calling_thread_stays_in_its_namespace),
		LINK_TEST(frames_of_a_pod_are_complete),
		LINK_TEST(delete_succeeds_when_there_is_nothing_and_spares_other_devices),
		LINK_TEST(host_port_carries_the_nodes_addresses),
		LINK_TEST(host_port_without_a_mac_gets_the_kernels),
		LINK_TEST(host_port_does_not_replace_a_foreign_device),
		LINK_TEST(routes_to_pods_go_by_the_host_port),
		LINK_TEST(nodes_addresses_are_the_global_ones),
	};

	netns_isolate();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
