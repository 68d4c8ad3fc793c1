// Two IPInstances with one address, as hybridnet can leave them (it holds names apart only within a
// namespace): whose it is. The cache has the older one in force, the holder; the other is its rival,
// not in force anywhere.
#pragma once

#include <stdbool.h>

#include "ctrl/model/ipinstance.h"

struct manager;

enum doubled_verdict {
	DOUBLED_HOLDER_KEEPS, // the rival goes, and its pod gets another address
	DOUBLED_RIVAL_TAKES, // its pod alone runs with it: the holder goes
	DOUBLED_BOTH_RUN, // no address is changed under a pod that runs: somebody must delete one
};
enum doubled_verdict doubled_judge(bool holder_runs, bool rival_runs);

// Whether they are two; holder may be NULL.
bool doubled_are_two(const struct ipinstance *holder, const struct ipinstance *i);
// Makes it so. pod: key of the rival's pod if that is being reconciled, it is again when the rival is
// gone; else NULL. again: it was found so before; only then is a holder taken away, whose pod may
// just be starting.
void doubled_settle(struct manager *m, const char *pod, const struct ipinstance *holder,
	const struct ipinstance *rival, bool again);
// The holder is gone: whoever waits for its address comes into force next, and nobody else gets it.
void doubled_inherit(struct manager *m, const struct ipinstance *gone);
