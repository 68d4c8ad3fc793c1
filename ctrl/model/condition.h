// Conditions in a status: what is wrong with an object, for people to read (metav1.Condition).
// https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md
#pragma once

#include <stdbool.h>

#include <cjson/cJSON.h>

// Of ours. Network, Subnet, IPInstance: whether it is in force.
#define CONDITION_ACCEPTED "Accepted"
// Pod of the dir store: whether it has got its addresses.
#define CONDITION_IP_ALLOCATED "IPAllocated"
// IPInstance: whether its pod has a port. Only where that had failed once.
#define CONDITION_PORT_UP "PortUp"

// The condition of that type; NULL if there is none. status may be NULL. Borrowed.
const cJSON *condition_find(const cJSON *status, const char *type);
// 1 "True", 0 anything else, -1 if there is none.
int condition_get(const cJSON *status, const char *type);
// Sets one, and when it last turned; false if it says all that already.
bool condition_set(
	cJSON *status, const char *type, bool ok, const char *reason, const char *message);
// The same in a merge patch of a status that is now as it is (NULL: there is none). Merge patches
// replace lists whole: it gets the other conditions, too.
bool condition_patch(cJSON *patch, const cJSON *now, const char *type, bool ok, const char *reason,
	const char *message);
