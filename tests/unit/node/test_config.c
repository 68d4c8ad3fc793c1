// The daemon's configuration: defaults, the shipped sample, and what is refused with which words.
#include "ctrl/node/config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctrl/node/config_keys.h"
#include "ctrl/store/yaml.h"

static char error[512];
static char path[] = "/tmp/test-config-XXXXXX";

// Loads text as the configuration file.
static int load(const char *text, struct config *ret)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	error[0] = '\0';
	return config_load(path, ret, error);
}

// The text is refused, and the message has all of these words.
static void expect_refused(const char *text, const char *where, const char *what)
{
	struct config c;

	assert_int_equal(load(text, &c), -EINVAL);
	if (strstr(error, where) == NULL || strstr(error, what) == NULL)
		fail_msg("'%s' has not '%s' and '%s'", error, where, what);
}

static void without_a_file_all_defaults_hold(void **)
{
	struct config c;

	assert_int_equal(setenv("NODE_NAME", "Worker-7", 1), 0);
	assert_int_equal(config_load(NULL, &c, error), 0);
	assert_string_equal(c.node_name, "worker-7");
	assert_string_equal(c.socket, "/run/strata/vswitchd.sock");
	assert_string_equal(c.manager.default_ip_family, "IPv4");
	assert_string_equal(c.manager.lock_path, "/var/lib/strata/objects/.manager.lock");
	assert_int_equal(c.vxlan_port, 8472);
	assert_int_equal(c.n_worker_cpus, 1);
	assert_true(c.uplink_carries_host);
	config_fini(&c);
	assert_int_equal(unsetenv("NODE_NAME"), 0);
}

static void the_sample_says_the_defaults(void **)
{
	struct config sample, none;

	if (config_load(SAMPLE, &sample, error) != 0)
		fail_msg("%s", error);
	assert_int_equal(config_load(NULL, &none, error), 0);
	assert_string_equal(sample.manager.stateful_kinds, none.manager.stateful_kinds);
	assert_string_equal(sample.manager.lock_path, none.manager.lock_path);
	assert_string_equal(sample.manager.default_network_type, none.manager.default_network_type);
	assert_string_equal(sample.manager.default_ip_family, none.manager.default_ip_family);
	assert_int_equal(sample.node_labels.n, 0);
	assert_int_equal(sample.n_host_addr, 0);
	assert_int_equal(sample.n_worker_cpus, none.n_worker_cpus);
	assert_int_equal(sample.worker_cpus[0], none.worker_cpus[0]);
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *k = &config_keys[i];

		if (k->size > 0 && k->type != CONFIG_CHOICE_TEXT &&
			memcmp((char *)&sample + k->offset, (char *)&none + k->offset, k->size) !=
				0)
			fail_msg("the sample's %s is not the default", k->path);
	}
	config_fini(&sample);
	config_fini(&none);
}

static void the_sample_has_every_key(void **)
{
	for (size_t i = 0; i < config_n_keys; i++) {
		if (config_line(SAMPLE, config_keys[i].path) == 0)
			fail_msg("the sample does not have %s", config_keys[i].path);
	}
}

static void every_key_has_a_place_of_its_own(void **)
{
	for (size_t i = 0; i < config_n_keys; i++) {
		for (size_t j = 0; j < i; j++) {
			const struct config_key *a = &config_keys[i], *b = &config_keys[j];

			if (a->size > 0 && b->size > 0 && a->offset == b->offset)
				fail_msg("%s is where %s is", a->path, b->path);
		}
	}
}

static void values_are_taken_over(void **)
{
	struct config c;
	char text[IP_TEXT_MAX];

	int ret = load(
		"node: {name: n1, labels: {zone: a}}\n"
		"uplink: {device: 'net_af_xdp0,iface=eth1', queues: 2, carriesHost: false}\n"
		"host: {addresses: [10.0.0.1/24, 'fd00::1/64'], gateways: ['fd00::fe', "
		"10.0.0.254]}\n"
		"vtep: {address: 10.0.0.1}\n"
		"workers: {cpus: [3, 1], rebalance: {interval: 0}}\n"
		"ports: {afxdp: {mode: native}, mtu: 9000}\n"
		"manager: {defaultIPFamily: DualStack, statefulKinds: [StatefulSet, CloneSet]}\n",
		&c);
	if (ret != 0)
		fail_msg("%s", error);
	assert_string_equal(c.node_name, "n1");
	assert_string_equal(key_values_get(&c.node_labels, "zone"), "a");
	assert_int_equal(c.uplink_queues, 2);
	assert_false(c.uplink_carries_host);
	assert_int_equal(c.n_host_addr, 2);
	assert_int_equal(c.host_addr[0].prefix_len, 24);
	assert_int_equal(c.host_addr[1].prefix_len, 64);
	assert_string_equal(ip_text(&c.host_gateway4, text), "10.0.0.254");
	assert_string_equal(ip_text(&c.host_gateway6, text), "fd00::fe");
	assert_string_equal(ip_text(&c.vtep, text), "10.0.0.1");
	assert_int_equal(c.worker_cpus[0], 3);
	assert_int_equal(c.worker_cpus[1], 1);
	assert_int_equal(c.rebalance_interval, 0);
	assert_true(c.afxdp_native);
	assert_int_equal(c.pod_mtu, 9000);
	assert_string_equal(c.manager.default_ip_family, "DualStack");
	assert_string_equal(c.manager.stateful_kinds, "StatefulSet,CloneSet");
	config_fini(&c);
}

