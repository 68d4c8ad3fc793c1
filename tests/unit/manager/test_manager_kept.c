// The manager on a dir store: what is kept over the lives of pods, managers and Subnets.
#include "tests/unit/manager/site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/store/loop.h"

static void a_stateful_pod_keeps_its_address_and_mac_over_its_lives(void **)
{
	struct site s;

	put_overlay();
	put_subnet("s", "4", "10.0.0.0/24", "");
	put_subnet("s6", "6", "fd00::/120", "");
	open_active(&s);
	create_pod(&s, "web-3", "node1", ANN("ip-family", "DualStack"), STATEFUL);
	struct ips before = ips_of(&s, "web-3", 2);
	expect_json(&s, KIND_IPINSTANCE, "x", "10-0-0-1", "\"stateful\":{\"index\":3}");
	expect_json(&s, KIND_IPINSTANCE, "x", "10-0-0-1",
		"\"referredObject\":{\"kind\":\"StatefulSet\",\"name\":\"web\"");
	assert_int_equal(do_delete(s.store, KIND_POD, "x", "web-3"), 0);
	expect_json(&s, KIND_IPINSTANCE, "x", "10-0-0-1",
		"\"stateful\":{\"index\":3},\"podName\":\"web-3\"}"); // and no node, no uid
	create_pod(&s, "a", "node1", "", "");
	expect_ip(&s, "a", "10.0.0.2");
	assert_null(cache_get(s.cache, KIND_POD, "x", "web-3"));
	create_pod(&s, "web-3", "node2", "", STATEFUL);
	struct ips after = ips_of(&s, "web-3", 2);
	assert_string_equal(after.text[0], before.text[0]);
	assert_string_equal(after.text[1], before.text[1]);
	assert_memory_equal(after.mac[0], before.mac[0], 6);
	expect_json(&s, KIND_IPINSTANCE, "x", "10-0-0-1", "\"nodeName\":\"node2\"");
	close_site(&s);
}

static void a_stateful_pod_that_does_not_retain_gives_its_address_back(void **)
{
	struct site s;

	open_overlay(&s);
	create_pod(&s, "web-0", "node1", ANN("ip-retain", "false"), STATEFUL);
	expect_ip(&s, "web-0", "10.0.0.1");
	assert_int_equal(do_delete(s.store, KIND_POD, "x", "web-0"), 0);
	expect_instances(&s, 0);
	create_pod(&s, "web-0", "node1", ANN("ip-retain", "false"), STATEFUL);
	expect_ip(&s, "web-0", "10.0.0.2");
	close_site(&s);
}

static void write_sandbox(struct site *s, const char *id)
{
	const struct store_name name = {
		.kind = KIND_IPINSTANCE, .namespace = "x", .name = "10-0-0-1"};
	char json[128];

	(void)snprintf(json, sizeof(json), "{\"status\":{\"sandboxID\":%s}}", id);
	assert_int_equal(do_patch(s->store, &name, json, true), 0);
}

static void an_address_of_an_evicted_pod_waits_until_its_port_is_gone(void **)
{
	const struct store_name pod = {.kind = KIND_POD, .namespace = "x", .name = "web-3"};
	struct site s;

	open_overlay(&s);
	create_pod(&s, "web-3", "node1", "", STATEFUL);
	expect_ip(&s, "web-3", "10.0.0.1");
	write_sandbox(&s, "\"sandbox\"");
	expect_json(&s, KIND_IPINSTANCE, "x", "10-0-0-1", "\"sandboxID\":\"sandbox\"");
	assert_int_equal(
		do_patch(s.store, &pod,
			"{\"status\":{\"phase\":\"Failed\",\"reason\":\"Evicted\"}}", true),
		0);
	loop_for(1500); // more than one try
	expect_json(&s, KIND_IPINSTANCE, "x", "10-0-0-1", "\"nodeName\":\"node1\"");
	write_sandbox(&s, "null");
	expect_json(&s, KIND_IPINSTANCE, "x", "10-0-0-1",
		"\"stateful\":{\"index\":3},\"podName\":\"web-3\"}"); // reserved
	close_site(&s);
}

static void another_takes_over_and_knows_everything(void **)
{
	struct site a, b;

	open_overlay(&a);
	open_site(&b);
	create_pod(&a, "p", "node1", "", "");
	create_pod(&a, "q", "node1", "", "");
	expect_ip(&a, "q", "10.0.0.2");
	assert_false(manager_active(b.manager));
	close_site(&a);
	create_pod(&b, "r", "node1", "", ""); // while nobody is active
	assert_true(loop_until(is_active, &b));
	expect_ip(&b, "p", "10.0.0.1");
	expect_ip(&b, "r", "10.0.0.3");
	assert_int_equal(do_delete(b.store, KIND_POD, "x", "p"), 0);
	expect_instances(&b, 2);
	close_site(&b);
}

