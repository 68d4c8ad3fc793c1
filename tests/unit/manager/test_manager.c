// The manager on a dir store: who gets which address, and what is written down.
#include "tests/unit/manager/site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctrl/model/ipinstance.h"
#include "tests/unit/store/loop.h"

static void the_first_start_makes_a_network_and_a_subnet(void **)
{
	struct site s;

	conf.create_defaults = true;
	put_node("node1", "");
	open_active(&s);
	expect_status(&s, KIND_NETWORK, "network-0",
		"\"statistics\":{\"total\":65533,\"used\":0,\"available\":65533}");
	expect_status(&s, KIND_NETWORK, "network-0",
		"\"subnetList\":[\"subnet-0-network-0\"],\"nodeList\":[\"node1\"]");
	expect_status(&s, KIND_SUBNET, "subnet-0-network-0",
		"\"total\":65533,\"used\":0,\"available\":65533");
	create_pod(&s, "a", "node1", "", "");
	expect_ip(&s, "a", "100.64.0.2");
	close_site(&s);
}

static void existing_networks_are_left_alone(void **)
{
	struct site s;

	conf.create_defaults = true;
	put_overlay();
	open_active(&s);
	loop_for(300);
	assert_int_equal(count(&s, KIND_NETWORK), 1);
	assert_int_equal(count(&s, KIND_SUBNET), 0);
	close_site(&s);
}

static void the_articles_first_underlay_pod_gets_its_first_address(void **)
{
	struct site s;

	put_file("article.yaml",
		"---\napiVersion: networking.alibaba.com/v1\nkind: Network\nmetadata:\n  name: "
		"underlay-network1\n"
		"spec:\n  netID: 0\n  nodeSelector:\n    network: network1\n  type: Underlay\n\n"
		"---\napiVersion: networking.alibaba.com/v1\nkind: Subnet\nmetadata:\n  name: "
		"underlay-subnet1\n"
		"spec:\n  network: underlay-network1\n  netID: 0\n  range:\n    version: \"4\"\n"
		"    cidr: \"192.168.56.0/24\"\n    gateway: \"192.168.56.254\"\n    start: "
		"\"192.168.56.100\"\n"
		"    end: \"192.168.56.150\"\n");
	put_node("node1", "network: network1");
	put_node("node2", "network: other");
	conf.create_defaults = true;
	open_active(&s);
	create_pod(&s, "a", "node1", ANN("network-type", "Underlay"), "");
	expect_ip(&s, "a", "192.168.56.100");
	expect_status(&s, KIND_NETWORK, "underlay-network1", "\"nodeList\":[\"node1\"]");
	expect_status(&s, KIND_SUBNET, "underlay-subnet1",
		"\"total\":51,\"used\":1,\"available\":50,\"lastAllocatedIP\":\"192.168.56.100\"");
	expect_status(&s, KIND_NETWORK, "underlay-network1",
		"\"lastAllocatedSubnet\":\"underlay-subnet1\"");
	expect_json(&s, KIND_IPINSTANCE, "x", "192-168-56-100",
		"\"ip\":\"192.168.56.100/"
		"24\",\"gateway\":\"192.168.56.254\",\"netID\":0,\"mac\":\"02:12:34:");
	create_pod(&s, "b", "node2", ANN("network-type", "Underlay"), "");
	expect_failure(&s, "b", "unable to find underlay network for node node2");
	put_node("node2", "network: network1");
	expect_ip(&s, "b", "192.168.56.101");
	close_site(&s);
}

static void a_deleted_pods_address_is_free_but_not_the_next(void **)
{
	struct site s;

	open_overlay(&s);
	create_pod(&s, "a", "node1", "", "");
	expect_ip(&s, "a", "10.0.0.1");
	assert_int_equal(do_delete(s.store, KIND_POD, "x", "a"), 0);
	expect_instances(&s, 0);
	expect_status(&s, KIND_SUBNET, "s", "\"used\":0,\"available\":254");
	assert_false(has_file("ipinstances/x/10-0-0-1.yaml"));
	create_pod(&s, "a", "node1", "", "");
	expect_ip(&s, "a", "10.0.0.2");
	close_site(&s);
}

