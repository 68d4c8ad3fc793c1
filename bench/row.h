// A row of what a benchmark within one process found, as bench/compare reads it.
#pragma once

#include <stdbool.h>

struct row {
	char name[32]; // of the case
	unsigned frame; // bytes without FCS, inside a tunnel
	unsigned flows;
	bool is_ip6;
	double mpps, cycles; // with what the benchmark adds; cycles per packet
	double mpps_alone, cycles_alone; // without it
	double ratio; // of the two: what the benchmark is about
	double loss; // share
	double spread; // of mpps
};

// As a line of JSON on stdout.
void row_print(const struct row *r);
