// Which pods are cared for: a label selector as kubectl takes it ("app=web,tier in (a,b),!test"). It is
// kept as text, and read for each pod: there are few pods a second, and one such selector. Pure.
#pragma once

#include "ctrl/model/object.h"

#define POD_SELECTOR_ERROR_MAX 192

// Whether it can be read; if not, error says why. NULL and "" are fine.
bool pod_selector_check(const char *selector, char error[POD_SELECTOR_ERROR_MAX]);
// NULL and "" match every pod. The selector must be good.
bool pod_selector_matches(const char *selector, const struct key_values *labels);
