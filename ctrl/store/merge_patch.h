// JSON merge patch (RFC 7396). Pure.
#pragma once

#include <cjson/cJSON.h>

// Applies patch (an object) to target (an object), in place. 0, or -ENOMEM with target changed in part.
int merge_patch_apply(cJSON *target, const cJSON *patch);
