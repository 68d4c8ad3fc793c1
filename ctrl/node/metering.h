// The parts of what Prometheus is told, as metering.c sees them: each registers its own metrics, whose
// series are read when they are asked for.
#pragma once

#include "ctrl/http/metrics.h"
#include "ctrl/node/daemon.h"

#define LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})

void metering_tables(struct daemon *d); // metering_tables.c
void metering_watches(struct daemon *d); // metering_watches.c