static void dual_stack_gives_both_families_one_mac(void **)
{
	struct site s;

	put_overlay();
	put_subnet("s", "4", "10.0.0.0/24", "");
	put_subnet("s6", "6", "fd00::/120", "");
	open_active(&s);
	create_pod(&s, "a", "node1", ANN("ip-family", "dualStack"), "");
	struct ips ips = ips_of(&s, "a", 2);
	assert_string_equal(ips.text[0], "10.0.0.1");
	assert_string_equal(ips.text[1], "fd00::1");
	assert_memory_equal(ips.mac[0], ips.mac[1], 6);
	assert_memory_equal(ips.mac[0], "\x02\x12\x34", 3);
	expect_status(&s, KIND_NETWORK, "n",
		"\"ipv6Statistics\":{\"total\":255,\"used\":1,\"available\":254},"
		"\"dualStackStatistics\":{\"total\":0,\"used\":0,\"available\":253}");
	assert_int_equal(do_delete(s.store, KIND_POD, "x", "a"), 0);
	expect_instances(&s, 0);
	close_site(&s);
}

static void a_full_subnet_is_said_on_the_pod_until_an_address_is_free(void **)
{
	struct site s;

	put_overlay();
	put_subnet("s", "4", "10.0.0.0/29", ", start: 10.0.0.1, end: 10.0.0.2");
	open_active(&s);
	create_pod(&s, "a", "node1", "", "");
	create_pod(&s, "b", "node1", "", "");
	create_pod(&s, "c", "node1", "", "");
	expect_ip(&s, "a", "10.0.0.1");
	expect_ip(&s, "b", "10.0.0.2");
	expect_failure(&s, "c", "fail to get ipv4 subnet: no available subnet");
	assert_int_equal(do_delete(s.store, KIND_POD, "x", "a"), 0);
	expect_ip(&s, "c", "10.0.0.1");
	expect_json(&s, KIND_POD, "x", "c", "\"status\":\"True\"");
	close_site(&s);
}

static void what_cannot_be_had_is_said_in_hybridnets_words(void **)
{
	static const struct {
		const char *annotations, *message;
	} cases[] = {
		{ANN("ip-family", "IPv5"), "unrecognized ip family IPv5"},
		{ANN("network-type", "Fog"), "unrecognized network type Fog"},
		{ANN("network-type", "GlobalBGP"), "unable to find global bgp network"},
		{ANN("specified-network", "m"), "specified network m not found"},
		{ANN("specified-subnet", "t"), "specified subnet t not found"},
		{ANN("specified-subnet", "s/s6/s"),
			"cannot have more than two specified subnet in dualstack"},
		{ANN("specified-subnet", "s6/s"), "when both ipv4/ipv6 subnets are specified, the "
						  "subnet name in front of the \\\"/\\\" should be "
						  "an ipv4 subnet"},
		{ANN("specified-network", "n") "," ANN("network-type", "Underlay"),
			"specified network n does not match network type Underlay"},
	};
	struct site s;
	char name[16];

	put_overlay();
	put_subnet("s", "4", "10.0.0.0/24", "");
	put_subnet("s6", "6", "fd00::/120", "");
	open_active(&s);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(name, sizeof(name), "p%zu", i);
		create_pod(&s, name, "node1", cases[i].annotations, "");
		expect_failure(&s, name, cases[i].message);
	}
	assert_int_equal(count(&s, KIND_IPINSTANCE), 0);
	close_site(&s);
}

