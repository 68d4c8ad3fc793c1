// Before anything is opened: what this machine lacks for the configuration, and what is done
// instead, a clear line each.
#pragma once

#include <stdbool.h>

#include "ctrl/node/config.h"

enum preflight_level {
	PREFLIGHT_OK, // as it should be; only --check tells
	PREFLIGHT_INSTEAD, // missing, and something else is done
	PREFLIGHT_FATAL, // cannot work
};

struct preflight_result {
	bool hugepages; // use them
	unsigned int n_fatal;
};

// Looks, and tells by say. Raises the limits on open files and locked memory as far as allowed.
void preflight_run(const struct config *c,
	void (*say)(enum preflight_level level, const char *text), struct preflight_result *ret);

// Pure, for tests: whether bit `capability` is in /proc/self/status's text.
bool preflight_has_capability(const char *status, unsigned int capability);
// The interface that a DPDK device string names by "iface="; false if it names none.
bool preflight_iface(const char *device, char *buf, size_t size);
