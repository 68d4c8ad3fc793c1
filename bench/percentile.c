#include "bench/percentile.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double percentile(double *values, size_t n, unsigned percent)
{
	qsort(values, n, sizeof(values[0]), compare);
	return values[n * percent / 100];
}

double spread(double *values, size_t n)
{
	double median = percentile(values, n, 50);

	return (values[n - 1] - values[0]) / median;
}
