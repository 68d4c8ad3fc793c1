// Admission: the cases of hybridnet's own ValidateAddressRange test, and the rules around them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctrl/model/admission.h"

static struct object *object(const char *kind, const char *name, const char *spec)
{
	char text[1024], error[MODEL_ERROR_MAX] = "";
	struct object *obj = NULL;

	(void)snprintf(text, sizeof(text),
		"{\"apiVersion\":\"networking.alibaba.com/"
		"v1\",\"kind\":\"%s\",\"metadata\":{\"name\":\"%s\"},\"spec\":%s}",
		kind, name, spec);
	cJSON *json = cJSON_Parse(text);
	assert_non_null(json);
	(void)object_decode(json, &obj, error);
	assert_string_equal(error, "");
	cJSON_Delete(json);
	return obj;
}

// What creating a Subnet of an Overlay Network with that range is answered; "" if it is admitted.
static const char *range_answer(const char *range)
{
	static char message[ADMISSION_MESSAGE_MAX];
	char spec[768];
	struct object *net = object("Network", "n", "{\"type\":\"Overlay\",\"netID\":4}");
	const struct network *networks[] = {OBJECT_AS(network, net)};
	struct admission_view view = {.networks = networks, .n_networks = 1};

	(void)snprintf(spec, sizeof(spec), "{\"network\":\"n\",\"range\":%s}", range);
	struct object *subnet = object("Subnet", "s", spec);
	message[0] = '\0';
	bool ok = admit_subnet_create(&view, OBJECT_AS(subnet_obj, subnet), message);
	assert_int_equal(ok, message[0] == '\0');
	object_free(subnet);
	object_free(net);
	return message;
}

static void ranges_are_answered_as_by_hybridnet(void **)
{
	static const char *const cases[][2] = {
		{"{\"version\":\"123\"}", "unsupported IP Version 123"},
		{"{\"version\":\"4\",\"start\":\"192.168.8\"}", "invalid range start 192.168.8"},
		{"{\"version\":\"4\",\"end\":\"192.168.8\"}", "invalid range end 192.168.8"},
		{"{\"version\":\"4\",\"cidr\":\"192.168.8.0/24\",\"gateway\":\"192.168.8\"}",
			"invalid range gateway 192.168.8"},
		{"{\"version\":\"6\",\"cidr\":\"192.168.8.0/24\",\"gateway\":\"192.168.8.254\"}",
			"address families of ip version and gateway mismatch"},
		{"{\"version\":\"6\",\"cidr\":\"192.168.8.0/24\"}",
			"address families of ip version and CIDR mismatch"},
		{"{\"version\":\"4\",\"cidr\":\"192.168.8/24\"}",
			"invalid range CIDR 192.168.8/24"},
		{"{\"version\":\"4\",\"cidr\":\"192.168.8.10/24\"}",
			"CIDR notation is not standard, should start from 192.168.8.0 but from "
			"192.168.8.10"},
		{"{\"version\":\"4\",\"cidr\":\"192.168.8.0/24\",\"start\":\"192.168.9.1\"}",
			"start 192.168.9.1 is not in CIDR 192.168.8.0/24"},
		{"{\"version\":\"4\",\"cidr\":\"192.168.8.0/24\",\"end\":\"192.168.9.1\"}",
			"end 192.168.9.1 is not in CIDR 192.168.8.0/24"},
		{"{\"version\":\"4\",\"cidr\":\"192.168.8.0/"
		 "24\",\"start\":\"192.168.8.11\",\"end\":\"192.168.8.10\"}",
			"subnet should have at least one available IP. start=192.168.8.11, "
			"end=192.168.8.10"},
		{"{\"version\":\"4\",\"cidr\":\"192.168.8.0/24\",\"gateway\":\"192.168.9.254\"}",
			"gateway 192.168.9.254 is not in CIDR 192.168.8.0/24"},
		{"{\"version\":\"4\",\"cidr\":\"192.168.8.0/"
		 "24\",\"reservedIPs\":[\"192.168.9.100\"]}",
			"reserved ip 192.168.9.100 is not in CIDR 192.168.8.0/24"},
		{"{\"version\":\"4\",\"cidr\":\"192.168.8.0/"
		 "24\",\"excludeIPs\":[\"192.168.9.100\"]}",
			"excluded ip 192.168.9.100 is not in CIDR 192.168.8.0/24"},
		{"{\"version\":\"4\",\"cidr\":\"192.168.8.1/32\"}",
			"types of /32 or /128 cidrs is not supported"},
		{"{\"version\":\"4\",\"cidr\":\"192.168.8.0/"
		 "24\",\"start\":\"192.168.8.10\",\"end\":\"192.168.8.100\","
		 "\"gateway\":\"192.168.8.254\",\"reservedIPs\":[\"192.168.8.50\"],\"excludeIPs\":["
		 "\"192.168.8.90\"]}",
			""},
		{"{\"version\":\"6\",\"cidr\":\"fd00::/64\"}", ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(range_answer(cases[i][0]), cases[i][1]);
}

static void vlan_id_beyond_4094_is_refused(void **)
{
	struct object *net = object("Network", "n",
		"{\"type\":\"Underlay\",\"netID\":5000,\"nodeSelector\":{\"a\":\"b\"}}");
	struct admission_view view = {0};
	char message[ADMISSION_MESSAGE_MAX] = "";

	assert_false(admit_network_create(&view, OBJECT_AS(network, net), message));
	assert_string_equal(message, "VLAN id 5000 is out of range 0-4094");
	object_free(net);
}

static void subnet_in_use_and_network_with_subnets_stay(void **)
{
	struct object *net = object("Network", "n", "{\"type\":\"Overlay\",\"netID\":4}");
	struct object *subnet = object("Subnet", "s",
		"{\"network\":\"n\",\"range\":{\"version\":\"4\",\"cidr\":\"10.0.0.0/24\"}}");
	struct object *ip = object("IPInstance", "10-0-0-5",
		"{\"network\":\"n\",\"subnet\":\"s\",\"address\":{\"version\":\"4\",\"ip\":\"10.0."
		"0.5/24\",\"mac\":"
		"\"02:12:34:00:00:01\"}}");
	const struct network *networks[] = {OBJECT_AS(network, net)};
	const struct subnet_obj *subnets[] = {OBJECT_AS(subnet_obj, subnet)};
	const struct ipinstance *ips[] = {OBJECT_AS(ipinstance, ip)};
	struct admission_view view = {.networks = networks,
		.n_networks = 1,
		.subnets = subnets,
		.n_subnets = 1,
		.ipinstances = ips,
		.n_ipinstances = 1};
	char message[ADMISSION_MESSAGE_MAX] = "";

	assert_true(admit_ipinstance(&view, ips[0], message));
	assert_false(admit_subnet_delete(&view, subnets[0], message));
	assert_string_equal(message, "still have using ips [10.0.0.5/24]");
	assert_false(admit_network_delete(&view, networks[0], message));
	assert_string_equal(message, "still have child subnet s");
	object_free(net);
	object_free(subnet);
	object_free(ip);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_answered_as_by_hybridnet),
		cmocka_unit_test(vlan_id_beyond_4094_is_refused),
		cmocka_unit_test(subnet_in_use_and_network_with_subnets_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
