// Decoding objects: what arrives of each kind. What is refused is in test_decode_refused.c.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ctrl/model/ipinstance.h"
#include "ctrl/model/network.h"
#include "ctrl/model/nodeinfo.h"
#include "ctrl/model/pod.h"
#include "ctrl/model/subnet.h"
#include "tests/unit/model/object.h"

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
	struct object *obj = decoded(HEAD
		"\"IPInstance\",\"metadata\":{\"name\":\"10-0-0-5\",\"namespace\":\"test\","
		"\"ownerReferences\":"
		"[{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"name\":\"web-0\",\"uid\":\"u\","
		"\"controller\":true}]},"
		"\"spec\":{\"network\":\"net-1\",\"subnet\":\"net\",\"address\":{\"version\":\"4\","
		"\"ip\":\"10.0.0.5/24\","
		"\"mac\":\"02:12:34:00:00:01\",\"gateway\":\"\",\"netID\":4},\"binding\":{"
		"\"nodeName\":\"node1\","
		"\"podName\":\"web-0\",\"podUID\":\"u\",\"stateful\":{\"index\":0}}},"
		"\"status\":null}"); // as if it were not there
	const struct ipinstance *i = OBJECT_AS(ipinstance, obj);
	char buf[64];

	assert_string_equal(obj->meta.namespace, "test");
	assert_true(obj->meta.owners[0].controller);
	assert_string_equal(i->network, "net-1");
	assert_string_equal(i->subnet, "net");
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

static void bad_reserved_address_is_kept_for_admission_to_name(void **)
{
	struct object *obj = decoded(HEAD
		"\"Subnet\",\"metadata\":{\"name\":\"s\"},\"spec\":{\"network\":\"n\",\"range\":"
		"{\"version\":\"4\",\"cidr\":\"192.168.8.0/24\",\"reservedIPs\":[\"192.168.8.1\","
		"\"192.168.8\",\"192.168.8.2\"],\"excludeIPs\":[\"192.168.8.3\"]}}}");
	const struct subnet_obj *s = OBJECT_AS(subnet_obj, obj);

	assert_int_equal(s->range.n_reserved, 1);
	assert_true(s->range.has_bad_reserved);
	assert_string_equal(s->range.bad_reserved, "192.168.8");
	assert_int_equal(s->range.n_excluded, 1);
	assert_false(s->range.has_bad_excluded);
	object_free(obj);
}

static void unknown_types_and_vlan_5000_decode_for_admission_to_refuse(void **)
{
	struct object *obj = decoded(HEAD
		"\"Network\",\"metadata\":{\"name\":\"n\"},\"spec\":{\"type\":\"others\",\"netID\":"
		"5000,\"mode\":\"tokenring\"}}");
	const struct network *n = OBJECT_AS(network, obj);

	assert_int_equal(n->type, NETWORK_TYPE_OTHER);
	assert_string_equal(n->type_text, "others");
	assert_int_equal(n->mode, NETWORK_MODE_OTHER);
	assert_string_equal(n->mode_text, "tokenring");
	assert_int_equal(n->net_id, 5000);
	object_free(obj);
}

static void bgp_peers_are_kept_for_admission(void **)
{
	struct object *obj = decoded(
		HEAD "\"Network\",\"metadata\":{\"name\":\"n\"},\"spec\":{\"mode\":\"BGP\","
		     "\"netID\":100,"
		     "\"config\":{\"bgpPeers\":[{\"asn\":200,\"address\":\"192.168.56.254\","
		     "\"gracefulRestartSeconds\":600,\"password\":\"12345\"}]}}}");
	const struct network *n = OBJECT_AS(network, obj);

	assert_int_equal(n->n_bgp_peers, 1);
	assert_string_equal(n->bgp_peers[0].address, "192.168.56.254");
	assert_int_equal(n->bgp_peers[0].asn, 200);
	assert_int_equal(n->bgp_peers[0].graceful_restart_seconds, 600);
	object_free(obj);
}

static void ipinstance_without_version_has_that_of_its_address(void **)
{
	static const char *const addresses[][2] = {{"192.168.0.1/24", "4"}, {"fe80::1/64", "6"}};

	for (size_t i = 0; i < 2; i++) {
		char text[512];

		(void)snprintf(text, sizeof(text),
			HEAD "\"IPInstance\",\"metadata\":{\"name\":\"i\"},\"spec\":{\"address\":"
			     "{\"ip\":\"%s\",\"mac\":\"02:12:34:00:00:01\"}}}",
			addresses[i][0]);
		struct object *obj = decoded(text);
		assert_string_equal(OBJECT_AS(ipinstance, obj)->address.version, addresses[i][1]);
		object_free(obj);
	}
}

static void a_running_init_container_keeps_a_pod_from_having_ended(void **)
{
	struct object *obj = decoded(
		"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"},\"status\":{"
		"\"containerStatuses\":[{\"state\":{\"waiting\":{}}}],"
		"\"initContainerStatuses\":[{\"state\":{\"running\":{}}}]}}");

	assert_true(OBJECT_AS(pod, obj)->any_container_running);
	object_free(obj);
}

