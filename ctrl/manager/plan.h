// What a pod asks for: Network, family, Subnets; from its annotations and labels and the defaults.
#pragma once

#include "ctrl/manager/state.h"

struct pod_plan {
	char network[NAME_MAX_LEN];
	enum ip_family family;
	char subnet4[NAME_MAX_LEN], subnet6[NAME_MAX_LEN]; // "": any
};

// kept: the IPInstances that the pod takes over, if it does. False with error in hybridnet's words if
// there is nothing that the pod can get on its node.
bool pod_plan_make(const struct manager *m, const struct pod *pod,
	const struct ipinstance *const *kept, size_t n_kept, struct pod_plan *ret_plan,
	char error[SELECTION_ERROR_MAX]);
