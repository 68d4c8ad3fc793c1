// Decoding objects: what arrives, and what is refused in which words.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctrl/model/ipinstance.h"
#include "ctrl/model/network.h"
#include "ctrl/model/nodeinfo.h"
#include "ctrl/model/pod.h"
#include "ctrl/model/subnet.h"

#define HEAD "{\"apiVersion\":\"networking.alibaba.com/v1\",\"kind\":"

static struct object *decoded(const char *text)
{
	char error[MODEL_ERROR_MAX] = "";
	struct object *obj = NULL;
	cJSON *json = cJSON_Parse(text);

	assert_non_null(json);
	int ret = object_decode(json, &obj, error);
	cJSON_Delete(json);
	assert_string_equal(error, "");
	assert_int_equal(ret, 0);
	return obj;
}

static void assert_refused(const char *text, const char *want)
{
	char error[MODEL_ERROR_MAX] = "";
	struct object *obj = NULL;
	cJSON *json = cJSON_Parse(text);

	assert_non_null(json);
	assert_int_equal(object_decode(json, &obj, error), -EINVAL);
	assert_null(obj);
	assert_string_equal(error, want);
	cJSON_Delete(json);
}

static void network_of_the_article_is_an_underlay_on_vlan_0(void **)
{
	struct object *obj = decoded(HEAD
		"\"Network\",\"metadata\":{\"name\":\"underlay-network1\"},\"spec\":{\"netID\":0,"
		"\"nodeSelector\":{\"network\":\"network1\"},\"type\":\"Underlay\"}}");
	const struct network *n = OBJECT_AS(network, obj);

	assert_int_equal(obj->kind, KIND_NETWORK);
	assert_string_equal(obj->meta.name, "underlay-network1");
	assert_int_equal(n->type, NETWORK_UNDERLAY);
	assert_int_equal(n->mode, NETWORK_VLAN);
	assert_true(n->has_net_id);
	assert_int_equal(n->net_id, 0);
	assert_string_equal(key_values_get(&n->node_selector, "network"), "network1");
	object_free(obj);
}

static void mode_follows_from_the_type_unless_it_is_given(void **)
{
	struct object *obj = decoded(HEAD "\"Network\",\"metadata\":{\"name\":\"n\"},\"spec\":{"
					  "\"type\":\"Overlay\",\"netID\":4}}");

	assert_int_equal(OBJECT_AS(network, obj)->mode, NETWORK_VXLAN);
	object_free(obj);
	obj = decoded(
		HEAD "\"Network\",\"metadata\":{\"name\":\"n\"},\"spec\":{\"mode\":\"BGP\"}}");
	assert_int_equal(OBJECT_AS(network, obj)->type, NETWORK_UNDERLAY);
	assert_int_equal(OBJECT_AS(network, obj)->mode, NETWORK_BGP);
	object_free(obj);
}

static void subnet_of_the_article_has_its_range_and_defaults(void **)
{
	struct object *obj = decoded(HEAD
		"\"Subnet\",\"metadata\":{\"name\":\"underlay-subnet1\"},\"spec\":{\"network\":"
		"\"underlay-network1\",\"netID\":0,\"range\":{\"version\":\"4\",\"cidr\":"
		"\"192.168.56.0/24\",\"gateway\":\"192.168.56.254\",\"start\":\"192.168.56.100\","
		"\"end\":\"192.168.56.150\"}}}");
	const struct subnet_obj *s = OBJECT_AS(subnet_obj, obj);
	struct in6_addr start, end;
	char buf[IP_TEXT_MAX];

	subnet_bounds(s, &start, &end);
	assert_string_equal(ip_text(&start, buf), "192.168.56.100");
	assert_string_equal(ip_text(&end, buf), "192.168.56.150");
	assert_string_equal(ip_text(&s->range.gateway, buf), "192.168.56.254");
	assert_true(s->auto_nat_outgoing);
	assert_false(s->private);
	object_free(obj);
}

