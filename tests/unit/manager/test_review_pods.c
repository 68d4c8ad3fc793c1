// New Pods, validated and mutated: from AdmissionReview to AdmissionReview.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "review_world.h"

#define A(key, value) "\"networking.alibaba.com/" key "\":\"" value "\""
#define ANNOTATED(list) "\"annotations\":{" list "}"
#define OWNED                                             \
	"\"ownerReferences\":[{\"apiVersion\":\"apps/"    \
	"v1\",\"kind\":\"StatefulSet\",\"name\":\"sts\"," \
	"\"uid\":\"1\",\"controller\":true}]"

static struct world w;

static int setup(void **)
{
	world_init(&w);
	world_add(&w, "Namespace", "default", "", "");
	world_add(&w, "Network", "vlan", "",
		"\"spec\":{\"nodeSelector\":{\"net\":\"a\",\"rack/x~y\":\"1\"},\"netID\":10}");
	world_add(&w, "Network", "overlay", "",
		"\"spec\":{\"type\":\"Overlay\",\"netID\":4},\"status\":{}");
	world_add(&w, "Subnet", "v4", "",
		"\"spec\":{\"network\":\"vlan\",\"range\":{\"version\":\"4\",\"cidr\":\"192.168.56."
		"0/"
		"24\",\"gateway\":\"192.168.56.1\"}}");
	world_add(&w, "Subnet", "v6", "",
		"\"spec\":{\"network\":\"vlan\",\"range\":{\"version\":\"6\",\"cidr\":\"fd00::/"
		"64\","
		"\"gateway\":\"fd00::1\"}}");
	world_add(&w, "Subnet", "o4", "",
		"\"spec\":{\"network\":\"overlay\",\"range\":{\"version\":\"4\",\"cidr\":\"100.64."
		"0.0/"
		"16\"}},\"status\":{\"total\":10,\"used\":1,\"available\":9}");
	return 0;
}

static int teardown(void **)
{
	world_fini(&w);
	return 0;
}

// An IPInstance of the Pod's former life. more: further members of its metadata.
static void add_former_with(
	const char *more, const char *name, const char *network, const char *subnet, const char *ip)
{
	char rest[512], meta[256];

	(void)snprintf(rest, sizeof(rest),
		"\"spec\":{\"network\":\"%s\",\"subnet\":\"%s\",\"address\":{\"ip\":\"%s\",\"mac\":"
		"\"02:12:34:00:00:01\"},\"binding\":{\"podName\":\"pod\"}}",
		network, subnet, ip);
	(void)snprintf(meta, sizeof(meta),
		"\"namespace\":\"default\",\"labels\":{" A("pod", "pod") "," A("vm", "vm1") "}%s",
		more);
	world_add(&w, "IPInstance", name, meta, rest);
}

static void add_former(const char *name, const char *network, const char *subnet, const char *ip)
{
	add_former_with("", name, network, subnet, ip);
}

// ── Validation ─────────────────────────────────────────────────────────────────────────────────

struct rule {
	const char *annotations, *message;
	int code; // 0: 403 if there is a message
};

static void check(const struct rule *rules, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *message = world_pod(&w, false, rules[i].annotations, "");
		int code = rules[i].code != 0 ? rules[i].code : 403;

		if (strcmp(message, rules[i].message) != 0)
			print_error("row %zu: %s\n", i, rules[i].annotations);
		assert_string_equal(message, rules[i].message);
		assert_int_equal(w.code, rules[i].message[0] != '\0' ? code : 0);
	}
}

#define CHECK(rules) check(rules, sizeof(rules) / sizeof((rules)[0]))

