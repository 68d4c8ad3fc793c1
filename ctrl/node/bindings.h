// The IPInstances that are bound to this node, so that an ADD need not look through the cluster's.
// Kept from the cache's events; control thread only.
#pragma once

#include <stdbool.h>

#include "ctrl/model/ipinstance.h"

struct bindings;

// node: its name, borrowed.
struct bindings *bindings_new(const char *node); // NULL: out of memory
void bindings_free(struct bindings *b); // accepts NULL

// An IPInstance came into force (whatever its node), in place of any of that name.
void bindings_put(struct bindings *b, const struct ipinstance *i);
void bindings_del(struct bindings *b, const struct ipinstance *i);
// Calls f for each one of the pod that is not being deleted, until it returns false. The objects are
// borrowed from the cache.
void bindings_each(const struct bindings *b, const char *pod_uid,
	bool (*f)(const struct ipinstance *i, void *arg), void *arg);
