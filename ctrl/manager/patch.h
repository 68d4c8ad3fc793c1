// Merge patches (RFC 7396) of what the manager changes, so that it sends what it means to change and
// nothing that is others'. Pure.
#pragma once

#include <stdbool.h>

#include <cjson/cJSON.h>

// The patch that makes `now` of `was`: NULL if they are the same (and without memory). Either may be
// NULL for an object without fields. Lists are replaced whole.
cJSON *patch_between(const cJSON *was, const cJSON *now);