static void pods_are_validated_by_the_rules(void **)
{
	static const struct rule rules[] = {
		{"", "", 0},
		{ANNOTATED(A("specified-network", "vlan")), "", 0},
		{ANNOTATED(A("specified-network", "none")), "specified network none not found", 0},
		{ANNOTATED(A("specified-network", "vlan") "," A("network-type", "Overlay")),
			"specified network type mismatch, network-type Overlay, network vlan", 500},
		{ANNOTATED(A("specified-network", "vlan") "," A("network-type", "what")),
			"specified network type mismatch, network-type what, network vlan", 500},
		{ANNOTATED(A("specified-subnet", "v4/v6/o4")),
			"cannot have more than two specified subnet in dualstack", 0},
		{ANNOTATED(A("specified-subnet", "none")), "specified subnet none not found", 0},
		{ANNOTATED(A("specified-subnet", "v6/v4")),
			"when both ipv4/ipv6 subnets are specified, the subnet name in front of "
			"the "
			"\"/\" should be an ipv4 subnet",
			0},
		{ANNOTATED(A("specified-subnet", "v4/o4")),
			"when both ipv4/ipv6 subnets are specified, the subnet name after the "
			"\"/\" "
			"should be an ipv6 subnet",
			0},
		{ANNOTATED(A("specified-subnet", "o4/v6")),
			"the networks of ipv4/ipv6 subnets need to be the same", 0},
		{ANNOTATED(A("specified-network", "overlay") "," A("specified-subnet", "v4")),
			"specified network and subnet conflict in /v1, Kind=Pod default/pod", 0},
		{ANNOTATED(A("network-type", "what")), "unrecognized network type what", 0},
		{ANNOTATED(A("ip-family", "v4")), "unrecognized ip family v4", 0},
		{ANNOTATED(A("network-type", "overlay")), "", 0},
		{ANNOTATED(A("network-type", "GlobalBGP")), "no network found by type GlobalBGP",
			0},
		{ANNOTATED(A("network-type", "Overlay") "," A("ip-family", "IPv6")),
			"lacking ipv6 addresses by network type Overlay", 0},
		{ANNOTATED(A("network-type", "Overlay") "," A("ip-family", "DualStack")),
			"lacking dual stack addresses by network type Overlay", 0},
	};

	CHECK(rules);
}

static void pools_are_validated_element_by_element(void **)
{
	static const struct rule rules[] = {
		{ANNOTATED(A("ip-pool", "192.168.56.5")),
			"ip pool and network(subnet) must be specified at the same time", 0},
		{ANNOTATED(
			 A("specified-subnet", "v4") "," A("ip-pool", "192.168.56.5,192.168.56.6")),
			"", 0},
		{ANNOTATED(A("specified-network", "vlan") "," A(
			 "ip-pool", "192.168.56.5/fd00::5,192.168.56.6/fd00::6")),
			"", 0},
		{ANNOTATED(A("specified-network", "vlan") "," A("ip-pool", "192.168.56.5,,")),
			"the 1 ip in ip pool is empty", 0},
		{ANNOTATED(A("specified-network", "vlan") "," A("ip-pool", ",192.168.56.5")),
			"the 0 ip in ip pool is empty", 0},
		{ANNOTATED(A("specified-network", "vlan") "," A(
			 "ip-pool", "192.168.56.5,192.168.56")),
			"ip pool has an invalid ip 192.168.56", 0},
		{ANNOTATED(A("specified-network", "vlan") "," A("ip-pool", "192.168.56.5/fd00::x")),
			"ip pool has an invalid ip fd00::x", 0},
		{ANNOTATED(A("mac-pool", "00-16-EA-AE-3C-40,08:00:20:0A:8C:6D")), "", 0},
		{ANNOTATED(A("mac-pool", "00-16-EA-AE-3C-40,")),
			"the 1 mac addr in mac pool is empty", 0},
		{ANNOTATED(A("mac-pool", "00-16-EA-AE-3C-40,1.2.3.4")),
			"the 1 mac address 1.2.3.4 is not valid", 0},
		{ANNOTATED(A("mac-pool", "00:00:00:00")),
			"the 0 mac address 00:00:00:00 is not valid", 0},
	};

	CHECK(rules);
}

static void a_full_network_lacks_addresses(void **)
{
	world_add(&w, "Network", "global", "", "\"spec\":{\"type\":\"GlobalBGP\"}");
	world_add(&w, "Subnet", "g4", "",
		"\"spec\":{\"network\":\"global\",\"range\":{\"version\":\"4\",\"cidr\":\"10.1.0.0/"
		"24\"}"
		"},\"status\":{\"total\":254,\"used\":254,\"available\":0}");
	assert_string_equal(world_pod(&w, false, ANNOTATED(A("network-type", "GlobalBGP")), ""),
		"lacking ipv4 addresses by network type GlobalBGP");
	// A private Subnet is for those that name it.
	world_add(&w, "Subnet", "p4", "",
		"\"spec\":{\"network\":\"global\",\"config\":{\"private\":true},\"range\":{"
		"\"version\":"
		"\"4\",\"cidr\":\"10.2.0.0/24\"}}");
	assert_string_equal(world_pod(&w, false, ANNOTATED(A("network-type", "GlobalBGP")), ""),
		"lacking ipv4 addresses by network type GlobalBGP");
	assert_string_equal(world_pod(&w, false, ANNOTATED(A("specified-subnet", "p4")), ""), "");
	assert_string_equal(world_pod(&w, false, ANNOTATED(A("specified-subnet", "g4")), ""),
		"lacking ipv4 addresses by network type GlobalBGP");
}

