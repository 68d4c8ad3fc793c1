// NUMA: workers, packet buffers and the NIC belong on one node, or each packet crosses to another one. Chooses
// CPUs accordingly, and says where it is not so.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctrl/node/config.h"

#define NUMA_TEXT_MAX 160
#define NUMA_PATH_MAX 128

struct numa_cpu {
	uint16_t cpu;
	int16_t node;
};

// Where things are; -1: unknown, or nowhere in particular.
struct numa_layout {
	int16_t device; // the uplink
	int16_t pool; // the packet buffers
	const struct numa_cpu *workers;
	size_t n_workers;
};

// The CPU for one worker: the last one of the device's node, since the first ones have the most interrupts, or
// the last one if none is there. n is not 0.
uint16_t numa_choose(const struct numa_cpu *cpus, size_t n, int16_t device);
// Tells of everything that is on another node than the device, or without one than the buffers.
void numa_judge(const struct numa_layout *l, void (*say)(const char *text, void *arg), void *arg);

// The file where the kernel says the node of an uplink's device, by its DPDK device string. Pure. false: none does.
bool numa_device_path(const char *device, char path[NUMA_PATH_MAX]);
// The node of an uplink's device by its DPDK device string, and of a CPU. -1: unknown, or the machine has only
// one.
int16_t numa_device_node(const char *device);
int16_t numa_cpu_node(uint16_t cpu);
// Chooses workers.cpus where the configuration does not.
void numa_place(struct config *c);
// The node where packet buffers belong: the device's, else the first worker's.
int16_t numa_pool_node(const struct config *c);