static void a_named_subnet_is_taken_from_also_a_private_one(void **)
{
	struct site s;

	put_overlay();
	put_subnet("s", "4", "10.0.0.0/24", "");
	put_subnet("t", "4", "10.0.1.0/24", "}, config: {private: true");
	open_active(&s);
	create_pod(&s, "a", "node1", ANN("specified-subnet", "t"), "");
	expect_ip(&s, "a", "10.0.1.1");
	create_pod(&s, "b", "node1", "", "");
	expect_ip(&s, "b", "10.0.0.1");
	close_site(&s);
}

static void a_subnet_that_becomes_private_gives_no_more_until_it_is_not(void **)
{
	struct site s;

	open_overlay(&s);
	create_pod(&s, "a", "node1", "", "");
	expect_ip(&s, "a", "10.0.0.1");
	put_subnet("s", "4", "10.0.0.0/24", "}, config: {private: true");
	expect_json(&s, KIND_SUBNET, NULL, "s", "\"private\":true");
	create_pod(&s, "b", "node1", "", "");
	expect_failure(&s, "b", "fail to get ipv4 subnet: no available subnet");
	put_subnet("s", "4", "10.0.0.0/24", "");
	expect_ip(&s, "b", "10.0.0.2");
	close_site(&s);
}

static void an_address_whose_object_cannot_be_made_is_free_again(void **)
{
	struct site s;

	put_overlay();
	put_subnet("s", "4", "10.0.0.0/24", ", start: 10.0.0.1, end: 10.0.0.1");
	put_file("ipinstances/x", "%s", ""); // a file where the folder is to be
	open_active(&s);
	create_pod(&s, "a", "node1", "", "");
	loop_for(400); // the address is the Subnet's only one
	assert_int_equal(count(&s, KIND_IPINSTANCE), 0);
	remove_file("ipinstances/x");
	expect_ip(&s, "a", "10.0.0.1");
	close_site(&s);
}

static void pods_of_the_host_network_and_without_a_node_get_none(void **)
{
	struct site s;

	open_overlay(&s);
	assert_int_equal(
		do_create(s.store, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":"
				   "\"h\",\"namespace\":\"x\"},"
				   "\"spec\":{\"nodeName\":\"node1\",\"hostNetwork\":true}}"),
		0);
	create_pod(&s, "u", "", "", "");
	create_pod(&s, "a", "node1", "", "");
	expect_ip(&s, "a", "10.0.0.1");
	assert_int_equal(count(&s, KIND_IPINSTANCE), 1);
	close_site(&s);
}

static void an_evicted_pod_loses_its_address(void **)
{
	struct site s;

	open_overlay(&s);
	create_pod(&s, "a", "node1", "", "");
	expect_ip(&s, "a", "10.0.0.1");
	assert_int_equal(do_update_status(s.store,
				 "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":"
				 "\"a\",\"namespace\":\"x\"},"
				 "\"status\":{\"phase\":\"Failed\",\"reason\":\"Evicted\"}}"),
		0);
	expect_instances(&s, 0);
	close_site(&s);
}

static void trouble_is_written_into_the_objects_status(void **)
{
	struct site s;

	put_overlay();
	open_active(&s);
	put_file("bad.yaml", API "kind: Subnet\nmetadata: {name: bad}\n"
				 "spec: {network: n, range: {version: \"4\", cidr: 10.0.0.0/24, "
				 "start: 10.0.0.9, end: 10.0.0.5}}\n");
	put_file("n.yaml",
		API "kind: Network\nmetadata: {name: n}\nspec: {type: Overlay, netID: 5}\n");
	loop_for(600);
	char *text = get_file("status/subnets/bad.yaml");
	assert_non_null(text);
	assert_non_null(strstr(text,
		"subnet should have at least one available IP. start=10.0.0.9, end=10.0.0.5"));
	free(text);
	text = get_file("status/networks/n.yaml");
	assert_non_null(strstr(text, "net ID must not be changed"));
	assert_non_null(
		strstr(text, "\"False\"") != NULL ? text : strstr(text, "status: \"False\""));
	free(text);
	put_overlay();
	put_subnet("bad", "4", "10.0.0.0/24", "");
	remove_file("bad.yaml");
	put_subnet("bad", "4", "10.0.0.0/24", "");
	expect_status(&s, KIND_SUBNET, "bad", "\"type\":\"Accepted\",\"status\":\"True\"");
	expect_status(&s, KIND_NETWORK, "n", "\"type\":\"Accepted\",\"status\":\"True\"");
	close_site(&s);
}