static void a_pod_that_keeps_its_address_lacks_none(void **)
{
	world_add(&w, "Network", "global", "", "\"spec\":{\"type\":\"GlobalBGP\"}");
	add_former("10-1-0-5", "global", "g4", "10.1.0.5/24");
	assert_string_equal(world_pod(&w, false, OWNED, ""), "");
	assert_string_equal(world_pod(&w, false,
				    OWNED "," ANNOTATED(A("ip-retain", "false") "," A(
					    "network-type", "GlobalBGP")),
				    ""),
		"lacking ipv4 addresses by network type GlobalBGP");
}

static void a_former_address_goes_with_what_is_asked_for(void **)
{
	static const struct rule rules[] = {
		{ANNOTATED(A("specified-network", "vlan")), "", 0},
		{ANNOTATED(A("specified-network", "overlay")),
			"pod has assigned ip 192.168.56.9/24 of network vlan, cannot assign to "
			"another network overlay",
			0},
		{ANNOTATED(A("specified-subnet", "v4")), "", 0},
		{ANNOTATED(A("specified-subnet", "v4/v6") "," A("ip-family", "DualStack")), "", 0},
		{ANNOTATED(A("specified-subnet", "v6") "," A("ip-family", "IPv6")),
			"pod has assigend ip 192.168.56.9/24 of subnet v4, cannot assign to "
			"another "
			"subnet by specified string v6",
			0},
		// Addresses that it gives back are in nobody's way.
		{OWNED "," ANNOTATED(A("specified-network", "overlay") "," A("ip-retain", "false")),
			"", 0},
	};

	add_former("192-168-56-9", "vlan", "v4", "192.168.56.9/24");
	CHECK(rules);
}

static void host_network_and_ignored_pods_are_not_looked_at(void **)
{
	const char *bad = ANNOTATED(A("specified-network", "none"));
	char metadata[256];

	assert_string_equal(world_pod(&w, false, bad, "\"hostNetwork\":true"), "");
	for (int i = 0; i < 2; i++) {
		(void)snprintf(metadata, sizeof(metadata),
			"%s,\"labels\":{\"webhook.hybridnet.io/ignore\":\"%s\"}", bad,
			i == 0 ? "true" : "TRUE");
		assert_string_equal(world_pod(&w, false, metadata, ""), "");
		assert_string_equal(world_pod(&w, true, metadata, ""), "");
		assert_null(w.patch);
	}
}

static void other_kinds_pass(void **)
{
	assert_string_equal(
		world_review(&w, false, "CREATE", "services", "",
			"{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{}}", NULL),
		"");
}

// ── Mutation ───────────────────────────────────────────────────────────────────────────────────

// The value that the patch adds at a path, as JSON text; "" if none.
static const char *added(const char *path)
{
	static char text[512];
	const cJSON *op;

	text[0] = '\0';
	cJSON_ArrayForEach (op, w.patch) {
		assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(op, "op")), "add");
		if (strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(op, "path")), path) != 0)
			continue;
		char *value = cJSON_PrintUnformatted(cJSON_GetObjectItem(op, "value"));
		(void)snprintf(text, sizeof(text), "%s", value);
		cJSON_free(value);
	}
	return text;
}

#define ANNOTATION(key) "/metadata/annotations/networking.alibaba.com~1" key
#define SELECTOR(key) "/spec/nodeSelector/networking.alibaba.com~1" key

struct addition {
	const char *path, *value; // as JSON; "": nothing is added there
};

// Whether the patch adds just that at these paths; the last path is NULL.
static void check_added(const struct addition *want)
{
	for (; want->path != NULL; want++) {
		const char *value = added(want->path);

		if (strcmp(value, want->value) != 0)
			print_error("at %s\n", want->path);
		assert_string_equal(value, want->value);
	}
}

#define ADDS(...) check_added((const struct addition[]){__VA_ARGS__, {NULL, NULL}})

