// Selection: the precedence of what is kept, what a pod says, and what its Namespace says.
#include "ctrl/ipam/selection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define API "\"apiVersion\":\"networking.alibaba.com/v1\""
#define KEY "\"networking.alibaba.com/"
#define MAX 8

static struct network *networks[MAX];
static struct subnet_obj *subnets[MAX];
static struct ipinstance *kept[MAX];
static size_t n_networks, n_subnets, n_kept;
static struct selection_conf conf;
static struct selection got;
static char error[SELECTION_ERROR_MAX];

__attribute__((format(printf, 1, 2))) static void *decoded(const char *format, ...)
{
	char text[2048], why[MODEL_ERROR_MAX] = "";
	struct object *obj = NULL;
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	cJSON *json = cJSON_Parse(text);
	assert_non_null(json);
	(void)object_decode(json, &obj, why);
	assert_string_equal(why, "");
	cJSON_Delete(json);
	return obj;
}

static void add_network(const char *name, const char *type, const char *spec)
{
	networks[n_networks++] =
		decoded("{" API ",\"kind\":\"Network\",\"metadata\":{\"name\":\"%s\"},"
			"\"spec\":{\"type\":\"%s\"%s}}",
			name, type, spec);
}

static void add_subnet(const char *name, const char *network, const char *version, const char *cidr)
{
	subnets[n_subnets++] =
		decoded("{" API ",\"kind\":\"Subnet\",\"metadata\":{\"name\":\"%s\"},"
			"\"spec\":{\"network\":\"%s\",\"range\":{\"version\":\"%s\","
			"\"cidr\":\"%s\"}}}",
			name, network, version, cidr);
}

static void add_kept(const char *network, const char *ip)
{
	kept[n_kept++] =
		decoded("{" API ",\"kind\":\"IPInstance\",\"metadata\":{\"name\":\"i\"},\"spec\":{"
			"\"network\":\"%s\",\"subnet\":\"s\",\"address\":{\"ip\":\"%s\",\"mac\":"
			"\"02:12:34:00:00:01\"}}}",
			network, ip);
}

static int setup(void **)
{
	n_networks = n_subnets = n_kept = 0;
	conf = (struct selection_conf){.stateful_kinds = "StatefulSet,Other", .ip_retain = true};
	add_network("under", "Underlay", ",\"nodeSelector\":{\"network\":\"n1\"}");
	add_network("over", "Overlay", ",\"netID\":4");
	add_subnet("o4", "over", "4", "10.0.0.0/24");
	add_subnet("o6", "over", "6", "fd00::/120");
	add_subnet("u6", "under", "6", "fd01::/120");
	return 0;
}

static int teardown(void **)
{
	for (size_t i = 0; i < n_networks; i++)
		object_free(&networks[i]->obj);
	for (size_t i = 0; i < n_subnets; i++)
		object_free(&subnets[i]->obj);
	for (size_t i = 0; i < n_kept; i++)
		object_free(&kept[i]->obj);
	return 0;
}

static const struct network *find_network(void *, const char *name)
{
	for (size_t i = 0; i < n_networks; i++) {
		if (strcmp(networks[i]->obj.meta.name, name) == 0)
			return networks[i];
	}
	return NULL;
}

static const struct subnet_obj *find_subnet(void *, const char *name)
{
	for (size_t i = 0; i < n_subnets; i++) {
		if (strcmp(subnets[i]->obj.meta.name, name) == 0)
			return subnets[i];
	}
	return NULL;
}

// The answer for a pod and a Namespace with that metadata ("\"labels\":{…}").
static bool ask(const char *pod_meta, const char *namespace_meta)
{
	const struct selection_lookup lookup = {.network = find_network, .subnet = find_subnet};
	struct pod *pod =
		decoded("{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p-0\","
			"\"namespace\":\"x\"%s%s}}",
			pod_meta[0] != '\0' ? "," : "", pod_meta);
	struct object *namespace = decoded(
		"{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"x\"%s%s}}",
		namespace_meta[0] != '\0' ? "," : "", namespace_meta);

	memset(&got, 0, sizeof(got));
	error[0] = '\0';
	bool ok = selection_make(&conf, &lookup, pod, namespace,
		(const struct ipinstance *const *)kept, n_kept, &got, error);
	object_free(&pod->obj);
	object_free(namespace);
	return ok;
}