static void the_store_is_a_directory_unless_kubernetes_is_asked_for(void **)
{
	struct config c;

	assert_int_equal(load("# nothing\n", &c), 0);
	assert_false(c.store_kube);
	config_fini(&c);
	assert_int_equal(load("store: {kind: kube, kubeconfig: /etc/kubeconfig}\n", &c), 0);
	assert_true(c.store_kube);
	assert_string_equal(c.kubeconfig, "/etc/kubeconfig");
	config_fini(&c);
	expect_refused("store: {kind: etcd}\n", "'store.kind'", "dir or kube");
}

static void the_environment_says_which_family_pods_have_by_default(void **)
{
	struct config c;

	assert_int_equal(setenv("DEFAULT_IP_FAMILY", "dualstack", 1), 0);
	assert_int_equal(load("# nothing\n", &c), 0);
	assert_string_equal(c.manager.default_ip_family, "DualStack");
	config_fini(&c);
	assert_int_equal(load("manager: {defaultIPFamily: IPv6}\n", &c), 0);
	assert_string_equal(c.manager.default_ip_family, "IPv6");
	config_fini(&c);
	assert_int_equal(setenv("DEFAULT_IP_FAMILY", "IPv5", 1), 0);
	assert_int_equal(load("# nothing\n", &c), -EINVAL);
	assert_non_null(strstr(error, "unrecognized ip family IPv5"));
	assert_int_equal(unsetenv("DEFAULT_IP_FAMILY"), 0);
}

static void an_empty_file_is_as_good_as_none(void **)
{
	struct config c;

	assert_int_equal(load("# nothing\n", &c), 0);
	assert_int_equal(c.n_buffers, 16384);
	config_fini(&c);
}

static void an_unknown_key_is_refused_with_the_nearest_one(void **)
{
	expect_refused("log:\n  level: warn\nuplink:\n  devise: x\n", ":4: 'uplink.devise'",
		"did you mean 'uplink.device'?");
	expect_refused("vtep:\n  vxlanPort: 1\n", ":2: 'vtep.vxlanPort'", "unknown");
	expect_refused("uplink: {addresses: []}\n", ":1: 'uplink.addresses'",
		"did you mean 'host.addresses'?");
	expect_refused("frobnicate: true\n", ":1: 'frobnicate'", "the sample configuration");
}

static void a_value_out_of_range_is_refused_with_the_range(void **)
{
	expect_refused("vtep: {port: 65536}", "'vtep.port'", "from 1 to 65535");
	expect_refused("vtep: {port: 1.5}", "'vtep.port'", "whole number");
	expect_refused("vtep: {port: '8472'}", "'vtep.port'", "whole number");
	expect_refused("uplink: {mtu: 1000}", "'uplink.mtu'", "from 1280 to 65535, or 0");
	expect_refused("ports: {afxdp: {ringSize: 300}}", "'ports.afxdp.ringSize'", "power of two");
	expect_refused("ports: {afxdp: {mode: fast}}", "'ports.afxdp.mode'", "generic or native");
	expect_refused("workers: {busy: 1}", "'workers.busy'", "true or false");
	expect_refused("workers: {rebalance: {interval: 3601}}", "'workers.rebalance.interval'",
		"from 1 to 3600, or 0");
	expect_refused("workers: {rebalance: {load: 0}}", "'workers.rebalance.load'", "to 100");
	expect_refused("workers: {rebalance: {gain: 0}}", "'workers.rebalance.gain'", "to 100");
	expect_refused("workers: {rebalance: {times: 0}}", "'workers.rebalance.times'", "to 100");
	expect_refused("workers: {cpus: []}", "'workers.cpus'", "list of 1 to");
	expect_refused("workers: {cpus: [1, 1]}", "'workers.cpus'", "CPU 1 twice");
	expect_refused("socket: strata.sock", "'socket'", "begins with '/'");
	expect_refused("node: {name: UPPER}", "'node.name'", "lower-case");
	expect_refused("node: {labels: {a: 1}}", "'node.labels'", "put it in quotes");
	expect_refused("host: {addresses: [10.0.0.1]}", "'host.addresses'", "prefix length");
	expect_refused("host: {gateways: [10.0.0.1, 10.0.0.2]}", "'host.gateways'", "one gateway");
	expect_refused("host: {interface: averylongname}", "'host.interface'", "12 characters");
	expect_refused("log: {level: loud}", "'log.level'", "notice");
	expect_refused("uplink: eth0", "'uplink'", "mapping");
}

static void a_file_that_is_no_mapping_is_refused(void **)
{
	expect_refused("- a\n", ":1:", "mapping");
	expect_refused("a: [\n", ":", "");
	expect_refused("log: {}\n---\nlog: {}\n", ":3:", "second document");
}

static void a_missing_file_is_named(void **)
{
	struct config c;

	assert_int_equal(config_load("/nonexistent/x.yaml", &c, error), -ENOENT);
	assert_non_null(strstr(error, "/nonexistent/x.yaml"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_file_all_defaults_hold),
		cmocka_unit_test(the_sample_says_the_defaults),
		cmocka_unit_test(the_sample_has_every_key),
		cmocka_unit_test(every_key_has_a_place_of_its_own),
		cmocka_unit_test(values_are_taken_over),
		cmocka_unit_test(the_store_is_a_directory_unless_kubernetes_is_asked_for),
		cmocka_unit_test(the_environment_says_which_family_pods_have_by_default),
		cmocka_unit_test(an_empty_file_is_as_good_as_none),
		cmocka_unit_test(an_unknown_key_is_refused_with_the_nearest_one),
		cmocka_unit_test(a_value_out_of_range_is_refused_with_the_range),
		cmocka_unit_test(a_file_that_is_no_mapping_is_refused),
		cmocka_unit_test(a_missing_file_is_named),
	};
	int fd = mkstemp(path);

	if (fd < 0)
		return 1;
	(void)close(fd);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(path);
	return failed;
}
