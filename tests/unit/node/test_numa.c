// Where workers and buffers belong, on invented machines.
#include "ctrl/node/numa_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

// Two sockets whose CPUs take turns, as many machines number them.
static const struct numa_cpu two_sockets[] = {{0, 0}, {1, 1}, {2, 0}, {3, 1}, {4, 0}, {5, 1}};
static const struct numa_cpu one_socket[] = {{0, -1}, {1, -1}, {7, -1}};

static unsigned n_lines;
static char last[NUMA_TEXT_MAX];

static void say(const char *text, void *)
{
	n_lines++;
	strcpy(last, text);
}

static void judge(int16_t device, int16_t pool, const struct numa_cpu *workers, size_t n)
{
	const struct numa_layout l = {
		.device = device, .pool = pool, .workers = workers, .n_workers = n};

	n_lines = 0;
	last[0] = '\0';
	numa_judge(&l, say, NULL);
}

static void the_worker_is_on_the_device_s_node(void **)
{
	assert_int_equal(numa_choose(two_sockets, 6, 0), 4);
	assert_int_equal(numa_choose(two_sockets, 6, 1), 5);
	assert_int_equal(numa_choose(two_sockets, 1, 0), 0);
}

static void without_a_node_or_a_cpu_there_it_is_on_the_last_one(void **)
{
	assert_int_equal(numa_choose(two_sockets, 6, -1), 5);
	assert_int_equal(numa_choose(two_sockets, 6, 3), 5);
	assert_int_equal(numa_choose(two_sockets, 1, 1), 0); // the only one allowed
	assert_int_equal(numa_choose(one_socket, 3, -1), 7);
	assert_int_equal(numa_choose(one_socket, 3, 0), 7);
}

static void where_all_is_on_one_node_nothing_is_said(void **)
{
	const struct numa_cpu near[] = {{1, 1}, {3, 1}};

	judge(1, 1, near, 2);
	assert_int_equal(n_lines, 0);
	judge(-1, 1, near, 2); // no uplink
	assert_int_equal(n_lines, 0);
	judge(-1, -1, one_socket, 3); // a machine without nodes
	assert_int_equal(n_lines, 0);
	judge(0, 0, one_socket, 3);
	assert_int_equal(n_lines, 0);
	judge(1, -1, near, 2); // buffers may be anywhere
	assert_int_equal(n_lines, 0);
}

static void what_is_on_another_node_is_named(void **)
{
	judge(0, 0, two_sockets, 2);
	assert_int_equal(n_lines, 1);
	assert_string_equal(last, "worker CPU 1 is on NUMA node 1, the uplink is on node 0: "
				  "choose workers.cpus there");
	judge(1, 0, &two_sockets[1], 1);
	assert_int_equal(n_lines, 1);
	assert_non_null(strstr(last, "packet buffers are on NUMA node 0, the uplink is on node 1"));
	judge(1, 0, two_sockets, 6);
	assert_int_equal(n_lines, 4);
	judge(-1, 0, two_sockets, 2);
	assert_int_equal(n_lines, 1);
	assert_non_null(strstr(last, "worker CPU 1 is on NUMA node 1, the packet buffers are on"));
}

static void the_kernel_knows_a_device_by_its_address_or_interface(void **)
{
	static const struct {
		const char *device, *path;
	} cases[] = {
		{"0000:01:00.0", "/sys/bus/pci/devices/0000:01:00.0/numa_node"},
		{"01:00.0", "/sys/bus/pci/devices/0000:01:00.0/numa_node"},
		{"0001:af:00.1,x=y", "/sys/bus/pci/devices/0001:af:00.1/numa_node"},
		{"af:00.1,x=y", "/sys/bus/pci/devices/0000:af:00.1/numa_node"},
		{"net_af_xdp0,iface=eth1", "/sys/class/net/eth1/device/numa_node"},
		{"net_null0", NULL},
		{"vhost-user:/run/x.sock", NULL},
		{"", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char path[NUMA_PATH_MAX];

		assert_int_equal(numa_device_path(cases[i].device, path), cases[i].path != NULL);
		if (cases[i].path != NULL)
			assert_string_equal(path, cases[i].path);
	}
}

static void this_machine_s_devices_are_asked_without_harm(void **)
{
	const char *devices[] = {"", "net_null0", "0000:00:1f.0", "00:1f.0,x=y",
		"net_af_xdp0,iface=lo", "net_af_xdp0,iface=no-such-interface",
		"vhost-user:/run/x.sock"};

	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
		assert_true(numa_device_node(devices[i]) >= -1);
	assert_int_equal(numa_device_node("net_af_xdp0,iface=lo"), -1);
	assert_int_equal(numa_device_node("vhost-user:/run/x.sock"), -1);
}

static void cpus_of_the_configuration_stay(void **)
{
	struct config c;
	char error[512];

	assert_int_equal(config_load(NULL, &c, error), 0);
	uint16_t before = c.worker_cpus[0];
	c.has_worker_cpus = true;
	c.worker_cpus[0] = 999;
	numa_place(&c);
	assert_int_equal(c.worker_cpus[0], 999);
	c.has_worker_cpus = false;
	numa_place(&c);
	assert_int_equal(c.worker_cpus[0], before);
	config_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_worker_is_on_the_device_s_node),
		cmocka_unit_test(without_a_node_or_a_cpu_there_it_is_on_the_last_one),
		cmocka_unit_test(where_all_is_on_one_node_nothing_is_said),
		cmocka_unit_test(what_is_on_another_node_is_named),
		cmocka_unit_test(the_kernel_knows_a_device_by_its_address_or_interface),
		cmocka_unit_test(this_machine_s_devices_are_asked_without_harm),
		cmocka_unit_test(cpus_of_the_configuration_stay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
