// What the FIB says on the uplink's VLANs and what it makes of the answers: real workers, frames
// compared byte by byte.
#include "tests/unit/node/fib_networks.h"

#include "tests/unit/dataplane/eal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t mac_station[6] = {0x52, 0x54, 0, 0, 0, 0x77};
static const uint8_t mac_other[6] = {0x52, 0x54, 0, 0, 0, 0x78};

static int setup_wire(void **state)
{
	(void)setup(state);
	put_subnet(&w, "wire6", "under", "fd56::/64", "fd56::fe", -1);
	return 0;
}

static struct test_pod attach_wire(struct fib_pod *ret_pod)
{
	put_ip(&w, "wire", "under", "192.168.56.7/24", "node-1", "web-0");
	fib_pod_make(&w, ret_pod, "web-0", "192.168.56.7", "wire", NULL, NULL, false);
	return attach(&w, ret_pod);
}

static bool has_way(void *arg)
{
	const struct route *r = route(&w, arg);
	return r != NULL && (r->kind == ROUTE_NEIGHBOUR || r->neighbour != NEXTHOP_NONE);
}

static char station[] = "192.168.56.77"; // not const: an argument of has_way

// ── Asking ─────────────────────────────────────────────────────────────────────────────────────

static void a_gateway_is_asked_for_in_the_name_of_a_pod_of_its_subnet(void **)
{
	struct fib_pod p;

	assert_int_equal(count_frames(&w, 100), 0); // nobody can ask yet
	(void)attach_wire(&p);
	expect_arp_request(&w, 56, "192.168.56.7", "192.168.56.254");
	give_arp_reply(&w, 56, "192.168.56.254", mac_router);

	uint32_t gateway = subnet(&w, "wire")->gateway;
	wait_nexthop(gateway, NEXTHOP_NEIGHBOUR, mac_router);
	assert_int_equal(nexthop(&w, gateway)->vlan, 56);
	assert_int_equal(nexthop(&w, gateway)->mtu, 1500);
}

static void an_answer_on_another_vlan_is_no_answer(void **)
{
	struct fib_pod p;

	put(&w, "{" API "\"kind\":\"Network\",\"metadata\":{\"name\":\"loose\"},\"spec\":{"
		"\"type\":\"Underlay\",\"nodeSelector\":{\"net\":\"a\"}}}");
	put_subnet(&w, "wire-57", "loose", "192.168.57.0/24", "192.168.57.254", 57);
	(void)attach_wire(&p);
	expect_arp_request(&w, 56, "192.168.56.7", "192.168.56.254");
	give_arp_reply(&w, 57, "192.168.56.254", mac_other);
	world_for(&w, 100);

	assert_int_equal(nexthop(&w, subnet(&w, "wire")->gateway)->kind, NEXTHOP_UNRESOLVED);
}

static void an_ipv6_gateway_is_asked_for_from_the_pod_s_global_address(void **)
{
	struct fib_pod p;

	put_ip(&w, "wire6", "under", "fd56::7/64", "node-1", "web-0");
	fib_pod_make(&w, &p, "web-0", NULL, NULL, "fd56::7", "wire6", false);
	(void)attach(&w, &p);
	expect_solicitation(&w, 56, "fd56::7", "fd56::fe");
	give_advertisement(&w, 56, "fd56::fe", "fd56::7", mac_router);

	wait_nexthop(subnet(&w, "wire6")->gateway, NEXTHOP_NEIGHBOUR, mac_router);
}

static void a_station_that_a_pod_talks_to_is_asked_for_and_gets_a_route(void **)
{
	struct fib_pod p;
	struct test_pod t = attach_wire(&p);

	give_ip4(&w, &t, &p, station);
	expect_arp_request(&w, 56, "192.168.56.7", station);
	assert_null(route(&w, station)); // what is only asked for costs the tables nothing
	give_arp_reply(&w, 56, station, mac_station);
	world_until(&w, has_way, station);

	assert_int_equal(route(&w, station)->kind, ROUTE_NEIGHBOUR);
	assert_int_equal(route(&w, station)->vlan, 56);
	wait_nexthop(route(&w, station)->nexthop, NEXTHOP_NEIGHBOUR, mac_station);

	discard(&w, w.uplink);
	give_ip4(&w, &t, &p, station);
	uint8_t frame[FRAME_MAX];
	const uint8_t tag_and_type[6] = {0x81, 0, 0, 56, 0x08, 0};
	(void)take(&w, w.uplink, frame);
	assert_memory_equal(frame, mac_station, 6);
	assert_memory_equal(&frame[6], uplink_mac, 6);
	assert_memory_equal(&frame[12], tag_and_type, 6);
}

