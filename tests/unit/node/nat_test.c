// Masquerading with real packets: a pod's namespace and one outside, the node between them. Needs
// root.
#include "ctrl/node/nat.h"

#include "netns_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct netns pod, outside;
static char why[LINK_WHY_MAX];

static void must(bool done)
{
	if (!done)
		exit(1);
}

// pod 10.1.0.5 ── strata0 (node) nattest1 ── 192.0.2.2 outside, which also has 10.2.0.9 of another
// Subnet of the cluster; the same in IPv6.
static int setup(void **)
{
	netns_new(&pod);
	netns_new(&outside);
	must(sh(NULL,
		"ip link add strata0 type veth peer name eth0 netns %d && "
		"ip link add nattest1 type veth peer name eth0 netns %d",
		pod.keeper, outside.keeper));
	must(sh(NULL,
		"sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1; "
		"ip link set strata0 up; ip link set nattest1 up; "
		"ip addr add 10.1.0.1/24 dev strata0; ip addr add fd00:1::1/64 dev strata0 nodad; "
		"ip addr add 192.0.2.1/24 dev nattest1; "
		"ip addr add fd00:99::1/64 dev nattest1 nodad; "
		"ip route add 10.2.0.0/24 via 192.0.2.2; ip route add fd00:2::/64 via fd00:99::2"));
	must(sh(&pod, "ip link set eth0 up; ip addr add 10.1.0.5/24 dev eth0; "
		      "ip addr add fd00:1::5/64 dev eth0 nodad; ip route add default via 10.1.0.1; "
		      "ip route add default via fd00:1::1"));
	must(sh(&outside,
		"ip link set eth0 up; ip addr add 192.0.2.2/24 dev eth0; "
		"ip addr add 10.2.0.9/24 dev eth0; ip addr add fd00:99::2/64 dev eth0 nodad; "
		"ip addr add fd00:2::9/64 dev eth0 nodad; "
		"ip route add 10.1.0.0/24 via 192.0.2.1; ip route add fd00:1::/64 via fd00:99::1"));
	return 0;
}

static int teardown(void **)
{
	netns_free(&pod);
	netns_free(&outside);
	(void)sh(NULL, "ip link del strata0 2>/dev/null; ip link del nattest1 2>/dev/null");
	(void)nat_clear(why);
	return 0;
}

static void text_of(const struct sockaddr_storage *addr, char *text, socklen_t len)
{
	const void *ip = addr->ss_family == AF_INET
				 ? (const void *)&((const struct sockaddr_in *)addr)->sin_addr
				 : (const void *)&((const struct sockaddr_in6 *)addr)->sin6_addr;

	assert_non_null(inet_ntop(addr->ss_family, ip, text, len));
}

// Sends a datagram from the pod and checks which source address arrives outside, and that an answer
// comes back.
static void assert_seen_as(const char *from, const char *to, const char *seen)
{
	static int port = 7000; // each case is a new flow
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	char text[INET6_ADDRSTRLEN];
	int in = udp_socket(&pod, from, ++port);
	int out = udp_socket(&outside, to, port);
	char byte = 'x';

	assert_int_equal(getsockname(out, (struct sockaddr *)&addr, &len), 0);
	assert_int_equal(sendto(in, &byte, 1, 0, (struct sockaddr *)&addr, len), 1);
	len = sizeof(addr);
	assert_int_equal(recvfrom(out, &byte, 1, 0, (struct sockaddr *)&addr, &len), 1);
	text_of(&addr, text, sizeof(text));
	assert_string_equal(text, seen);
	assert_int_equal(sendto(out, &byte, 1, 0, (struct sockaddr *)&addr, len), 1);
	assert_int_equal(recv(in, &byte, 1, 0), 1);
	close(in);
	close(out);
}

static struct cidr cidr(const char *text)
{
	struct cidr c;

	assert_int_equal(cidr_parse(text, &c), 0);
	return c;
}

