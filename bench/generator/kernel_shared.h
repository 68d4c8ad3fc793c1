// What the generator for kernel pods and its BPF programs share: their memory. Each program runs on one CPU at a
// time, and each field has one writer.
#pragma once

#include "trailer.h"

#include <stdbool.h>

#define LENGTHS_MAX 16 // power of two
#define FRAME_MAX 2047 // power of two, less one
#define SAMPLES (1 << 17) // power of two
#define SAMPLE_EVERY 16 // frames, power of two

// What differs between frames of several lengths.
struct length {
	int32_t cut; // bytes to add to the longest one, negative
	uint16_t trailer; // where it is
	uint16_t ip_len, ip_sum, udp_len; // as they are in the headers; ip_sum: of IPv4
};

struct shared {
	// The generator's
	uint32_t device; // to send by
	bool ip6;
	uint32_t n_flows;
	uint32_t n_lengths;
	struct length lengths[LENGTHS_MAX]; // in turn
	uint64_t rate; // frames a second, 0: as many as there can be
	uint64_t first, end; // sequence numbers that are measured
	// The sender's
	uint64_t sequence; // of the next frame
	uint64_t start, last; // when it ran first, unless `start` was not 0, and last, ns
	// The counter's
	uint64_t received;
	uint64_t arrived; // of those that are measured
	uint64_t expected; // one more than the highest sequence number that came in
	uint64_t reordered;
	uint64_t n_samples;
	uint64_t samples[SAMPLES]; // ns, round and round
};