static void a_silent_station_is_asked_for_three_times_and_then_has_failed(void **)
{
	struct fib_pod p;
	struct test_pod t = attach_wire(&p);

	give_ip4(&w, &t, &p, station);
	for (int i = 0; i < 3; i++)
		expect_arp_request(&w, 56, "192.168.56.7", station);
	world_until(&w, has_way, station);

	assert_int_equal(nexthop(&w, route(&w, station)->nexthop)->kind, NEXTHOP_FAILED);
}

static void another_node_s_underlay_pod_is_asked_for_on_the_wire_again_when_it_moves(void **)
{
	struct fib_pod p;
	struct test_pod t = attach_wire(&p);

	put_ip(&w, "wire", "under", "192.168.56.77/24", "node-2", "db-0");
	give_ip4(&w, &t, &p, station);
	expect_arp_request(&w, 56, "192.168.56.7", station);
	give_arp_reply(&w, 56, station, mac_station);
	world_until(&w, has_way, station);
	assert_int_equal(route(&w, station)->kind, ROUTE_REMOTE_POD);
	uint32_t id = route(&w, station)->neighbour;
	wait_nexthop(id, NEXTHOP_NEIGHBOUR, mac_station);

	discard(&w, w.uplink);
	put_ip(&w, "wire", "under", "192.168.56.77/24", "node-3", "db-0");
	expect_arp_request(&w, 56, "192.168.56.7", station);
	assert_int_equal(nexthop(&w, id)->kind, NEXTHOP_NEIGHBOUR); // the old way until the answer
	give_arp_reply(&w, 56, station, mac_other);
	wait_nexthop(id, NEXTHOP_NEIGHBOUR, mac_other);
	assert_int_equal(route(&w, station)->neighbour, id);
}

static void a_pod_that_announces_itself_elsewhere_is_believed(void **)
{
	struct fib_pod p;
	struct test_pod t = attach_wire(&p);

	give_ip4(&w, &t, &p, station);
	expect_arp_request(&w, 56, "192.168.56.7", station);
	give_arp_reply(&w, 56, station, mac_station);
	world_until(&w, has_way, station);
	give_arp_reply(&w, 56, station, mac_other);

	wait_nexthop(route(&w, station)->nexthop, NEXTHOP_NEIGHBOUR, mac_other);
}

// ── Announcing ─────────────────────────────────────────────────────────────────────────────────

static void an_underlay_pod_is_announced_three_times_in_both_forms(void **)
{
	struct fib_pod p;

	(void)attach_wire(&p);
	for (int i = 0; i < 3; i++)
		expect_announcement(&w, 56, "192.168.56.7");
	assert_int_equal(count_announcements(&w, 56, "192.168.56.7", 1500), 0);
}

static void an_ipv6_pod_is_announced_by_unsolicited_advertisements(void **)
{
	struct fib_pod p;

	put_ip(&w, "wire6", "under", "fd56::7/64", "node-1", "web-0");
	fib_pod_make(&w, &p, "web-0", NULL, NULL, "fd56::7", "wire6", false);
	(void)attach(&w, &p);
	for (int i = 0; i < 3; i++)
		expect_unsolicited_advertisement(&w, 56, "fd56::7");
}

static void a_pod_that_leaves_is_announced_no_more(void **)
{
	struct fib_pod p;
	struct test_pod t = attach_wire(&p);

	expect_announcement(&w, 56, "192.168.56.7");
	detach(&w, &t);
	discard(&w, w.uplink);
	assert_int_equal(count_announcements(&w, 56, "192.168.56.7", 1500), 0);
}

static void an_address_that_comes_to_this_node_is_announced_and_goes_quietly(void **)
{
	struct fib_pod p;

	put_ip(&w, "wire", "under", "192.168.56.7/24", "node-2", "web-0");
	fib_pod_make(&w, &p, "web-0", "192.168.56.7", "wire", NULL, NULL, false);
	(void)attach(&w, &p);
	assert_int_equal(count_announcements(&w, 56, "192.168.56.7", 100), 0);

	put_ip(&w, "wire", "under", "192.168.56.7/24", "node-1", "web-0");
	expect_announcement(&w, 56, "192.168.56.7");
	put_ip(&w, "wire", "under", "192.168.56.7/24", "node-2", "web-0");
	discard(&w, w.uplink);
	assert_int_equal(count_announcements(&w, 56, "192.168.56.7", 1500), 0);
}

