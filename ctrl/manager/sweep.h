// The sweeper's check: which addresses are leaked. Pure. Whose a doubled one is: doubled.h.
#pragma once

#include "ctrl/model/ipinstance.h"
#include "ctrl/model/pod.h"

enum sweep_verdict {
	SWEEP_GOOD,
	SWEEP_LEAKED, // bound to a pod that is no more
	SWEEP_DOUBLED, // not in force: another IPInstance has the address
};

// Of an IPInstance in force. pod: of the name it is bound to, NULL if there is none.
enum sweep_verdict sweep_judge(const struct ipinstance *i, const struct pod *pod);
