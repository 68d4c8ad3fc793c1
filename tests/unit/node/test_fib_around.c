// What goes around the tables: bad objects are kept out of them, the kernel is told, and this
// node's NodeInfo is kept true.
#include "tests/unit/node/fib_networks.h"

#include "tests/unit/dataplane/eal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static int setup_host(void **)
{
	world_open(&w, &(struct world_options){.has_host = true});
	world_start(&w);
	return 0;
}

// ── Bad objects ────────────────────────────────────────────────────────────────────────────────

static void bad_objects_are_skipped_and_the_others_routed(void **)
{
	put(&w, "{" API
		"\"kind\":\"Network\",\"metadata\":{\"name\":\"b\"},\"spec\":{\"type\":7}}");
	put(&w, "{" API "\"kind\":\"Subnet\",\"metadata\":{\"name\":\"b\"},\"spec\":{\"network\":"
		"\"overlay\",\"range\":{\"version\":\"4\",\"cidr\":\"100.70.0.0/99\"}}}");
	put(&w, "{" API "\"kind\":\"NodeInfo\",\"metadata\":{\"name\":\"node-8\"},\"spec\":{"
		"\"vtepInfo\":{\"ip\":\"10.9.0.8\",\"mac\":\"neither\"}}}");
	put(&w, "{" API "\"kind\":\"IPInstance\",\"metadata\":{\"name\":\"b\",\"namespace\":\"d\"},"
		"\"spec\":{\"network\":\"overlay\",\"subnet\":\"over\",\"address\":{}}}");
	assert_int_equal(n_bad_objects, 4);

	put_ip(&w, "over", "overlay", "100.64.0.5/16", "node-2", "a");
	put_node(&w, "node-2", "10.9.0.2", MAC_2);
	assert_int_equal(n_bad_objects, 4);
	assert_null(subnet(&w, "b"));
	assert_null(route(&w, "10.9.0.8"));
	assert_int_not_equal(route(&w, "100.64.0.5")->nexthop, NEXTHOP_NONE);
}

static void a_bad_version_leaves_the_good_one_in_force(void **)
{
	put_node(&w, "node-2", "10.9.0.2", MAC_2);
	put_ip(&w, "over", "overlay", "100.64.0.5/16", "node-2", "a");
	const struct route *before = route(&w, "100.64.0.5");
	put(&w, "{" API "\"kind\":\"NodeInfo\",\"metadata\":{\"name\":\"node-2\"},\"spec\":{"
		"\"vtepInfo\":{\"ip\":\"10.9.0\",\"mac\":\"" MAC_2 "\"}}}");
	put(&w, "{" API "\"kind\":\"IPInstance\",\"metadata\":{\"name\":\"100-64-0-5\","
		"\"namespace\":\"default\"},\"spec\":{\"network\":\"overlay\",\"subnet\":"
		"\"over\",\"address\":{\"version\":\"4\",\"ip\":\"100.99.0.5/99\"}}}");

	assert_int_equal(n_bad_objects, 2);
	assert_ptr_equal(route(&w, "100.64.0.5"), before);
	assert_int_equal(route(&w, "10.9.0.2")->kind, ROUTE_NODE_OTHER);
}

static void put_twin(const char *name, const char *node)
{
	put(&w,
		"{" API "\"kind\":\"IPInstance\",\"metadata\":{\"name\":\"100-64-0-5\","
		"\"namespace\":\"%s\"},\"spec\":{\"network\":\"overlay\",\"subnet\":\"over\","
		"\"address\":{\"version\":\"4\",\"ip\":\"100.64.0.5/16\",\"mac\":"
		"\"02:12:34:00:00:01\"},\"binding\":{\"nodeName\":\"%s\",\"podName\":\"p\"}}}",
		name, node);
}

