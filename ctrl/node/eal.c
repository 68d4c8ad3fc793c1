#include "ctrl/node/eal.h"

#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "pmd/pool.h"

// Besides its data a buffer has its mbuf, its private area and the mempool's header, and the
// driver's share of descriptors.
#define BUFFER_OVERHEAD 512
#define TABLES_MB 96 // routes, next hops, ports, and what drivers allocate for themselves

uint32_t eal_memory_mb(const struct config *c)
{
	uint64_t bytes = (uint64_t)c->n_buffers * (POOL_DATA_ROOM + BUFFER_OVERHEAD);

	return c->memory_mb != 0 ? c->memory_mb : (uint32_t)(bytes >> 20) + TABLES_MB;
}

// "0000:01:00.0", "01:00.0"
bool eal_is_pci(const char *device)
{
	size_t len = strcspn(device, ",");
	unsigned int a, b, c, d;
	int end = 0;

	if (sscanf(device, "%4x:%2x:%2x.%1x%n", &a, &b, &c, &d, &end) == 4 && (size_t)end == len)
		return true;
	return sscanf(device, "%2x:%2x.%1x%n", &a, &b, &c, &end) == 3 && (size_t)end == len;
}

static void add(struct eal_args *args, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void add(struct eal_args *args, const char *format, ...)
{
	char *text = args->text[args->argc];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, EAL_ARG_LEN, format, ap);
	va_end(ap);
	args->argv[args->argc++] = text;
	args->argv[args->argc] = NULL;
}

static bool is_worker(const struct config *c, uint16_t cpu)
{
	for (size_t i = 0; i < c->n_worker_cpus; i++) {
		if (c->worker_cpus[i] == cpu)
			return true;
	}
	return false;
}

// "3,4-7": the CPUs that the process may use and no worker has, or all if there are no others.
// Opening and closing a pod's socket keeps a CPU in the kernel for tens of milliseconds: a worker
// on it would lose packets (measured: 2 % of 5000/s while pods came and went).
static void control_cpus(const struct config *c, char *buf, size_t size)
{
	cpu_set_t set;
	size_t len = 0;

	buf[0] = '\0';
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return;
	cpu_set_t others = set;
	for (size_t i = 0; i < c->n_worker_cpus; i++)
		CPU_CLR(c->worker_cpus[i], &others);
	if (CPU_COUNT(&others) > 0)
		set = others;
	for (int cpu = 0; cpu < CPU_SETSIZE && len + 12 < size; cpu++) {
		int last = cpu;

		if (!CPU_ISSET(cpu, &set))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, &set))
			last++;
		len += (size_t)snprintf(
			buf + len, size - len, "%s%d-%d", len > 0 ? "," : "", cpu, last);
		cpu = last;
	}
}

// A worker's lcore has its CPU's number. The main lcore, where the control thread lives, gets a
// free one, and floats over the other CPUs; so do the threads that block for it.
static void add_lcores(const struct config *c, struct eal_args *args)
{
	char cpus[128], lcores[EAL_ARG_LEN];
	uint16_t main_lcore = 0;

	while (is_worker(c, main_lcore))
		main_lcore++;
	control_cpus(c, cpus, sizeof(cpus));
	int len = snprintf(lcores, sizeof(lcores), "%u@(%s)", main_lcore, cpus);
	for (size_t i = 0; i < c->n_worker_cpus && len < (int)sizeof(lcores); i++)
		len += snprintf(lcores + len, sizeof(lcores) - (size_t)len, ",%u@%u",
			c->worker_cpus[i], c->worker_cpus[i]);
	add(args, "--lcores=%s", lcores);
	add(args, "--main-lcore=%u", main_lcore);
}

void eal_args(const struct config *c, bool hugepages, struct eal_args *ret_args)
{
	ret_args->argc = 0;
	add(ret_args, "strata-vswitchd");
	add(ret_args, "--log-level=error");
	add(ret_args, "--no-telemetry");
	add(ret_args, "--file-prefix=strata");
	add_lcores(c, ret_args);
	if (hugepages) {
		add(ret_args, "--in-memory");
	} else {
		add(ret_args, "--no-huge");
		add(ret_args, "--no-shconf");
		add(ret_args, "-m");
		add(ret_args, "%u", eal_memory_mb(c));
	}
	if (eal_is_pci(c->uplink_device)) {
		add(ret_args, "-a");
		add(ret_args, "%s", c->uplink_device);
	} else {
		add(ret_args, "--no-pci");
		add(ret_args, "--iova-mode=va"); // one range in memory is one for devices too
	}
}

int eal_start(const struct config *c, bool hugepages, char why[EAL_WHY_MAX])
{
	struct eal_args args;

	// Where EAL keeps what it shares with other processes; which is nothing, but it wants a place.
	if (setenv("RUNTIME_DIRECTORY", c->run_dir, 1) < 0)
		return -errno;
	eal_args(c, hugepages, &args);
	if (rte_eal_init(args.argc, args.argv) >= 0)
		return 0;
	int err = rte_errno != 0 ? rte_errno : EIO;
	(void)snprintf(why, EAL_WHY_MAX, "DPDK does not start on %u MB of %s: %s", eal_memory_mb(c),
		hugepages ? "hugepages" : "ordinary memory", rte_strerror(err));
	return -err;
}

void eal_stop(void)
{
	char dir[512];

	(void)snprintf(dir, sizeof(dir), "%s", rte_eal_get_runtime_dir());
	(void)rte_eal_cleanup();
	// <runDir>/dpdk/strata
	(void)rmdir(dir);
	*strrchr(dir, '/') = '\0';
	(void)rmdir(dir);
}
