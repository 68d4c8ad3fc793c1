// EAL for tests: no hugepages, no devices, nothing shared with other processes.
#pragma once

#include <rte_eal.h>

// Starts EAL on the given lcores ("0" or "0@0,1@0" as --lcores takes it) or ends the program.
void eal_start(const char *prefix, const char *lcores);
