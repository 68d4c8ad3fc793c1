// Takes out of an object from an API server what nobody here reads, which is most of it. Pure.
#pragma once

#include <cjson/cJSON.h>

#include "ctrl/model/object.h"

// Also names apiVersion and kind, which items of a list do without.
void kube_strip(enum kind kind, cJSON *obj);
// kubectl's, as long as the object itself: the object as it was last applied.
#define KUBE_LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"