#define ANNOTATIONS(text) "\"annotations\":{" text "}"
#define LABELS(text) "\"labels\":{" text "}"

static void assert_got(const char *network, enum network_type type, enum ip_family family)
{
	assert_string_equal(error, "");
	assert_string_equal(got.network, network);
	assert_int_equal(got.type, type);
	assert_int_equal(got.family, family);
}

static void assert_refused(const char *pod_meta, const char *want)
{
	assert_false(ask(pod_meta, ""));
	assert_string_equal(error, want);
}

static void without_a_word_the_defaults_hold(void **)
{
	assert_true(ask("", ""));
	assert_got("", NETWORK_UNDERLAY, IP_FAMILY_IPV4);
	conf.network_type = "overlay";
	conf.ip_family = "dualstack";
	assert_true(ask("", ""));
	assert_got("", NETWORK_OVERLAY, IP_FAMILY_DUAL_STACK);
	assert_null(got.node_selector);
}

static void an_annotation_goes_before_a_label_and_a_pod_before_its_namespace(void **)
{
	assert_true(ask(ANNOTATIONS(KEY "network-type\":\"Underlay\"") "," LABELS(
				KEY "network-type\":\"Overlay\""),
		ANNOTATIONS(KEY "network-type\":\"GlobalBGP\"")));
	assert_got("", NETWORK_UNDERLAY, IP_FAMILY_IPV4);
	assert_true(ask(LABELS(KEY "network-type\":\"oVerlay\""),
		ANNOTATIONS(KEY "network-type\":\"Underlay\"")));
	assert_got("", NETWORK_OVERLAY, IP_FAMILY_IPV4);
	assert_true(ask(
		"", ANNOTATIONS(KEY "network-type\":\"overlay\"," KEY "ip-family\":\"IPv6Only\"")));
	assert_got("", NETWORK_OVERLAY, IP_FAMILY_IPV6);
}

static void a_namespace_is_not_asked_if_the_pod_says_anything_at_all(void **)
{
	assert_true(ask(ANNOTATIONS(KEY "ip-family\":\"IPv6\""),
		ANNOTATIONS(KEY "specified-network\":\"over\"")));
	assert_got("", NETWORK_UNDERLAY, IP_FAMILY_IPV6);
}

static void a_family_is_no_label(void **)
{
	assert_true(ask(LABELS(KEY "ip-family\":\"IPv6\""), ""));
	assert_got("", NETWORK_UNDERLAY, IP_FAMILY_IPV4);
}

static void a_network_brings_its_type_and_selector(void **)
{
	assert_true(ask(LABELS(KEY "specified-network\":\"under\""), ""));
	assert_got("under", NETWORK_UNDERLAY, IP_FAMILY_IPV4);
	assert_string_equal(key_values_get(got.node_selector, "network"), "n1");
	conf.network_type = "Underlay";
	assert_true(ask(LABELS(KEY "specified-network\":\"over\""), ""));
	assert_got("over", NETWORK_OVERLAY, IP_FAMILY_IPV4);
}

static void subnets_bring_their_network(void **)
{
	assert_true(ask(
		ANNOTATIONS(KEY "specified-subnet\":\"o4/o6\"," KEY "ip-family\":\"DualStack\""),
		""));
	assert_got("over", NETWORK_OVERLAY, IP_FAMILY_DUAL_STACK);
	assert_string_equal(got.subnets, "o4/o6");
	assert_string_equal(got.subnet4, "o4");
	assert_string_equal(got.subnet6, "o6");
	assert_true(
		ask(ANNOTATIONS(KEY "specified-subnet\":\"u6\"," KEY "ip-family\":\"IPv6\""), ""));
	assert_string_equal(got.subnet4, "");
	assert_string_equal(got.subnet6, "u6");
}

