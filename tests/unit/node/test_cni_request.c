// CNI requests: what is taken, and which code and words the rest gets.
#include "ctrl/node/cni_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct cni_request r;
static struct cni_failure f;

static int parse(const char *text)
{
	cJSON *json = cJSON_Parse(text);

	assert_non_null(json);
	memset(&f, 0, sizeof(f));
	int code = cni_request_parse(json, &r, &f);
	cJSON_Delete(json);
	return code;
}

static void expect(const char *text, int code, const char *word)
{
	assert_int_equal(parse(text), code);
	assert_int_equal(f.code, code);
	if (strstr(f.msg, word) == NULL)
		fail_msg("'%s' does not have '%s'", f.msg, word);
}

#define ADD(rest) "{\"cni\":\"ADD\",\"containerID\":\"c1\",\"ifname\":\"eth0\"," rest "}"
#define NETNS "\"netns\":\"/run/netns/x\","
#define CONFIG "\"config\":{\"name\":\"n\"}"

static void an_add_is_taken_apart(void **)
{
	assert_int_equal(
		parse(ADD(
			NETNS "\"args\":{\"K8S_POD_NAMESPACE\":\"prod\",\"K8S_POD_NAME\":\"web-0\","
			      "\"K8S_POD_UID\":\"u-1\",\"IgnoreUnknown\":\"1\"},"
			      "\"config\":{\"name\":\"n\",\"args\":{\"strata\":{\"portKind\":"
			      "\"vhost-user\",\"annotations\":{\"a\":\"b\"}}}}")),
		0);
	assert_int_equal(r.command, CNI_ADD);
	assert_string_equal(r.container_id, "c1");
	assert_string_equal(r.ifname, "eth0");
	assert_string_equal(r.netns, "/run/netns/x");
	assert_string_equal(r.namespace, "prod");
	assert_string_equal(r.pod, "web-0");
	assert_string_equal(r.uid, "u-1");
	assert_string_equal(r.network_name, "n");
	assert_string_equal(r.port_kind, "vhost-user");
	assert_string_equal(cJSON_GetObjectItem(r.annotations, "a")->valuestring, "b");
	assert_null(r.labels);
	cni_request_fini(&r);
}

static void a_pod_without_a_name_is_called_after_its_container(void **)
{
	assert_int_equal(parse("{\"cni\":\"ADD\",\"containerID\":\"AB_cdef0123456789\",\"ifname\":"
			       "\"eth0\"," NETNS CONFIG "}"),
		0);
	assert_string_equal(r.namespace, "default");
	assert_string_equal(r.pod, "ab-cdef01234");
	cni_request_fini(&r);
	assert_int_equal(
		parse("{\"cni\":\"ADD\",\"containerID\":\"a__\",\"ifname\":\"eth0\"," NETNS CONFIG
		      "}"),
		0);
	assert_string_equal(r.pod, "a");
	cni_request_fini(&r);
}

static void the_environment_is_checked(void **)
{
	expect("{\"cni\":\"FROB\"}", CNI_BAD_ENVIRONMENT, "'FROB'");
	expect("{\"cni\":5}", CNI_BAD_ENVIRONMENT, "CNI_COMMAND");
	expect(ADD(CONFIG), CNI_BAD_ENVIRONMENT, "CNI_NETNS is not set");
	expect(ADD("\"netns\":\"x\"," CONFIG), CNI_BAD_ENVIRONMENT, "CNI_NETNS");
	expect("{\"cni\":\"DEL\",\"ifname\":\"eth0\"}", CNI_BAD_ENVIRONMENT, "CNI_CONTAINERID");
	expect("{\"cni\":\"DEL\",\"containerID\":\"../etc\",\"ifname\":\"eth0\"}",
		CNI_BAD_ENVIRONMENT, "CNI_CONTAINERID");
	expect("{\"cni\":\"DEL\",\"containerID\":\"a/b\",\"ifname\":\"eth0\"}", CNI_BAD_ENVIRONMENT,
		"CNI_CONTAINERID");
	expect("{\"cni\":\"DEL\",\"containerID\":\"c\",\"ifname\":\"../x\"}", CNI_BAD_ENVIRONMENT,
		"CNI_IFNAME");
	expect("{\"cni\":\"DEL\",\"containerID\":\"c\",\"ifname\":\"sixteen-letters-\"}",
		CNI_BAD_ENVIRONMENT, "CNI_IFNAME");
	expect(ADD(NETNS "\"args\":{\"K8S_POD_NAME\":\"../x\"}," CONFIG), CNI_BAD_ENVIRONMENT,
		"K8S_POD_NAME");
	expect(ADD(NETNS "\"args\":{\"K8S_POD_NAMESPACE\":\"a.b\"}," CONFIG), CNI_BAD_ENVIRONMENT,
		"K8S_POD_NAMESPACE");
	expect(ADD(NETNS "\"args\":{\"K8S_POD_UID\":\"a/b\"}," CONFIG), CNI_BAD_ENVIRONMENT,
		"K8S_POD_UID");
}

static void the_network_configuration_is_checked(void **)
{
	expect(ADD(NETNS "\"args\":{}"), CNI_BAD_CONFIGURATION, "missing");
	expect(ADD(NETNS "\"config\":{\"args\":{\"strata\":{\"portKind\":\"tap\"}}}"),
		CNI_BAD_CONFIGURATION, "portKind 'tap'");
	expect(ADD(NETNS "\"config\":{\"args\":{\"strata\":{\"portkind\":\"afxdp\"}}}"),
		CNI_BAD_CONFIGURATION, "args.strata.portkind");
	expect(ADD(NETNS "\"config\":{\"args\":{\"strata\":{\"annotations\":{\"a\":1}}}}"),
		CNI_BAD_CONFIGURATION, "'a'");
	expect(ADD(NETNS "\"config\":{\"args\":{\"strata\":{\"labels\":[]}}}"),
		CNI_BAD_CONFIGURATION, "labels");
}

static void a_del_needs_only_its_key(void **)
{
	assert_int_equal(
		parse("{\"cni\":\"DEL\",\"containerID\":\"c\",\"ifname\":\"eth0\",\"netns\":\"\"}"),
		0);
	assert_int_equal(r.command, CNI_DEL);
	assert_string_equal(r.netns, "");
}

static void a_gc_without_its_list_removes_nothing(void **)
{
	expect("{\"cni\":\"GC\",\"config\":{\"name\":\"n\"}}", CNI_BAD_CONFIGURATION,
		"valid-attachments");
	assert_int_equal(parse("{\"cni\":\"GC\",\"config\":{\"name\":\"n\",\"cni.dev/"
			       "valid-attachments\":[]}}"),
		0);
	assert_int_equal(cJSON_GetArraySize(r.valid_attachments), 0);
	cni_request_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_add_is_taken_apart),
		cmocka_unit_test(a_pod_without_a_name_is_called_after_its_container),
		cmocka_unit_test(the_environment_is_checked),
		cmocka_unit_test(the_network_configuration_is_checked),
		cmocka_unit_test(a_del_needs_only_its_key),
		cmocka_unit_test(a_gc_without_its_list_removes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
