#include "ctrl/node/numa_place.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <numa.h>

#include "ctrl/node/eal.h"
#include "ctrl/node/preflight.h"

#define NODE_NONE (-1)

uint16_t numa_choose(const struct numa_cpu *cpus, size_t n, int16_t device)
{
	for (size_t i = n; i > 0; i--) {
		if (device != NODE_NONE && cpus[i - 1].node == device)
			return cpus[i - 1].cpu;
	}
	return cpus[n - 1].cpu;
}

void numa_judge(const struct numa_layout *l, void (*say)(const char *text, void *arg), void *arg)
{
	bool by_device = l->device != NODE_NONE;
	int16_t home = by_device ? l->device : l->pool;
	char text[NUMA_TEXT_MAX];

	if (home == NODE_NONE)
		return;
	if (l->pool != NODE_NONE && l->pool != home) {
		(void)snprintf(text, sizeof(text),
			"packet buffers are on NUMA node %d, the uplink is on node %d: are there "
			"hugepages on that node?",
			l->pool, home);
		say(text, arg);
	}
	for (size_t i = 0; i < l->n_workers; i++) {
		const struct numa_cpu *w = &l->workers[i];
		if (w->node == NODE_NONE || w->node == home)
			continue;
		(void)snprintf(text, sizeof(text),
			"worker CPU %u is on NUMA node %d, the %s on node %d: choose workers.cpus "
			"there",
			w->cpu, w->node, by_device ? "uplink is" : "packet buffers are", home);
		say(text, arg);
	}
}

// ── This machine ───────────────────────────────────────────────────────────────────────────────

static bool has_nodes(void)
{
	return numa_available() >= 0 && numa_max_node() > 0;
}

int16_t numa_cpu_node(uint16_t cpu)
{
	return has_nodes() ? (int16_t)numa_node_of_cpu(cpu) : NODE_NONE;
}

static int16_t read_node(const char *path)
{
	int node = NODE_NONE;
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return NODE_NONE;
	if (fscanf(f, "%d", &node) != 1)
		node = NODE_NONE;
	(void)fclose(f);
	return (int16_t)node;
}

bool numa_device_path(const char *device, char path[NUMA_PATH_MAX])
{
	char name[64];

	if (eal_is_pci(device)) {
		// "01:00.0" is in the first domain.
		size_t len = strcspn(device, ",");
		(void)snprintf(path, NUMA_PATH_MAX, "/sys/bus/pci/devices/%s%.*s/numa_node",
			len > strlen("01:00.0") ? "" : "0000:", (int)len, device);
		return true;
	}
	if (!preflight_iface(device, name, sizeof(name)))
		return false;
	(void)snprintf(path, NUMA_PATH_MAX, "/sys/class/net/%s/device/numa_node", name);
	return true;
}

int16_t numa_device_node(const char *device)
{
	char path[NUMA_PATH_MAX];

	return has_nodes() && numa_device_path(device, path) ? read_node(path) : NODE_NONE;
}

void numa_place(struct config *c)
{
	struct numa_cpu cpus[CPU_SETSIZE];
	cpu_set_t allowed;
	size_t n = 0;

	if (c->has_worker_cpus || sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		return;
	for (uint16_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &allowed))
			cpus[n++] = (struct numa_cpu){.cpu = cpu, .node = numa_cpu_node(cpu)};
	}
	if (n > 0)
		c->worker_cpus[0] = numa_choose(cpus, n, numa_device_node(c->uplink_device));
}

int16_t numa_pool_node(const struct config *c)
{
	int16_t device = numa_device_node(c->uplink_device);

	return device != NODE_NONE ? device : numa_cpu_node(c->worker_cpus[0]);
}
