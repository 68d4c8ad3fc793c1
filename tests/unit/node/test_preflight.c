// Preflight and the arguments that DPDK is started with.
#include "ctrl/node/preflight.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctrl/node/eal.h"

static struct eal_args args;

// The arguments for a configuration with this uplink and one worker on CPU 0.
static void make(const char *device, bool hugepages)
{
	struct config c;
	char error[512];

	assert_int_equal(config_load(NULL, &c, error), 0);
	strcpy(c.uplink_device, device);
	c.worker_cpus[0] = 0;
	eal_args(&c, hugepages, &args);
	config_fini(&c);
	assert_null(args.argv[args.argc]);
}

static bool has(const char *arg)
{
	for (int i = 0; i < args.argc; i++) {
		if (strcmp(args.argv[i], arg) == 0)
			return true;
	}
	return false;
}

static void ordinary_memory_is_sized_by_the_buffers(void **)
{
	make("", false);
	assert_true(has("--no-huge"));
	assert_true(has("-m"));
	assert_false(has("--in-memory"));
	assert_true(has("--no-pci"));
	assert_true(has("--no-telemetry"));
}

static void hugepages_leave_no_files(void **)
{
	make("net_tap0", true);
	assert_true(has("--in-memory"));
	assert_false(has("--no-huge"));
	assert_true(has("--no-pci"));
}

static void a_pci_uplink_is_the_only_pci_device(void **)
{
	make("0000:01:00.0,rx_burst=1", true);
	assert_true(has("-a"));
	assert_true(has("0000:01:00.0,rx_burst=1"));
	assert_false(has("--no-pci"));
}

static void the_main_lcore_leaves_the_workers_theirs(void **)
{
	make("", false);
	assert_true(has("--main-lcore=1"));
	bool found = false;
	for (int i = 0; i < args.argc; i++) {
		if (strncmp(args.argv[i], "--lcores=1@(", 12) == 0 &&
			strstr(args.argv[i], "),0@0") != NULL)
			found = true;
	}
	assert_true(found);
}

static void pci_addresses_are_recognised(void **)
{
	assert_true(eal_is_pci("0000:01:00.0"));
	assert_true(eal_is_pci("01:00.1,mprq_en=1"));
	assert_false(eal_is_pci("net_af_xdp0,iface=eth1"));
	assert_false(eal_is_pci("0000:01:00.0x"));
	assert_false(eal_is_pci(""));
}

static void capabilities_are_bits_of_the_effective_set(void **)
{
	const char *status = "Name:\tx\nCapPrm:\tffffffffffffffff\nCapEff:\t0000000000001000\n";

	assert_true(preflight_has_capability(status, 12));
	assert_false(preflight_has_capability(status, 21));
	assert_false(preflight_has_capability("", 12));
}

static void the_interface_of_a_device_string_is_found(void **)
{
	char iface[64];

	assert_true(preflight_iface("net_af_xdp0,iface=eth1,start_queue=0", iface, sizeof(iface)));
	assert_string_equal(iface, "eth1");
	assert_true(
		preflight_iface("net_af_packet0,blocksz=4096,iface=eth2", iface, sizeof(iface)));
	assert_string_equal(iface, "eth2");
	assert_false(preflight_iface("net_tap0,myiface=x", iface, sizeof(iface)));
	assert_false(preflight_iface("net_vhost0,iface=/run/sock,client=1", iface, sizeof(iface)));
}

static int n_lines, n_fatal;

static void on_line(enum preflight_level level, const char *text)
{
	n_lines++;
	n_fatal += level == PREFLIGHT_FATAL;
	if (level == PREFLIGHT_FATAL && strstr(text, "uplink") == NULL && geteuid() == 0)
		fail_msg("root lacks something: %s", text);
}

static void an_interface_that_is_missing_is_fatal(void **)
{
	struct preflight_result result;
	struct config c;
	char error[512];

	assert_int_equal(config_load(NULL, &c, error), 0);
	strcpy(c.uplink_device, "net_af_xdp0,iface=nonexistent0");
	preflight_run(&c, on_line, &result);
	config_fini(&c);
	assert_true(n_lines > 0);
	assert_true(n_fatal > 0);
	assert_int_equal(result.n_fatal, n_fatal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_memory_is_sized_by_the_buffers),
		cmocka_unit_test(hugepages_leave_no_files),
		cmocka_unit_test(a_pci_uplink_is_the_only_pci_device),
		cmocka_unit_test(the_main_lcore_leaves_the_workers_theirs),
		cmocka_unit_test(pci_addresses_are_recognised),
		cmocka_unit_test(capabilities_are_bits_of_the_effective_set),
		cmocka_unit_test(the_interface_of_a_device_string_is_found),
		cmocka_unit_test(an_interface_that_is_missing_is_fatal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