static void an_underlay_pod_goes_to_nodes_with_addresses(void **)
{
	assert_string_equal(world_pod(&w, true, "", ""), "");
	ADDS({"/metadata/annotations", "{}"}, {ANNOTATION("network-type"), "\"Underlay\""},
		{ANNOTATION("ip-family"), "\"IPv4Only\""},
		{ANNOTATION("handled-by-webhook"), "\"true\""},
		{ANNOTATION("specified-network"), ""}, {ANNOTATION("specified-subnet"), ""},
		{"/spec/nodeSelector", "{}"}, {SELECTOR("underlay-network-attachment"), "\"true\""},
		{SELECTOR("ipv4-address-quota"), "\"nonempty\""});
}

static void a_named_network_brings_its_selector(void **)
{
	assert_string_equal(
		world_pod(&w, true,
			ANNOTATED(A("specified-subnet", "v4/v6") "," A("ip-family", "dualstack")),
			"\"nodeSelector\":{\"disk\":\"ssd\"}"),
		"");
	ADDS({"/metadata/annotations", ""}, {ANNOTATION("specified-network"), "\"vlan\""},
		{ANNOTATION("specified-subnet"), "\"v4/v6\""},
		{ANNOTATION("ip-family"), "\"DualStack\""}, {"/spec/nodeSelector", ""},
		{"/spec/nodeSelector/net", "\"a\""}, {"/spec/nodeSelector/rack~1x~0y", "\"1\""},
		{SELECTOR("dualstack-address-quota"), "\"nonempty\""},
		{SELECTOR("underlay-network-attachment"), ""});
}

static void overlay_pods_go_where_the_overlay_is(void **)
{
	assert_string_equal(world_pod(&w, true, ANNOTATED(A("network-type", "OVERLAY")), ""), "");
	ADDS({ANNOTATION("network-type"), "\"Overlay\""},
		{SELECTOR("overlay-network-attachment"), "\"true\""},
		{SELECTOR("ipv4-address-quota"), ""});
	assert_string_equal(world_pod(&w, true, ANNOTATED(A("network-type", "globalbgp")), ""), "");
	ADDS({SELECTOR("bgp-network-attachment"), "\"true\""});
}

static void a_pod_that_keeps_its_address_needs_no_quota(void **)
{
	add_former("fd00-0-0-0-0-0-0-9", "vlan", "v6", "fd00::9/64");
	assert_string_equal(world_pod(&w, true, OWNED, ""), "");
	ADDS({ANNOTATION("specified-network"), "\"vlan\""},
		{ANNOTATION("ip-family"), "\"IPv6Only\""}, {"/spec/nodeSelector/net", "\"a\""},
		{SELECTOR("ipv6-address-quota"), ""}, {SELECTOR("ipv4-address-quota"), ""});
}

#define LAUNCHER                                                                                  \
	"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"generateName\":\"virt-launcher-" \
	"vm1-\","                                                                                 \
	"\"namespace\":\"default\",\"ownerReferences\":[{\"apiVersion\":\"kubevirt.io/"           \
	"v1\",\"kind\":"                                                                          \
	"\"VirtualMachineInstance\",\"name\":\"vm1\",\"uid\":\"1\",\"controller\":true}]},"       \
	"\"spec\":{}}"

static void a_virtual_machine_keeps_its_address_by_its_name(void **)
{
	world_add(&w, "IPInstance", "192-168-56-7",
		"\"namespace\":\"default\",\"labels\":{" A("vm", "vm1") "}",
		"\"spec\":{\"network\":\"vlan\",\"subnet\":\"v4\",\"address\":{\"ip\":"
		"\"192.168.56.7/24\",\"mac\":\"02:12:34:00:00:07\"}}");
	assert_string_equal(world_review(&w, true, "CREATE", "pods", "", LAUNCHER, NULL), "");
	ADDS({SELECTOR("ipv4-address-quota"), "\"nonempty\""});
	w.conf.vm_ip_retain = true;
	assert_string_equal(world_review(&w, true, "CREATE", "pods", "", LAUNCHER, NULL), "");
	ADDS({ANNOTATION("specified-network"), "\"vlan\""}, {SELECTOR("ipv4-address-quota"), ""});
	assert_string_equal(world_review(&w, false, "CREATE", "pods", "", LAUNCHER, NULL), "");
}

