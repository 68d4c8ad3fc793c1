// Leader election, the decision: what a candidate makes of a coordination.k8s.io/v1 Lease. Pure; the
// clock is the caller's. election.c asks and writes.
//
// The rules are those of client-go's tools/leaderelection: a Lease is somebody's for as long as it
// keeps changing. How long it has not is measured by the candidate's own clock from when it saw the
// last change, so that clocks of different machines are never compared.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "ctrl/model/object.h"

#define LEASE_IDENTITY_MAX 256
#define LEASE_TIME_MAX 40

struct lease_record {
	char holder[LEASE_IDENTITY_MAX]; // "": nobody, it was given up
	int64_t duration_s;
	char acquire_time[LEASE_TIME_MAX], renew_time[LEASE_TIME_MAX]; // as written
	int64_t transitions;
	char version[64]; // metadata.resourceVersion
};

struct lease_conf {
	const char *identity; // borrowed
	uint64_t duration_ms; // how long others leave it to us after our last change: 15 s
	uint64_t renew_deadline_ms; // when we stop after our last success: 10 s
};

// All times are of one monotonic clock, in milliseconds.
struct lease {
	struct lease_conf conf;
	bool known; // there is a Lease, and seen is it
	struct lease_record seen;
	uint64_t seen_at; // when seen became what it is
	bool leading;
	uint64_t renewed_at; // when the last request that succeeded was sent
};

enum lease_step {
	LEASE_WAIT, // it is another's
	LEASE_CREATE,
	LEASE_TAKE, // it was given up, or its holder has been silent for too long
	LEASE_RENEW,
};

void lease_init(struct lease *l, const struct lease_conf *conf);
// What was read: NULL if there is none.
void lease_saw(struct lease *l, const cJSON *obj, uint64_t now);
enum lease_step lease_next(const struct lease *l, uint64_t now);
// The object to send for that step (not LEASE_WAIT): conditional on what was seen. NULL: no memory.
cJSON *lease_object(const struct lease *l, enum lease_step step, const char *namespace,
	const char *name, const char *time_now);
// The object that gives it up.
cJSON *lease_release_object(
	const struct lease *l, const char *namespace, const char *name, const char *time_now);
// A request that was sent at sent_at succeeded with that answer.
void lease_won(struct lease *l, const cJSON *answer, uint64_t sent_at, uint64_t now);
// Whether we lead no longer: another is seen to hold it, or the deadline of renewal has passed.
// From that moment on nothing may be written.
bool lease_lost(const struct lease *l, uint64_t now);
// When the deadline is; only while leading.
uint64_t lease_deadline(const struct lease *l);
