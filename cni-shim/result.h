// The result of an ADD in the form of the version that the runtime asked for.
#pragma once

#include <cjson/cJSON.h>

#include "cni-shim/version.h"

// Turns the daemon's answer (the form of CNI 1.1) into the result of `version`, behind what
// earlier plugins of the chain did (prev, may be NULL). The caller deletes it.
cJSON *cni_result(const cJSON *answer, const cJSON *prev, enum cni_version version);
