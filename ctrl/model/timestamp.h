// Times as objects have them (metav1.Time): RFC 3339, UTC, whole seconds.
#pragma once

#include <time.h>

#define TIMESTAMP_MAX 32

// "2026-01-31T12:00:00Z" into buf, which is returned.
const char *timestamp(time_t at, char buf[TIMESTAMP_MAX]);
