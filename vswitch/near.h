// Memory near the workers, who read it far more often than the control thread writes it.
#pragma once

#include <stddef.h>

// Zeroes, in cache lines of their own: on the first worker's NUMA node if there is room, else on any. Given back
// with rte_free(). NULL if memory is short. Control thread only.
void *near_alloc(size_t size);