static void a_restart_sweeps_what_lost_its_pod_but_not_what_a_person_wrote(void **)
{
	struct site s;

	open_overlay(&s);
	create_pod(&s, "p", "node1", "", "");
	create_pod(&s, "q", "node1", "", "");
	expect_ip(&s, "q", "10.0.0.2");
	expect_status(&s, KIND_SUBNET, "s", "\"lastAllocatedIP\":\"10.0.0.2\"");
	close_site(&s);
	remove_file("pods/x/p.yaml");
	put_file("byhand.yaml", API "kind: IPInstance\nmetadata: {name: 10-0-0-3, namespace: x}\n"
				    "spec: {network: n, subnet: s, address: {version: \"4\", ip: "
				    "10.0.0.3/24, mac: \"02:00:00:00:00:01\"},"
				    " binding: {referredObject: {kind: Pod, name: far, uid: u}, "
				    "nodeName: far, podName: far, podUID: u}}\n");
	open_active(&s);
	expect_instances(&s, 2);
	expect_ip(&s, "q", "10.0.0.2");
	assert_non_null(cache_get(s.cache, KIND_IPINSTANCE, "x", "10-0-0-3"));
	create_pod(&s, "r", "node1", "", "");
	expect_ip(&s, "r", "10.0.0.4"); // neither the one by hand nor one twice
	close_site(&s);
}

static void half_of_a_dual_stack_pod_is_made_whole(void **)
{
	struct site s;

	put_overlay();
	put_subnet("s", "4", "10.0.0.0/24", "");
	put_subnet("s6", "6", "fd00::/120", "");
	conf.default_ip_family = "DualStack";
	open_active(&s);
	create_pod(&s, "p", "node1", "", "");
	(void)ips_of(&s, "p", 2);
	close_site(&s);
	remove_file("ipinstances/x/10-0-0-1.yaml");
	open_active(&s);
	struct ips ips = ips_of(&s, "p", 2);
	assert_memory_equal(ips.mac[0], ips.mac[1], 6);
	expect_instances(&s, 2);
	close_site(&s);
}

static void a_subnet_removed_in_use_comes_back_until_its_last_user_is_gone(void **)
{
	struct site s;

	open_overlay(&s);
	create_pod(&s, "a", "node1", "", "");
	expect_ip(&s, "a", "10.0.0.1");
	remove_file("s.yaml");
	expect_status(&s, KIND_SUBNET, "s",
		"its file was removed while it was in use: it goes with its last user");
	assert_true(has_file("subnets/s.yaml"));
	create_pod(&s, "b", "node1", "", ""); // no new users
	expect_failure(&s, "b", "fail to get ipv4 subnet: no available subnet");
	close_site(&s);

	open_active(&s); // nor is it lost by a restart
	expect_ip(&s, "a", "10.0.0.1");
	put_subnet("s", "4", "10.0.0.0/24", ""); // a change of mind
	expect_ip(&s, "b", "10.0.0.2");
	assert_false(has_file("subnets/s.yaml"));
	expect_status(&s, KIND_SUBNET, "s", "\"type\":\"Accepted\",\"status\":\"True\"");
	remove_file("s.yaml");
	expect_status(&s, KIND_SUBNET, "s", "removed-in-use");
	assert_int_equal(do_delete(s.store, KIND_POD, "x", "a"), 0);
	expect_instances(&s, 1);
	assert_non_null(cache_get(s.cache, KIND_SUBNET, NULL, "s"));
	assert_int_equal(do_delete(s.store, KIND_POD, "x", "b"), 0);
	expect_instances(&s, 0);
	loop_for(400);
	assert_null(cache_get(s.cache, KIND_SUBNET, NULL, "s"));
	assert_false(has_file("subnets/s.yaml"));
	close_site(&s);
}

static void an_address_behind_an_object_not_in_force_is_free_again_with_its_end(void **)
{
	struct site s;

	put_overlay();
	put_subnet("s", "4", "10.0.0.0/24", ", start: 10.0.0.1, end: 10.0.0.2");
	put_file("ipinstances/x/10-0-0-1.yaml",
		API "kind: IPInstance\nmetadata: {name: 10-0-0-1, namespace: x}\n"
		    "spec: {network: n, subnet: s, colour: red}\n");
	open_active(&s);
	create_pod(&s, "a", "node1", "", "");
	expect_ip(&s, "a", "10.0.0.2");
	create_pod(&s, "b", "node1", "", "");
	expect_failure(&s, "b", "fail to get ipv4 subnet: no available subnet");
	remove_file("ipinstances/x/10-0-0-1.yaml");
	expect_ip(&s, "b", "10.0.0.1");
	close_site(&s);
}

#define MANAGER_TEST(f) cmocka_unit_test_setup_teardown(f, setup, loop_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MANAGER_TEST(a_stateful_pod_keeps_its_address_and_mac_over_its_lives),
		MANAGER_TEST(a_stateful_pod_that_does_not_retain_gives_its_address_back),
		MANAGER_TEST(an_address_of_an_evicted_pod_waits_until_its_port_is_gone),
		MANAGER_TEST(another_takes_over_and_knows_everything),
		MANAGER_TEST(a_restart_sweeps_what_lost_its_pod_but_not_what_a_person_wrote),
		MANAGER_TEST(half_of_a_dual_stack_pod_is_made_whole),
		MANAGER_TEST(a_subnet_removed_in_use_comes_back_until_its_last_user_is_gone),
		MANAGER_TEST(an_address_behind_an_object_not_in_force_is_free_again_with_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
