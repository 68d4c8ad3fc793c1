// The command line of strata-manager.
#include "ctrl/manager/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct options o;
static char error[OPTIONS_ERROR_MAX];
static const char *network_type;

static const char *env(const char *name)
{
	return strcmp(name, "DEFAULT_NETWORK_TYPE") == 0 ? network_type : NULL;
}

static enum options_result parse(const char *a, const char *b)
{
	static char first[128], second[128]; // borrowed by the options
	char name[] = "strata-manager";
	char *argv[] = {name, first, second, NULL};
	int argc = 1 + (a != NULL) + (b != NULL);

	if (a != NULL)
		strcpy(first, a);
	if (b != NULL)
		strcpy(second, b);
	argv[argc] = NULL;
	error[0] = '\0';
	return options_parse(argc, argv, env, &o, error);
}

static void assert_wrong(const char *a, const char *b, const char *want)
{
	assert_int_equal(parse(a, b), OPTIONS_WRONG);
	assert_string_equal(error, want);
}

static void without_flags_it_is_as_hybridnet_is(void **)
{
	network_type = NULL;
	assert_int_equal(parse(NULL, NULL), OPTIONS_RUN);
	assert_true(o.default_ip_retain && o.leader_elect);
	assert_false(o.vm_ip_retain);
	assert_int_equal(o.metrics_port, 9899);
	assert_int_equal(o.lease_ms, 15000);
	assert_string_equal(o.default_network_type, "");
}

static void flags_are_taken_as_go_takes_them(void **)
{
	network_type = "overlay";
	assert_int_equal(parse("--default-ip-retain=false", "--leader-elect"), OPTIONS_RUN);
	assert_false(o.default_ip_retain);
	assert_true(o.leader_elect);
	assert_string_equal(o.default_network_type, "overlay");
	assert_int_equal(parse("--metrics-port", "1234"), OPTIONS_RUN);
	assert_int_equal(o.metrics_port, 1234);
	assert_int_equal(
		parse("--leader-elect-retry-period=500ms", "--leader-elect-lease-duration=1m"),
		OPTIONS_RUN);
	assert_int_equal(o.retry_ms, 500);
	assert_int_equal(o.lease_ms, 60000);
	assert_int_equal(
		parse("--feature-gates=MultiCluster=false,VMIPRetain=true", NULL), OPTIONS_RUN);
	assert_true(o.vm_ip_retain);
	assert_int_equal(parse("--help", NULL), OPTIONS_HELP);
	assert_int_equal(parse("--version", NULL), OPTIONS_VERSION);
}

static void what_is_wrong_is_named(void **)
{
	network_type = NULL;
	assert_wrong("--metrics-port=70000", NULL, "--metrics-port: '70000' is no port");
	assert_wrong("--default-ip-retain=maybe", NULL,
		"--default-ip-retain: 'maybe' must be true or false");
	assert_wrong("--nothing", NULL, "'--nothing' is no option");
	assert_wrong("--kubeconfig", NULL, "'--kubeconfig' needs a value");
	assert_wrong("more", NULL, "'more' is no option");
	assert_wrong("--feature-gates=MultiCluster=true", NULL,
		"--feature-gates: there is no 'MultiCluster'");
	assert_wrong("--feature-gates=VMIPRetain", NULL,
		"--feature-gates: 'VMIPRetain' must be true or false");
	assert_wrong("--leader-elect-retry-period=2", NULL,
		"--leader-elect-retry-period: '2' is no time such as 15s or 500ms");
	assert_wrong("--leader-elect-lease-duration=9s", NULL,
		"the lease duration (of a second or more) must be longer than the renew deadline, "
		"and that than the retry period");
	network_type = "sideways";
	assert_wrong(NULL, NULL, "DEFAULT_NETWORK_TYPE: unrecognized network type sideways");
}

static void hybridnets_other_flags_are_known(void **)
{
	assert_int_equal(parse("--kube-client-qps=300", "--kube-client-burst=500"), OPTIONS_RUN);
	assert_true(o.qps > 299 && o.qps < 301);
	assert_int_equal(o.burst, 500);
	assert_int_equal(
		parse("--pod-label-selector=app in (a,b)", "--controller-concurrency=Pod=1,IPAM=1"),
		OPTIONS_RUN);
	assert_string_equal(o.pod_selector, "app in (a,b)");
	assert_true(o.concurrency);
	assert_wrong("--pod-label-selector=app IN (a)", NULL,
		"--pod-label-selector: \"IN\" is not a valid pod selector operator");
	assert_wrong(
		"--kube-client-qps=-1", NULL, "--kube-client-qps: '-1' is no number of requests");
	assert_wrong(
		"--kube-client-burst=0", NULL, "--kube-client-burst: '0' is no number of requests");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hybridnets_other_flags_are_known),
		cmocka_unit_test(without_flags_it_is_as_hybridnet_is),
		cmocka_unit_test(flags_are_taken_as_go_takes_them),
		cmocka_unit_test(what_is_wrong_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
