// The shim's end of the daemon's socket: one request, one answer (doc/protocol.md).
#pragma once

#include <cjson/cJSON.h>

#include "cni-shim/call.h"

#define DAEMON_SOCKET "/run/strata/vswitchd.sock" // unless the configuration has "socket"

// Asks the daemon to carry out the call. Returns 0 with its answer in *ret_answer, the caller's to
// delete, or the code of the error in *err: the daemon's own, or CNI_TRY_AGAIN_LATER when it cannot be reached.
int daemon_call(const struct cni_call *call, cJSON **ret_answer, struct cni_error *err);
