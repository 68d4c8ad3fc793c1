// How a benchmark ends that cannot go on.
#pragma once

#include <stdio.h>
#include <stdlib.h>

static inline _Noreturn void fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}
