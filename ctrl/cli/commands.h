// The commands of stratactl. Each returns the program's exit code: 0, or 1 after saying why.
#pragma once

#include <stdbool.h>

#include "ctrl/cli/client.h"
#include "ctrl/cli/table.h"

#define WATCH_INTERVAL_MS 1000

struct options {
	const char *socket;
	const char *namespace; // NULL: all
	const char *file; // apply -f, "-": stdin
	bool json; // -o json
	bool watch;
};

int command_get(const struct options *o, const struct listing *listing, const char *name);
int command_show(const struct options *o, const struct listing *listing);
int command_apply(const struct options *o);
int command_delete(const struct options *o, const struct listing *listing, const char *name);