static void what_does_not_fit_is_refused_in_hybridnets_words(void **)
{
	assert_refused(ANNOTATIONS(KEY "specified-subnet\":\"a/b/c\""),
		"cannot have more than two specified subnet in dualstack");
	assert_refused(
		ANNOTATIONS(KEY "specified-subnet\":\"nope\""), "specified subnet nope not found");
	assert_refused(ANNOTATIONS(KEY "specified-subnet\":\"o6/o4\""),
		"when both ipv4/ipv6 subnets are specified, the subnet name in front of the \"/\" "
		"should be an ipv4 subnet");
	assert_refused(ANNOTATIONS(KEY "specified-subnet\":\"o4/o4\""),
		"when both ipv4/ipv6 subnets are specified, the subnet name after the \"/\" "
		"should be an ipv6 subnet");
	assert_refused(ANNOTATIONS(KEY "specified-subnet\":\"o4/u6\""),
		"the networks of ipv4/ipv6 subnets need to be the same");
	assert_refused(
		ANNOTATIONS(KEY "specified-subnet\":\"o4\"," KEY "specified-network\":\"under\""),
		"specified network and subnet conflict in /v1, Kind=Pod x/p-0");
	assert_refused(
		ANNOTATIONS(KEY "specified-network\":\"over\"," KEY "network-type\":\"underlay\""),
		"specified network over does not match network type Underlay");
	assert_refused(ANNOTATIONS(KEY "specified-network\":\"nope\""),
		"failed to get network nope: Network.networking.alibaba.com \"nope\" not found");
	assert_refused(ANNOTATIONS(KEY "network-type\":\"Sideways\""),
		"unrecognized network type Sideways");
	assert_refused(ANNOTATIONS(KEY "ip-family\":\"IPv5\""), "unrecognized ip family IPv5");
}

static void what_is_kept_goes_before_all(void **)
{
	add_kept("over", "10.0.0.5/24");
	assert_true(ask(
		ANNOTATIONS(KEY "specified-network\":\"under\"," KEY "ip-family\":\"IPv6\""), ""));
	assert_got("over", NETWORK_OVERLAY, IP_FAMILY_IPV4);
	assert_true(got.retained);
	assert_string_equal(got.subnet4, "");
	add_kept("over", "fd00::5/120");
	assert_true(ask("", ""));
	assert_got("over", NETWORK_OVERLAY, IP_FAMILY_DUAL_STACK);
}

static void what_is_kept_must_be_an_address_of_a_family_each(void **)
{
	add_kept("over", "10.0.0.5/24");
	add_kept("over", "10.0.0.6/24");
	assert_refused("", "more than two ip instances are of the same family type, ipv4 count 2, "
			   "ipv6 count 0");
	add_kept("over", "fd00::5/120");
	assert_refused("", "more than two reserve ip exist for list options pod=p-0");
}

static void the_pod_says_whether_it_keeps_its_addresses(void **)
{
	static const struct {
		const char *kind, *retain;
		bool preset, want;
	} cases[] = {
		{"StatefulSet", "", true, true},
		{"StatefulSet", "true", true, true},
		{"StatefulSet", "false", true, false},
		{"Other", "", false, false},
		{"Other", "false", false, false},
		{"Other", "1", false, true},
		{"Other", "yes", false, false},
		{"StatefulSet", "1,t", false, false},
		{"ReplicaSet", "true", true, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pod *pod = decoded(
			"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p-0\","
			"\"annotations\":{" KEY "ip-retain\":\"%s\"},\"ownerReferences\":[{"
			"\"kind\":\"%s\",\"name\":\"o\",\"controller\":true}]}}",
			cases[i].retain, cases[i].kind);
		conf.ip_retain = cases[i].preset;
		assert_int_equal(selection_retains(&conf, pod), cases[i].want);
		object_free(&pod->obj);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_a_word_the_defaults_hold),
		TEST(an_annotation_goes_before_a_label_and_a_pod_before_its_namespace),
		TEST(a_namespace_is_not_asked_if_the_pod_says_anything_at_all),
		TEST(a_family_is_no_label),
		TEST(a_network_brings_its_type_and_selector),
		TEST(subnets_bring_their_network),
		TEST(what_does_not_fit_is_refused_in_hybridnets_words),
		TEST(what_is_kept_goes_before_all),
		TEST(what_is_kept_must_be_an_address_of_a_family_each),
		TEST(the_pod_says_whether_it_keeps_its_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