static void set(const struct cidr *nat, size_t n_nat, const struct cidr *cluster, size_t n_cluster)
{
	if (nat_set("strata0", nat, n_nat, cluster, n_cluster, why) < 0)
		fail_msg("%s", why);
}

static void pods_leave_the_cluster_with_the_nodes_address(void **)
{
	struct cidr nat[] = {cidr("10.1.0.0/24"), cidr("fd00:1::/64")};
	struct cidr cluster[] = {cidr("10.1.0.0/24"), cidr("fd00:1::/64"), cidr("10.2.0.77/24"),
		cidr("fd00:2::/64"), cidr("10.2.0.0/25")};

	set(nat, 2, cluster, 5);
	assert_seen_as("10.1.0.5", "192.0.2.2", "192.0.2.1");
	assert_seen_as("fd00:1::5", "fd00:99::2", "fd00:99::1");
}

static void pods_keep_their_address_inside_the_cluster(void **)
{
	struct cidr nat[] = {cidr("10.1.0.0/24"), cidr("fd00:1::/64")};
	struct cidr cluster[] = {
		cidr("10.1.0.0/24"), cidr("fd00:1::/64"), cidr("10.2.0.0/24"), cidr("fd00:2::/64")};

	set(nat, 2, cluster, 4);
	assert_seen_as("10.1.0.5", "10.2.0.9", "10.1.0.5");
	assert_seen_as("fd00:1::5", "fd00:2::9", "fd00:1::5");
}

static void subnets_without_nat_keep_their_address(void **)
{
	struct cidr nat[] = {cidr("10.9.0.0/24")};
	struct cidr cluster[] = {cidr("10.1.0.0/24"), cidr("10.9.0.0/24")};

	set(nat, 1, cluster, 2);
	assert_seen_as("10.1.0.5", "192.0.2.2", "10.1.0.5");
	assert_seen_as("fd00:1::5", "fd00:99::2", "fd00:1::5");
}

static void later_set_replaces_the_earlier_one(void **)
{
	struct cidr one[] = {cidr("10.1.0.0/24")};

	set(one, 1, one, 1);
	assert_seen_as("10.1.0.5", "192.0.2.2", "192.0.2.1");
	set(NULL, 0, NULL, 0);
	assert_seen_as("10.1.0.5", "192.0.2.2", "10.1.0.5");
	set(one, 1, one, 1);
	set(one, 1, one, 1);
	assert_true(sh(NULL, "test $(nft list table inet strata | grep -c masquerade) = 1"));
}

static void tables_of_others_stay(void **)
{
	struct cidr one[] = {cidr("10.1.0.0/24")};

	assert_true(sh(NULL, "nft add table inet nattest"));
	set(one, 1, one, 1);
	assert_int_equal(nat_clear(why), 0);
	assert_int_equal(nat_clear(why), 0);
	assert_true(sh(
		NULL, "nft list tables | grep -q nattest && ! nft list tables | grep -q strata"));
	assert_true(sh(NULL, "nft delete table inet nattest"));
}

static void refusal_leaves_the_table_as_it_was(void **)
{
	struct cidr one[] = {cidr("10.1.0.0/24")};

	set(one, 1, one, 1);
	assert_true(nat_set("a name that is far too long", one, 1, one, 1, why) < 0);
	assert_non_null(strstr(why, "nftables"));
	assert_seen_as("10.1.0.5", "192.0.2.2", "192.0.2.1");
}

int main(void)
{
#define NAT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		NAT_TEST(pods_leave_the_cluster_with_the_nodes_address),
		NAT_TEST(pods_keep_their_address_inside_the_cluster),
		NAT_TEST(subnets_without_nat_keep_their_address),
		NAT_TEST(later_set_replaces_the_earlier_one),
		NAT_TEST(tables_of_others_stay),
		NAT_TEST(refusal_leaves_the_table_as_it_was),
	};

	netns_isolate();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
