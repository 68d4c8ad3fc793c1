// A CNI call: what the runtime asks, in environment variables and on stdin (CNI 1.1.0, section 2).
#pragma once

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "cni-shim/error.h"
#include "cni-shim/version.h"

enum cni_command {
	CNI_ADD,
	CNI_DEL,
	CNI_CHECK,
	CNI_GC,
	CNI_STATUS,
	CNI_VERSION,
	CNI_COMMAND_COUNT
};

// Longest network configuration that is read from stdin. Runtimes send a few KB; the daemon takes
// lines of 1 MiB, in which the configuration travels.
#define CNI_CONFIG_MAX (512 * 1024)

struct cni_call {
	enum cni_command command;
	enum cni_version version; // that the answer has to be in
	const char *container_id, *netns,
		*ifname; // of the environment; "" where absent and optional
	cJSON *args; // of CNI_ARGS, an object of strings; owned
	cJSON *config; // owned
};

// Reads and checks the call. Returns 0, or the code of the error in *err. *ret_call is to be
// freed in either case; its version is what the error should be printed in.
int cni_call_read(struct cni_call *ret_call, struct cni_error *err);
void cni_call_fini(struct cni_call *call);

const char *cni_command_name(enum cni_command command);