static void range_without_bounds_ends_before_the_broadcast_of_ipv4_only(void **)
{
	static const struct {
		const char *cidr, *start, *end;
	} cases[] = {
		{"10.0.0.0/24", "10.0.0.1", "10.0.0.254"},
		{"fd00::/120", "fd00::1", "fd00::ff"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct subnet_obj s = {0};
		struct in6_addr start, end;
		char buf[IP_TEXT_MAX];

		assert_int_equal(cidr_parse(cases[i].cidr, &s.range.cidr), 0);
		subnet_bounds(&s, &start, &end);
		assert_string_equal(ip_text(&start, buf), cases[i].start);
		assert_string_equal(ip_text(&end, buf), cases[i].end);
	}
}

static void bad_address_of_a_range_is_kept_for_admission_to_name(void **)
{
	struct object *obj = decoded(HEAD
		"\"Subnet\",\"metadata\":{\"name\":\"s\"},\"spec\":{\"network\":\"n\",\"range\":"
		"{\"version\":4,\"cidr\":\"192.168.8.0/24\",\"start\":\"192.168.8\"}}}");
	const struct subnet_obj *s = OBJECT_AS(subnet_obj, obj);

	assert_string_equal(s->range.version, "4");
	assert_string_equal(s->range.start_text, "192.168.8");
	assert_false(s->range.has_start);
	object_free(obj);
}

static void ipinstance_has_address_and_binding(void **)
{
	struct object *obj = decoded(
		HEAD "\"IPInstance\",\"metadata\":{\"name\":\"10-0-0-5\",\"namespace\":\"test\","
		     "\"ownerReferences\":"
		     "[{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"name\":\"web-0\",\"uid\":\"u\","
		     "\"controller\":true}]},"
		     "\"spec\":{\"network\":\"n\",\"subnet\":\"s\",\"address\":{\"version\":\"4\","
		     "\"ip\":\"10.0.0.5/24\","
		     "\"mac\":\"02:12:34:00:00:01\",\"gateway\":\"\",\"netID\":4},\"binding\":{"
		     "\"nodeName\":\"node1\","
		     "\"podName\":\"web-0\",\"podUID\":\"u\",\"stateful\":{\"index\":0}}}}");
	const struct ipinstance *i = OBJECT_AS(ipinstance, obj);
	char buf[64];

	assert_string_equal(obj->meta.namespace, "test");
	assert_true(obj->meta.owners[0].controller);
	assert_string_equal(cidr_text(&i->address.ip, buf), "10.0.0.5/24");
	assert_false(i->address.has_gateway);
	assert_int_equal(i->address.mac[5], 1);
	assert_string_equal(i->binding.node_name, "node1");
	assert_true(i->binding.has_stateful_index);
	object_free(obj);
}

static void ipinstance_is_named_by_its_address(void **)
{
	static const char *const names[][2] = {
		{"10.0.0.5", "10-0-0-5"},
		{"fe80::1", "fe80-0-0-0-0-0-0-1"},
		{"fd00:64::", "fd00-64-0-0-0-0-0-0"},
	};
	struct in6_addr ip;
	char buf[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(ip_parse(names[i][0], &ip), 0);
		ipinstance_name(&ip, buf);
		assert_string_equal(buf, names[i][1]);
	}
}

static void nodeinfo_without_tunnel_is_fine_and_with_one_needs_a_mac(void **)
{
	struct object *obj = decoded(HEAD "\"NodeInfo\",\"metadata\":{\"name\":\"node1\"}}");

	assert_false(OBJECT_AS(nodeinfo, obj)->has_vtep);
	object_free(obj);
	assert_refused(HEAD "\"NodeInfo\",\"metadata\":{\"name\":\"node1\"},\"spec\":{\"vtepInfo\":"
			    "{\"ip\":\"10.0.0.1\"}}}",
		"spec.vtepInfo.mac: must be a MAC address");
}

static void pod_says_where_it_runs(void **)
{
	struct object *obj = decoded(
		"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\","
		"\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"},\"spec\":{\"nodeName\":"
		"\"node1\"},\"status\":{\"containerStatuses\":[{\"state\":{\"running\":{}}}]}}");

	assert_string_equal(obj->meta.namespace, "default");
	assert_true(obj->meta.deleting);
	assert_true(OBJECT_AS(pod, obj)->any_container_running);
	assert_string_equal(OBJECT_AS(pod, obj)->node_name, "node1");
	object_free(obj);
}

static void errors_name_the_field_and_what_stands_there(void **)
{
	assert_refused("{\"kind\":\"Network\"}", "apiVersion and kind name no object of Strata "
						 "(such as networking.alibaba.com/v1, Network)");
	assert_refused(HEAD "\"Network\",\"metadata\":{\"name\":\"Big\"}}",
		"metadata.name: must be a DNS subdomain, is \"Big\"");
	assert_refused(HEAD "\"Network\",\"metadata\":{\"name\":\"n\"},\"spec\":{\"netID\":1.5}}",
		"spec.netID: must be an integer, is 1.5");
	assert_refused(HEAD "\"Network\",\"metadata\":{\"name\":\"n\"},\"spec\":[]}",
		"spec: must be a mapping");
	assert_refused(HEAD
		"\"Subnet\",\"metadata\":{\"name\":\"n\"},\"spec\":{\"range\":{\"excludeIPs\":"
		"[\"192.168.8\"]}}}",
		"spec.range.excludeIPs: must be an IP address, is \"192.168.8\"");
	assert_refused(HEAD
		"\"IPInstance\",\"metadata\":{\"name\":\"n\"},\"spec\":{\"address\":{\"ip\":"
		"\"10.0.0.5\"}}}",
		"spec.address.ip: must be an address with its prefix length, is \"10.0.0.5\"");
	assert_refused(HEAD "\"Network\",\"metadata\":{\"name\":\"n\",\"labels\":{\"a\":1}}}",
		"metadata.labels: must be a mapping of strings, is 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(network_of_the_article_is_an_underlay_on_vlan_0),
		cmocka_unit_test(mode_follows_from_the_type_unless_it_is_given),
		cmocka_unit_test(subnet_of_the_article_has_its_range_and_defaults),
		cmocka_unit_test(range_without_bounds_ends_before_the_broadcast_of_ipv4_only),
		cmocka_unit_test(bad_address_of_a_range_is_kept_for_admission_to_name),
		cmocka_unit_test(ipinstance_has_address_and_binding),
		cmocka_unit_test(ipinstance_is_named_by_its_address),
		cmocka_unit_test(nodeinfo_without_tunnel_is_fine_and_with_one_needs_a_mac),
		cmocka_unit_test(pod_says_where_it_runs),
		cmocka_unit_test(errors_name_the_field_and_what_stands_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
