// IPInstances and NodeInfos: what a node may write, and what nobody may write by hand.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "review_world.h"

#define NODE "system:serviceaccount:kube-system:strata-node"
#define ON_NODE1 "{\"authentication.kubernetes.io/node-name\":[\"node1\"]}"
#define BY_POD "{\"authentication.kubernetes.io/pod-name\":[\"strata-node-x\"]}"

static struct world w;

static int setup(void **)
{
	world_init(&w);
	world_add(&w, "Network", "vlan", "",
		"\"spec\":{\"nodeSelector\":{\"net\":\"a\"},\"netID\":10}");
	world_add(&w, "Subnet", "v4", "",
		"\"spec\":{\"network\":\"vlan\",\"range\":{\"version\":\"4\",\"cidr\":\"192.168.56."
		"0/"
		"24\",\"gateway\":\"192.168.56.1\"}}");
	return 0;
}

static int teardown(void **)
{
	world_fini(&w);
	return 0;
}

#define NODEINFO(name)                                       \
	"{\"apiVersion\":\"networking.alibaba.com/"          \
	"v1\",\"kind\":\"NodeInfo\",\"metadata\":{\"name\":" \
	"\"" name                                            \
	"\"},\"spec\":{\"vtepInfo\":{\"ip\":\"10.0.0.1\",\"mac\":\"02:00:00:00:00:01\"}}}"
#define INSTANCE_OF(network, more, node, ip)                                                     \
	"{\"apiVersion\":\"networking.alibaba.com/v1\",\"kind\":\"IPInstance\",\"metadata\":{"   \
	"\"name\":\"i\",\"namespace\":\"default\"" more "},\"spec\":{\"network\":\"" network     \
	"\",\"subnet\":\"v4\",\"address\":{\"ip\":\"" ip "/24\",\"mac\":\"02:12:34:00:00:01\"}," \
	"\"binding\":{\"nodeName\":\"" node "\"}}}"
#define INSTANCE(node, ip) INSTANCE_OF("vlan", "", node, ip)

static const char *write_as(const char *user, const char *extra, const char *plural,
	const char *subresource, const char *object)
{
	w.user = user;
	w.extra = extra;
	return world_review(&w, false, "UPDATE", plural, subresource, object, object);
}

static void a_node_writes_its_own_nodeinfo_only(void **)
{
	const char *theirs = "node node1 may not write nodeinfo node2 of another node";

	assert_string_equal(write_as(NODE, ON_NODE1, "nodeinfoes", "", NODEINFO("node1")), "");
	assert_string_equal(write_as(NODE, ON_NODE1, "nodeinfoes", "", NODEINFO("node2")), theirs);
	assert_string_equal(
		write_as(NODE, ON_NODE1, "nodeinfoes", "status", NODEINFO("node2")), theirs);
	assert_string_equal(
		write_as("system:node:node1", NULL, "nodeinfoes", "", NODEINFO("node2")), theirs);
	assert_string_equal(write_as("admin", NULL, "nodeinfoes", "", NODEINFO("node2")), "");
	// Nobody can tell whose token it is: that is RBAC's to settle.
	assert_string_equal(write_as(NODE, NULL, "nodeinfoes", "", NODEINFO("node2")), "");
}

static void a_token_of_a_pod_tells_its_node(void **)
{
	world_add(&w, "Pod", "strata-node-x", "\"namespace\":\"kube-system\"",
		"\"spec\":{\"nodeName\":\"node1\"}");
	assert_string_equal(write_as(NODE, BY_POD, "nodeinfoes", "", NODEINFO("node1")), "");
	assert_string_equal(write_as(NODE, BY_POD, "nodeinfoes", "", NODEINFO("node2")),
		"node node1 may not write nodeinfo node2 of another node");
}

static void a_node_writes_statuses_of_its_own_ipinstances_only(void **)
{
	assert_string_equal(write_as(NODE, ON_NODE1, "ipinstances", "status",
				    INSTANCE("node1", "192.168.56.9")),
		"");
	assert_string_equal(write_as(NODE, ON_NODE1, "ipinstances", "status",
				    INSTANCE("node2", "192.168.56.9")),
		"node node1 may not write ipinstance i of another node");
	assert_string_equal(
		write_as(NODE, ON_NODE1, "ipinstances", "", INSTANCE("node1", "192.168.56.9")),
		"a node may write the status of its own ipinstances only, not ipinstance i");
}

static void ipinstances_written_by_hand_are_judged(void **)
{
	w.user = "admin";
	assert_string_equal(world_review(&w, false, "CREATE", "ipinstances", "",
				    INSTANCE("node1", "192.168.56.9"), NULL),
		"");
	assert_string_equal(world_review(&w, false, "CREATE", "ipinstances", "",
				    INSTANCE("node1", "192.168.57.9"), NULL),
		"address 192.168.57.9 is not in CIDR 192.168.56.0/24 of subnet v4");
	// The manager knows what it does.
	w.user = "system:serviceaccount:kube-system:strata-manager";
	assert_string_equal(world_review(&w, false, "CREATE", "ipinstances", "",
				    INSTANCE("node1", "192.168.57.9"), NULL),
		"");
	assert_int_equal(w.n_paths, 0);
}

static void an_ipinstance_is_judged_again_when_it_moves(void **)
{
	static const char old[] = INSTANCE("node1", "192.168.56.9");
	static const struct {
		const char *object, *message;
	} rows[] = {
		{INSTANCE("node2", "192.168.56.9"), ""},
		{INSTANCE("node1", "192.168.57.9"),
			"address 192.168.57.9 is not in CIDR 192.168.56.0/24 of subnet v4"},
		{INSTANCE_OF("none", "", "node1", "192.168.56.9"), "network none does not exist"},
		// One that is being deleted goes nowhere.
		{INSTANCE_OF("vlan", ",\"deletionTimestamp\":\"2023-11-14T22:13:20Z\"", "node1",
			 "192.168.57.9"),
			""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(
			world_review(&w, false, "UPDATE", "ipinstances", "", rows[i].object, old),
			rows[i].message);
		assert_true((w.n_paths > 0) == (rows[i].message[0] != '\0'));
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_node_writes_its_own_nodeinfo_only),
		TEST(a_token_of_a_pod_tells_its_node),
		TEST(a_node_writes_statuses_of_its_own_ipinstances_only),
		TEST(ipinstances_written_by_hand_are_judged),
		TEST(an_ipinstance_is_judged_again_when_it_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