static void an_overlay_pod_is_not_heard_of_on_the_wire(void **)
{
	struct fib_pod p;

	put_ip(&w, "over", "overlay", "100.64.0.7/16", "node-1", "web-0");
	fib_pod_make(&w, &p, "web-0", "100.64.0.7", "over", NULL, NULL, true);
	(void)attach(&w, &p);

	assert_int_equal(count_frames(&w, 200), 0);
}

// ── The checks before a pod comes up ───────────────────────────────────────────────────────────

struct verdict {
	bool is_there;
	int err;
	char message[256];
};

static void take_verdict(void *arg, int err, const char *message)
{
	struct verdict *v = arg;

	assert_false(v->is_there);
	v->is_there = true;
	v->err = err;
	(void)snprintf(v->message, sizeof(v->message), "%s", message != NULL ? message : "");
}

static bool has_verdict(void *arg)
{
	const struct verdict *v = arg;
	return v->is_there;
}

static void begin_check(struct verdict *v, uint32_t timeout_ms)
{
	struct fib_pod p;

	*v = (struct verdict){0};
	fib_pod_make(&w, &p, "web-0", "192.168.56.7", "wire", NULL, NULL, false);
	fib_check_underlay(w.fib, &p, timeout_ms, take_verdict, v);
}

static void an_address_is_free_if_its_gateway_answers_and_nobody_else(void **)
{
	struct verdict v;

	begin_check(&v, PATIENCE_MS / 2);
	expect_arp_request(&w, 56, "0.0.0.0", "192.168.56.254"); // not in the name of a duplicate
	give_arp_reply(&w, 56, "192.168.56.254", mac_router);
	world_until(&w, has_verdict, &v);

	assert_int_equal(v.err, 0);
}

static void a_duplicate_is_found_and_named(void **)
{
	struct verdict v;

	begin_check(&v, PATIENCE_MS / 2);
	expect_arp_request(&w, 56, "0.0.0.0", "192.168.56.7");
	give_arp_reply(&w, 56, "192.168.56.7", mac_station);
	world_until(&w, has_verdict, &v);

	assert_int_equal(v.err, -EADDRINUSE);
	assert_non_null(strstr(v.message, "192.168.56.7"));
	assert_non_null(strstr(v.message, "VLAN 56"));
	assert_non_null(strstr(v.message, "52:54:00:00:00:77"));
}

static void a_silent_gateway_is_asked_three_times_and_named(void **)
{
	struct verdict v;

	begin_check(&v, 600);
	expect_arp_request(&w, 56, "0.0.0.0", "192.168.56.254");
	expect_arp_request(&w, 56, "192.168.56.7", "192.168.56.254");
	expect_arp_request(&w, 56, "192.168.56.7", "192.168.56.254");
	world_until(&w, has_verdict, &v);

	assert_int_equal(v.err, -EHOSTUNREACH);
	assert_non_null(strstr(v.message, "192.168.56.254"));
	assert_non_null(strstr(v.message, "VLAN 56"));
}

static void a_check_that_is_under_way_is_answered_when_the_daemon_stops(void **)
{
	struct verdict v;

	begin_check(&v, PATIENCE_MS);
	world_close(&w);
	assert_true(v.is_there);
	assert_int_equal(v.err, -ECANCELED);
	(void)setup_wire(NULL); // teardown wants a world
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup_wire, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_gateway_is_asked_for_in_the_name_of_a_pod_of_its_subnet),
		TEST(an_answer_on_another_vlan_is_no_answer),
		TEST(an_ipv6_gateway_is_asked_for_from_the_pod_s_global_address),
		TEST(a_station_that_a_pod_talks_to_is_asked_for_and_gets_a_route),
		TEST(a_silent_station_is_asked_for_three_times_and_then_has_failed),
		TEST(another_node_s_underlay_pod_is_asked_for_on_the_wire_again_when_it_moves),
		TEST(a_pod_that_announces_itself_elsewhere_is_believed),
		TEST(an_underlay_pod_is_announced_three_times_in_both_forms),
		TEST(an_ipv6_pod_is_announced_by_unsolicited_advertisements),
		TEST(a_pod_that_leaves_is_announced_no_more),
		TEST(an_address_that_comes_to_this_node_is_announced_and_goes_quietly),
		TEST(an_overlay_pod_is_not_heard_of_on_the_wire),
		TEST(an_address_is_free_if_its_gateway_answers_and_nobody_else),
		TEST(a_duplicate_is_found_and_named),
		TEST(a_silent_gateway_is_asked_three_times_and_named),
		TEST(a_check_that_is_under_way_is_answered_when_the_daemon_stops),
	};

	eal_start("fibwire", "0@0,1@0");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
