// What changing one entry takes.
#pragma once

#include "bench/generator/histogram.h"
#include "bench/structures/structure.h"

enum update {
	UPDATE_INSERT,
	UPDATE_REPLACE,
	UPDATE_DELETE,
	UPDATE_COUNT
};

// Puts entries behind the first n_entries, replaces them and deletes them again, for so many TSC
// cycles. Adds what each took, in cycles, with the share of what the last ones left to be freed.
// False as soon as the structure takes no more.
bool updates_run(const struct structure *structure, void *state, uint32_t n_entries,
	struct rcu *rcu, uint64_t cycles, struct histogram ret_cycles[UPDATE_COUNT]);