static void of_two_ipinstances_of_an_address_the_first_stays_in_force(void **)
{
	put_node(&w, "node-2", "10.9.0.2", MAC_2);
	put_node(&w, "node-3", "10.9.0.3", MAC_2);
	uint32_t to_2 = route(&w, "10.9.0.2")->nexthop, to_3 = route(&w, "10.9.0.3")->nexthop;

	put_twin("first", "node-2");
	put_twin("second", "node-3");
	assert_int_equal(route(&w, "100.64.0.5")->nexthop, to_2);
	del(&w, KIND_IPINSTANCE, "first", "100-64-0-5");
	assert_int_equal(route(&w, "100.64.0.5")->nexthop, to_3);
	del(&w, KIND_IPINSTANCE, "second", "100-64-0-5");
	assert_null(route(&w, "100.64.0.5"));
}

static void the_first_ipinstance_of_an_address_stays_in_force_when_its_pod_moves(void **)
{
	put_node(&w, "node-2", "10.9.0.2", MAC_2);
	put_node(&w, "node-3", "10.9.0.3", MAC_2);
	put_node(&w, "node-4", "10.9.0.4", MAC_2);

	put_twin("first", "node-2");
	put_twin("second", "node-3");
	put_twin("first", "node-4");
	assert_int_equal(route(&w, "100.64.0.5")->nexthop, route(&w, "10.9.0.4")->nexthop);
}

// ── The kernel ─────────────────────────────────────────────────────────────────────────────────

static bool is_noted(void *arg)
{
	return kernel_has_noted(arg);
}

static void wait_note(const char *text)
{
	world_until(&w, is_noted, (void *)(uintptr_t)text);
}

static void the_kernel_routes_overlay_subnets_and_underlay_pods_to_the_switch(void **)
{
	struct fib_pod p;

	put_networks();
	wait_note("+100.64.0.0/16 ");
	put_ip(&w, "wire", "under", "192.168.56.7/24", "node-1", "web-0");
	fib_pod_make(&w, &p, "web-0", "192.168.56.7", "wire", NULL, NULL, false);
	struct test_pod t = attach(&w, &p);
	wait_note("+192.168.56.7/32 ");
	detach(&w, &t);
	wait_note("-192.168.56.7/32 ");
	del(&w, KIND_SUBNET, "", "over");
	wait_note("-100.64.0.0/16 ");
	assert_false(kernel_has_noted("192.168.56.0/24")); // the wire's is the kernel's own affair
}

static void the_kernel_masquerades_what_leaves_a_subnet_that_wants_it(void **)
{
	put_networks();
	wait_note("nat 1/2 ");
	put(&w, "{" API "\"kind\":\"Subnet\",\"metadata\":{\"name\":\"plain\"},\"spec\":{"
		"\"network\":\"overlay\",\"range\":{\"version\":\"4\",\"cidr\":\"100.70.0.0/16\"},"
		"\"config\":{\"autoNatOutgoing\":false}}}");
	wait_note("nat 1/3 ");
}

static void what_the_kernel_refuses_is_tried_again(void **)
{
	kernel_answers(-EBUSY);
	put_networks();
	wait_note("+100.64.0.0/16 ");
	kernel_answers(0);
	kernel_forget_notes();
	wait_note("+100.64.0.0/16 ");
}

// ── This node's NodeInfo ───────────────────────────────────────────────────────────────────────

static struct nodeinfo_writer *writer;

static int setup_writer(void **)
{
	world_open(&w, &(struct world_options){0});
	const struct nodeinfo_writer_conf conf = {
		.loop = &w.loop,
		.store = w.store,
		.cache = w.cache,
		.config = &w.config,
		.fib = w.fib,
	};
	assert_int_equal(nodeinfo_writer_new(&conf, &writer), 0);
	return 0;
}

static int teardown_writer(void **)
{
	nodeinfo_writer_free(writer);
	world_close(&w);
	return 0;
}

static bool has_written(void *arg)
{
	const uint32_t *n = arg;
	return n_writes(&w) >= *n;
}

static void wait_writes(uint32_t n)
{
	world_until(&w, has_written, &n);
	world_for(&w, 100); // time for one too many, and for the status
	assert_int_equal(n_writes(&w), n);
}

static const char *vtep_field(const char *field)
{
	const cJSON *obj = stored(&w, KIND_NODEINFO, "", "node-1");
	const cJSON *spec = cJSON_GetObjectItemCaseSensitive(obj, "spec");
	const cJSON *vtep = cJSON_GetObjectItemCaseSensitive(spec, "vtepInfo");
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(vtep, field));

	return text != NULL ? text : "(none)";
}

