// The sweeper's check: which addresses are leaked, which are doubled. Pure: over what the cache has.
#pragma once

#include "ctrl/model/ipinstance.h"
#include "ctrl/model/pod.h"

enum sweep_verdict {
	SWEEP_GOOD,
	SWEEP_LEAKED, // bound to a pod that is no more
	SWEEP_DOUBLED, // another IPInstance has the address
};

// pod: of the name it is bound to, NULL if there is none. first: the IPInstance in force that has
// the address, NULL if none has (it is the one, or it is not in force for another reason).
enum sweep_verdict sweep_judge(
	const struct ipinstance *i, const struct pod *pod, const struct ipinstance *first);