static void a_reason_of_any_length_is_no_error_of_a_pod(void **)
{
	struct object *obj = decoded(
		"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"},\"status\":{"
		"\"phase\":\"Failed\",\"reason\":\"AReasonThatSomebodyThoughtOfAtGreatLength\"}}");

	assert_string_equal(OBJECT_AS(pod, obj)->phase, "Failed");
	assert_string_equal(OBJECT_AS(pod, obj)->reason, "");
	object_free(obj);
}

static void the_controller_of_a_pod_is_the_owner_that_says_so(void **)
{
	struct object *obj = decoded(
		"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\","
		"\"ownerReferences\":[{\"kind\":\"Team\",\"name\":\"t\"},{\"kind\":\"StatefulSet\","
		"\"name\":\"web\",\"controller\":true}]}}");

	assert_string_equal(pod_controller(OBJECT_AS(pod, obj))->name, "web");
	object_free(obj);
	obj = decoded("{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"}}");
	assert_null(pod_controller(OBJECT_AS(pod, obj)));
	object_free(obj);
}

static void nodes_and_namespaces_have_labels_and_annotations(void **)
{
	struct object *obj = decoded(
		"{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"node1\",\"uid\":"
		"\"u\","
		"\"creationTimestamp\":\"2026-01-02T03:04:05Z\",\"labels\":{\"network\":"
		"\"network1\"}},"
		"\"spec\":{\"podCIDR\":3},\"status\":{\"addresses\":[{\"type\":\"InternalIP\"}]}}");

	assert_int_equal(obj->kind, KIND_NODE);
	assert_string_equal(key_values_get(&obj->meta.labels, "network"), "network1");
	assert_string_equal(obj->meta.creation_time, "2026-01-02T03:04:05Z");
	object_free(obj);
	obj = decoded(
		"{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"team-a\","
		"\"annotations\":{\"networking.alibaba.com/network-type\":\"Overlay\"}}}");
	assert_int_equal(obj->kind, KIND_NAMESPACE);
	assert_string_equal(obj->meta.namespace, "");
	assert_string_equal(
		key_values_get(&obj->meta.annotations, "networking.alibaba.com/network-type"),
		"Overlay");
	object_free(obj);
}

static void nodes_and_namespaces_are_not_offered_to_people(void **)
{
	enum kind kind;

	assert_int_equal(kind_parse("nodes", &kind), -EINVAL);
	assert_int_equal(kind_parse("Namespace", &kind), -EINVAL);
	assert_false(kind_in_dir(KIND_NODE));
	assert_true(kind_in_dir(KIND_NODEINFO));
}

static void pod_label_is_the_name_unless_it_is_too_long(void **)
{
	char label[LABEL_MAX_LEN], name[65];

	memset(name, 'a', sizeof(name));
	name[63] = '\0';
	ipinstance_pod_label(name, label);
	assert_string_equal(label, name);

	// The MD5 of 33 times "a": `printf %033d 0 | tr 0 a | md5sum`.
	name[63] = 'a';
	name[64] = '\0';
	ipinstance_pod_label(name, label);
	assert_string_equal(
		label, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab4f13cb081e412f44e99742cb128a1a5");
}

static void labels_can_be_set_and_deleted(void **)
{
	struct object *obj = decoded(
		HEAD "\"NodeInfo\",\"metadata\":{\"name\":\"n\",\"labels\":{\"a\":\"1\"}}}");
	struct key_values *labels = &obj->meta.labels;

	assert_int_equal(key_values_set(labels, "b", "2"), 0);
	assert_int_equal(key_values_set(labels, "a", "3"), 0);
	assert_int_equal(labels->n, 2);
	assert_string_equal(key_values_get(labels, "a"), "3");
	key_values_del(labels, "a");
	key_values_del(labels, "absent");
	assert_null(key_values_get(labels, "a"));
	assert_string_equal(key_values_get(labels, "b"), "2");
	object_free(obj);
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
		cmocka_unit_test(bad_reserved_address_is_kept_for_admission_to_name),
		cmocka_unit_test(unknown_types_and_vlan_5000_decode_for_admission_to_refuse),
		cmocka_unit_test(bgp_peers_are_kept_for_admission),
		cmocka_unit_test(ipinstance_without_version_has_that_of_its_address),
		cmocka_unit_test(a_running_init_container_keeps_a_pod_from_having_ended),
		cmocka_unit_test(a_reason_of_any_length_is_no_error_of_a_pod),
		cmocka_unit_test(the_controller_of_a_pod_is_the_owner_that_says_so),
		cmocka_unit_test(nodes_and_namespaces_have_labels_and_annotations),
		cmocka_unit_test(nodes_and_namespaces_are_not_offered_to_people),
		cmocka_unit_test(pod_label_is_the_name_unless_it_is_too_long),
		cmocka_unit_test(labels_can_be_set_and_deleted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
