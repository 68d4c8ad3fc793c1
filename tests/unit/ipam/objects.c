// Networks and Subnets for tests of address management.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "objects.h"
#include "tests/unit/model/object.h"

#define SPEC_MAX 4096

void put_network(struct ipam *ipam, const char *name, const char *spec, const char *status)
{
	struct object *obj = object_of("Network", name, spec, status);

	assert_int_equal(ipam_put_network(ipam, OBJECT_AS(network, obj)), 0);
	object_free(obj);
}

static int put(struct ipam *ipam, const char *name, const char *spec, const char *more,
	char error[IPAM_ERROR_MAX])
{
	struct object *obj = object_of("Subnet", name, spec, more);
	int ret = ipam_put_subnet(ipam, OBJECT_AS(subnet_obj, obj), error);

	object_free(obj);
	return ret;
}

static const char *version_of(const char *range)
{
	return strstr(range, "::") != NULL ? "6" : "4";
}

int put_subnet_range(struct ipam *ipam, const char *name, const char *network, const char *range,
	const char *more, char error[IPAM_ERROR_MAX])
{
	char spec[SPEC_MAX];

	(void)snprintf(spec, sizeof(spec), "\"network\":\"%s\",\"range\":{\"version\":\"%s\",%s}",
		network, version_of(range), range);
	return put(ipam, name, spec, more, error);
}

int put_subnet_private(struct ipam *ipam, const char *name, const char *network, const char *range,
	bool private, char error[IPAM_ERROR_MAX])
{
	char spec[SPEC_MAX];

	(void)snprintf(spec, sizeof(spec),
		"\"network\":\"%s\",\"config\":{\"private\":%s},\"range\":{\"version\":\"%s\",%s}",
		network, private ? "true" : "false", version_of(range), range);
	return put(ipam, name, spec, "", error);
}

void put_subnet(struct ipam *ipam, const char *name, const char *network, const char *range)
{
	char error[IPAM_ERROR_MAX] = "";

	(void)put_subnet_range(ipam, name, network, range, "", error);
	assert_string_equal(error, "");
}

struct in6_addr ip_of(const char *text)
{
	struct in6_addr ip;

	assert_int_equal(ip_parse(text, &ip), 0);
	return ip;
}

int setup(void **state)
{
	*state = ipam_new();
	put_network(*state, "net", OVERLAY, "");
	return 0;
}

int teardown(void **state)
{
	ipam_free(*state);
	return 0;
}

const char *got(struct ipam *ipam, enum ip_family family, const char *subnet4, const char *subnet6)
{
	static char text[2 * IP_TEXT_MAX + IPAM_ERROR_MAX];
	struct ipam_address a[2];
	char error[IPAM_ERROR_MAX] = "", buf[IP_TEXT_MAX];
	size_t n = 0;

	int ret = ipam_allocate(ipam, "net", family, subnet4, subnet6, "default/pod", a, &n, error);
	assert_int_equal(ret == 0, error[0] == '\0');
	(void)snprintf(text, sizeof(text), "%s", error);
	for (size_t i = 0; i < n; i++) {
		strcat(text, i > 0 ? " " : "");
		strcat(text, ip_text(&a[i].ip.ip, buf));
	}
	return text;
}

void assert_count(struct ipam *ipam, const char *subnet, int64_t total, int64_t used)
{
	struct ipam_usage usage;

	assert_int_equal(ipam_subnet_usage(ipam, subnet, &usage), 0);
	assert_int_equal(usage.count.total, total);
	assert_int_equal(usage.count.used, used);
	assert_int_equal(usage.count.available, total - used);
}
