// Percentiles of a benchmark's measured values.
#pragma once

#include <stddef.h>

// The value that `percent` (0 to 99) of the n values are not above; n > 0. Sorts them.
double percentile(double *values, size_t n, unsigned percent);
// (Most - least) / median of the n values; n > 0. Sorts them.
double spread(double *values, size_t n);
