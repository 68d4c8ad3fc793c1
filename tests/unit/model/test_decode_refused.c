// Decoding objects: what is refused, and in which words.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/model/object.h"

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
		"[7]}}}",
		"spec.range.excludeIPs: must be a list of IP addresses, is 7");
	assert_refused(HEAD
		"\"IPInstance\",\"metadata\":{\"name\":\"n\"},\"spec\":{\"address\":{\"ip\":"
		"\"10.0.0.5\"}}}",
		"spec.address.ip: must be an address with its prefix length, is \"10.0.0.5\"");
	assert_refused(HEAD "\"Network\",\"metadata\":{\"name\":\"n\",\"labels\":{\"a\":1}}}",
		"metadata.labels: must be a mapping of strings, is 1");
}

static void names_are_dns_subdomains(void **)
{
	static const char *const bad[] = {
		"", "-a", "a-", ".a", "a.", "a..b", "a.-b", "a-.b", "A", "a_b", "a/b", "\xc3\xa4"};
	char text[512], want[512];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text),
			HEAD "\"NodeInfo\",\"metadata\":{\"name\":\"%s\"}}", bad[i]);
		(void)snprintf(want, sizeof(want),
			"metadata.name: must be a DNS subdomain, is \"%s\"", bad[i]);
		assert_refused(text, want);
	}
	object_free(decoded(HEAD "\"NodeInfo\",\"metadata\":{\"name\":\"node-1.example.0\"}}"));
	assert_refused(HEAD "\"NodeInfo\"}", "metadata.name: must be a DNS subdomain");
	assert_refused("{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\","
		       "\"namespace\":\"a.b\"}}",
		"metadata.namespace: must be a DNS label, is \"a.b\"");
}

static void text_that_does_not_fit_is_refused_not_cut(void **)
{
	char text[1024], name[300];

	memset(name, 'a', sizeof(name));
	name[NAME_MAX_LEN] = '\0';
	(void)snprintf(
		text, sizeof(text), HEAD "\"NodeInfo\",\"metadata\":{\"name\":\"%s\"}}", name);
	cJSON *json = cJSON_Parse(text);
	struct object *obj = NULL;
	char error[MODEL_ERROR_MAX];
	assert_int_equal(object_decode(json, &obj, error), -EINVAL);
	assert_memory_equal(error, "metadata.name: must be shorter, is \"aaa", 38);
	cJSON_Delete(json);

	name[LABEL_MAX_LEN] = '\0';
	(void)snprintf(text, sizeof(text),
		HEAD "\"NodeInfo\",\"metadata\":{\"name\":\"n\",\"labels\":{\"a\":\"%s\"}}}", name);
	json = cJSON_Parse(text);
	assert_int_equal(object_decode(json, &obj, error), -EINVAL);
	assert_memory_equal(
		error, "metadata.labels: must be a mapping of strings of at most 63", 59);
	cJSON_Delete(json);
}

static void fields_of_wrong_type_are_refused(void **)
{
	static const char *const cases[][2] = {
		{"\"metadata\":3", "metadata: must be a mapping, is 3"},
		{"\"metadata\":{\"name\":\"n\"},\"spec\":{\"netID\":\"4\"}",
			"spec.netID: must be an integer, is \"4\""},
		{"\"metadata\":{\"name\":\"n\"},\"spec\":{\"netID\":1e300}",
			"spec.netID: must be an integer, is 1.0000000000000001e+300"},
		{"\"metadata\":{\"name\":\"n\"},\"spec\":{\"type\":[]}",
			"spec.type: must be a string"},
		{"\"metadata\":{\"name\":\"n\"},\"spec\":{\"nodeSelector\":[\"a\"]}",
			"spec.nodeSelector: must be a mapping"},
		{"\"metadata\":{\"name\":\"n\"},\"status\":{\"nodeList\":{}}",
			"status.nodeList: must be a list"},
		{"\"metadata\":{\"name\":\"n\",\"ownerReferences\":[1]}",
			"metadata.ownerReferences: must be a list of mappings, is 1"},
		{"\"metadata\":{\"name\":\"n\",\"finalizers\":[\"a\",1]}",
			"metadata.finalizers: must be a list of strings, is 1"},
		{"\"metadata\":{\"name\":\"n\"},\"spec\":{\"config\":{\"bgpPeers\":[\"a\"]}}",
			"spec.config.bgpPeers: must be a list of mappings, is \"a\""},
	};
	char text[512];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(text, sizeof(text), HEAD "\"Network\",%s}", cases[i][0]);
		assert_refused(text, cases[i][1]);
	}
}

static void unknown_field_is_found_wherever_it_is(void **)
{
	static const char *const cases[][2] = {
		{"\"Subnet\",\"spec\":{\"rnage\":1}", "spec.rnage"},
		{"\"Subnet\",\"spec\":{\"range\":{\"versio\":1}}", "spec.range.versio"},
		{"\"Subnet\",\"Spec\":{}", "Spec"},
		{"\"Subnet\",\"spec\":{\"network netID\":1}", "spec.network netID"},
		{"\"Subnet\",\"spec\":{\"\":1}", "spec."},
		{"\"Subnet\",\"status\":{\"conditions\":[{\"anything\":1}],\"x\":1}", "status.x"},
		{"\"Network\",\"spec\":{\"switchID\":\"a\",\"vlan\":1}", "spec.vlan"},
		{"\"Network\",\"spec\":{\"config\":{\"bgpPeers\":[{\"asn\":1},{\"as\":1}]}}",
			"spec.config.bgpPeers.as"},
		{"\"IPInstance\",\"spec\":{\"binding\":{\"stateful\":{\"i\":0}}}",
			"spec.binding.stateful.i"},
		{"\"NodeInfo\",\"spec\":{\"vtepInfo\":{\"IP\":\"\"}}", "spec.vtepInfo.IP"},
		{"\"Network\",\"metadata\":{\"any\":1},\"spec\":{\"nodeSelector\":{\"any\":\"1\"}}",
			NULL},
	};
	char text[512], buf[MODEL_ERROR_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(text, sizeof(text), HEAD "%s}", cases[i][0]);
		cJSON *json = cJSON_Parse(text);
		assert_non_null(json);
		const char *got = object_unknown_field(json, true, buf);
		if (cases[i][1] == NULL)
			assert_null(got);
		else
			assert_string_equal(got, cases[i][1]);
		cJSON_Delete(json);
	}
}

static void fields_of_pods_are_not_ours_to_judge(void **)
{
	cJSON *json = cJSON_Parse("{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"x\":1}");
	char buf[MODEL_ERROR_MAX];

	assert_null(object_unknown_field(json, true, buf));
	cJSON_Delete(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_name_the_field_and_what_stands_there),
		cmocka_unit_test(names_are_dns_subdomains),
		cmocka_unit_test(text_that_does_not_fit_is_refused_not_cut),
		cmocka_unit_test(fields_of_wrong_type_are_refused),
		cmocka_unit_test(unknown_field_is_found_wherever_it_is),
		cmocka_unit_test(fields_of_pods_are_not_ours_to_judge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