static bool no_pods_miss(void *arg)
{
	const struct site *s = arg;
	return count(s, KIND_IPINSTANCE) == 300;
}

struct pair {
	uint8_t macs[300][6];
	size_t n;
};

static bool collect_mac(const struct object *obj, void *arg)
{
	struct pair *p = arg;

	for (size_t i = 0; i < p->n; i++)
		assert_memory_not_equal(
			p->macs[i], ((const struct ipinstance *)(const void *)obj)->address.mac, 6);
	memcpy(p->macs[p->n++], ((const struct ipinstance *)(const void *)obj)->address.mac, 6);
	return true;
}

static unsigned int n_writes;

static void on_put(void *, enum kind kind, enum cache_event event, const struct object *,
	const struct object *)
{
	n_writes += kind == KIND_SUBNET && event == CACHE_PUT;
}

static void three_hundred_pods_get_an_address_each(void **)
{
	struct site s;
	char json[256];
	struct cache_subscriber sub = {.event = on_put};

	put_overlay();
	put_subnet("s", "4", "10.0.0.0/23", "");
	open_active(&s);
	cache_subscribe(s.cache, &sub);
	n_writes = 0;
	uint64_t start = uv_hrtime();
	for (int i = 0; i < 300; i++) {
		(void)snprintf(json, sizeof(json),
			"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p%d\","
			"\"namespace\":\"x\"},"
			"\"spec\":{\"nodeName\":\"node1\"}}",
			i);
		cJSON *obj = cJSON_Parse(json);
		s.store->ops->create(s.store, obj, NULL, NULL);
		cJSON_Delete(obj);
	}
	assert_true(loop_until(no_pods_miss, &s));
	print_message("300 pods: %lu ms, %u writes of the Subnet\n",
		(unsigned long)((uv_hrtime() - start) / 1000000), n_writes);
	struct pair p = {0};
	cache_each(s.cache, KIND_IPINSTANCE, collect_mac, &p);
	expect_status(&s, KIND_SUBNET, "s",
		"\"used\":300,\"available\":210,\"lastAllocatedIP\":\"10.0.1.44\"");
	assert_true(n_writes < 100);
	expect_ip(&s, "p0", "10.0.0.1");
	expect_ip(&s, "p299", "10.0.1.44");
	cache_unsubscribe(s.cache, &sub);
	close_site(&s);
}

#define MANAGER_TEST(f) cmocka_unit_test_setup_teardown(f, setup, loop_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MANAGER_TEST(the_first_start_makes_a_network_and_a_subnet),
		MANAGER_TEST(existing_networks_are_left_alone),
		MANAGER_TEST(the_articles_first_underlay_pod_gets_its_first_address),
		MANAGER_TEST(a_deleted_pods_address_is_free_but_not_the_next),
		MANAGER_TEST(dual_stack_gives_both_families_one_mac),
		MANAGER_TEST(a_full_subnet_is_said_on_the_pod_until_an_address_is_free),
		MANAGER_TEST(what_cannot_be_had_is_said_in_hybridnets_words),
		MANAGER_TEST(a_named_subnet_is_taken_from_also_a_private_one),
		MANAGER_TEST(a_subnet_that_becomes_private_gives_no_more_until_it_is_not),
		MANAGER_TEST(an_address_whose_object_cannot_be_made_is_free_again),
		MANAGER_TEST(pods_of_the_host_network_and_without_a_node_get_none),
		MANAGER_TEST(an_evicted_pod_loses_its_address),
		MANAGER_TEST(trouble_is_written_into_the_objects_status),
		MANAGER_TEST(three_hundred_pods_get_an_address_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
