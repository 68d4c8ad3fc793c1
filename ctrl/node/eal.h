// DPDK's environment layer, started as the configuration wants it.
#pragma once

#include <stdbool.h>

#include "ctrl/node/config.h"

#define EAL_ARGS_MAX 32
#define EAL_ARG_LEN 512
#define EAL_WHY_MAX 256

struct eal_args { // an argv, ready for rte_eal_init
	int argc;
	char *argv[EAL_ARGS_MAX + 1];
	char text[EAL_ARGS_MAX][EAL_ARG_LEN];
};

// MB that EAL needs for the buffers and tables of the configuration.
uint32_t eal_memory_mb(const struct config *c);
// Whether the uplink's device string is a PCI address, with or without arguments.
bool eal_is_pci(const char *device);
// The arguments. Pure but for the CPUs that the process may use.
void eal_args(const struct config *c, bool hugepages, struct eal_args *ret_args);

// 0, or -errno with why. runDir exists.
int eal_start(const struct config *c, bool hugepages, char why[EAL_WHY_MAX]);
// Ends EAL and removes the directory it made for its run time.
void eal_stop(void);
