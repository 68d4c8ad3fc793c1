// The generators' conversation: an order a line on standard input, an answer a line of JSON on standard output.
#pragma once

#include "run.h"

// Carries out an order. Returns 0 with *ret_result set, or -errno.
typedef int (*order_fn)(void *arg, const struct order *o, struct result *ret_result);

// Says that it is ready, and carries out orders until there are no more.
void talk(order_fn fn, void *arg);
void talk_error(const char *what, const char *why);