static const cJSON *labels(void)
{
	const cJSON *obj = stored(&w, KIND_NODEINFO, "", "node-1");
	const cJSON *meta = cJSON_GetObjectItemCaseSensitive(obj, "metadata");

	return cJSON_GetObjectItemCaseSensitive(meta, "labels");
}

static void a_node_without_a_nodeinfo_writes_one(void **)
{
	world_start(&w);
	wait_writes(1);

	assert_string_equal(vtep_field("ip"), "10.9.0.1");
	assert_string_equal(vtep_field("mac"), "52:54:00:00:00:01");
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(labels(), "net")), "a");
	const cJSON *obj = stored(&w, KIND_NODEINFO, "", "node-1");
	const cJSON *spec = cJSON_GetObjectItemCaseSensitive(obj, "spec");
	const cJSON *vtep = cJSON_GetObjectItemCaseSensitive(spec, "vtepInfo");
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(vtep, "localIPs")), 2);
	const cJSON *status = cJSON_GetObjectItemCaseSensitive(obj, "status");
	assert_true(cJSON_IsString(cJSON_GetObjectItem(status, "updateTimestamp")));
	assert_int_equal(n_bad_objects, 0);
}

static void a_nodeinfo_that_somebody_changes_is_put_right_with_his_marks_kept(void **)
{
	world_start(&w);
	wait_writes(1);
	put(&w, "{" API "\"kind\":\"NodeInfo\",\"metadata\":{\"name\":\"node-1\",\"labels\":{"
		"\"networking.alibaba.com/mark\":\"1\",\"net\":\"b\"}},\"spec\":{\"vtepInfo\":{"
		"\"ip\":\"10.9.0.99\",\"mac\":\"" MAC_2 "\"}}}");
	wait_writes(2);

	assert_string_equal(vtep_field("ip"), "10.9.0.1");
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(labels(), "net")), "a");
	assert_non_null(cJSON_GetObjectItem(labels(), "networking.alibaba.com/mark"));
}

static void a_nodeinfo_that_is_true_is_not_written(void **)
{
	world_start(&w);
	wait_writes(1);
	put(&w, "{" API "\"kind\":\"NodeInfo\",\"metadata\":{\"name\":\"node-1\",\"labels\":{"
		"\"net\":\"a\"}},\"spec\":{\"vtepInfo\":{\"ip\":\"10.9.0.1\",\"mac\":"
		"\"52:54:00:00:00:01\",\"localIPs\":[\"10.9.0.1\",\"fd09::1\"]}}}");
	world_for(&w, 6000); // more than the pause between two writes

	assert_int_equal(n_writes(&w), 1);
}

static void a_write_that_conflicts_is_made_again(void **)
{
	fail_next_write(&w, -ESTALE);
	world_start(&w);
	wait_writes(1);

	assert_string_equal(vtep_field("ip"), "10.9.0.1");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST_HOST(f) cmocka_unit_test_setup_teardown(f, setup_host, teardown)
#define TEST_WRITER(f) cmocka_unit_test_setup_teardown(f, setup_writer, teardown_writer)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bad_objects_are_skipped_and_the_others_routed),
		TEST(a_bad_version_leaves_the_good_one_in_force),
		TEST(of_two_ipinstances_of_an_address_the_first_stays_in_force),
		TEST(the_first_ipinstance_of_an_address_stays_in_force_when_its_pod_moves),
		TEST_HOST(the_kernel_routes_overlay_subnets_and_underlay_pods_to_the_switch),
		TEST_HOST(the_kernel_masquerades_what_leaves_a_subnet_that_wants_it),
		TEST_HOST(what_the_kernel_refuses_is_tried_again),
		TEST_WRITER(a_node_without_a_nodeinfo_writes_one),
		TEST_WRITER(a_nodeinfo_that_somebody_changes_is_put_right_with_his_marks_kept),
		TEST_WRITER(a_nodeinfo_that_is_true_is_not_written),
		TEST_WRITER(a_write_that_conflicts_is_made_again),
	};

	eal_start("fibaround", "0@0,1@0");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
