// The pipelines: which stages a packet goes through, by the kind of port it came from.
#pragma once

#include <stddef.h>

#include "vswitch/burst.h"

typedef void stage_fn(struct burst *b);

struct stage {
	const char *name;
	stage_fn *run;
};

struct pipeline {
	const char *name; // "from_pod"
	const struct stage *stages;
	size_t n_stages;
};

// The pipeline for packets that came from a port of that kind. After it every packet of the burst
// is either in b->dead or has pkt(m)->out set and is a complete frame.
const struct pipeline *pipeline_of(enum vport_kind kind);

// Runs all stages over the burst.
void pipeline_run(const struct pipeline *p, struct burst *b);