static void an_address_that_is_being_given_back_binds_nobody(void **)
{
	add_former_with(",\"deletionTimestamp\":\"2023-11-14T22:13:20Z\"", "192-168-56-9", "vlan",
		"v4", "192.168.56.9/24");
	assert_string_equal(
		world_pod(&w, false, ANNOTATED(A("specified-network", "overlay")), ""), "");
	assert_string_equal(world_pod(&w, true, OWNED, ""), "");
	ADDS({ANNOTATION("specified-network"), ""});
	w.conf.vm_ip_retain = true;
	assert_string_equal(world_review(&w, true, "CREATE", "pods", "", LAUNCHER, NULL), "");
	ADDS({ANNOTATION("specified-network"), ""});
}

static void the_namespace_speaks_for_silent_pods(void **)
{
	world_fini(&w);
	world_init(&w);
	world_add(&w, "Network", "overlay", "", "\"spec\":{\"type\":\"Overlay\",\"netID\":4}");
	world_add(&w, "Namespace", "default", ANNOTATED(A("network-type", "overlay")), "");
	assert_string_equal(world_pod(&w, true, "", ""), "");
	ADDS({ANNOTATION("network-type"), "\"Overlay\""});
	// One word of the pod's own, and the Namespace is not asked.
	assert_string_equal(world_pod(&w, true, ANNOTATED(A("ip-family", "IPv6")), ""), "");
	ADDS({ANNOTATION("network-type"), "\"Underlay\""});
}

static void what_cannot_be_resolved_is_an_error(void **)
{
	assert_string_equal(world_pod(&w, true, ANNOTATED(A("specified-subnet", "none")), ""),
		"unable to parse network config for pod: specified subnet none not found");
	assert_int_equal(w.code, 500);
	assert_null(w.patch);
	assert_string_equal(world_pod(&w, true, ANNOTATED(A("network-type", "what")), ""),
		"unable to parse network config for pod: unrecognized network type what");
}

static void host_network_pods_tolerate_missing_networks(void **)
{
	const char *toleration =
		"{\"key\":\"node.kubernetes.io/network-unavailable\",\"operator\":\"Exists\","
		"\"effect\":\"NoSchedule\"}";
	char spec[256];

	assert_string_equal(world_pod(&w, true, "", "\"hostNetwork\":true"), "");
	ADDS({"/spec/tolerations", "[]"}, {"/spec/tolerations/-", toleration});
	assert_int_equal(cJSON_GetArraySize(w.patch), 2);
	(void)snprintf(spec, sizeof(spec), "\"hostNetwork\":true,\"tolerations\":[%s]", toleration);
	assert_string_equal(world_pod(&w, true, "", spec), "");
	assert_null(w.patch);
	assert_string_equal(
		world_pod(&w, true, "", "\"hostNetwork\":true,\"tolerations\":[{\"key\":\"a\"}]"),
		"");
	ADDS({"/spec/tolerations", ""}, {"/spec/tolerations/-", toleration});
}

static void a_pod_without_a_name_yet_is_mutated(void **)
{
	assert_string_equal(
		world_review(&w, true, "CREATE", "pods", "",
			"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"generateName\":"
			"\"web-\",\"namespace\":\"default\"},\"spec\":{}}",
			NULL),
		"");
	ADDS({ANNOTATION("handled-by-webhook"), "\"true\""});
	for (size_t i = 0; i < w.n_paths; i++)
		assert_null(strstr(w.paths[i], "ipinstances"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pods_are_validated_by_the_rules),
		TEST(pools_are_validated_element_by_element),
		TEST(a_full_network_lacks_addresses),
		TEST(a_pod_that_keeps_its_address_lacks_none),
		TEST(a_former_address_goes_with_what_is_asked_for),
		TEST(host_network_and_ignored_pods_are_not_looked_at),
		TEST(other_kinds_pass),
		TEST(an_underlay_pod_goes_to_nodes_with_addresses),
		TEST(a_named_network_brings_its_selector),
		TEST(overlay_pods_go_where_the_overlay_is),
		TEST(a_pod_that_keeps_its_address_needs_no_quota),
		TEST(a_virtual_machine_keeps_its_address_by_its_name),
		TEST(an_address_that_is_being_given_back_binds_nobody),
		TEST(the_namespace_speaks_for_silent_pods),
		TEST(what_cannot_be_resolved_is_an_error),
		TEST(host_network_pods_tolerate_missing_networks),
		TEST(a_pod_without_a_name_yet_is_mutated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
