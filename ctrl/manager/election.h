// Leader election by a coordination.k8s.io/v1 Lease: asks and writes what lease.c decides. Of all that
// run with the same Lease one leads at a time.
#pragma once

#include <stdint.h>

#include <uv.h>

#include "ctrl/store/kube_client.h"

struct election;

struct election_conf {
	const char *namespace, *name; // of the Lease
	const char *identity; // different for each candidate, in each of its lives
	uint64_t lease_ms, renew_deadline_ms,
		retry_ms; // 15 s, 10 s, 2 s; each less than the one before
	// Called once each at the most, never from within a call: now we lead; now we do not any more.
	// Whoever lost may not write again: what is on its way must be dropped (best by ending).
	void (*won)(void *arg);
	void (*lost)(void *arg);
	void *arg;
};

// Texts are copied. 0 or -ENOMEM.
int election_open(uv_loop_t *loop, struct kube_client *client, const struct election_conf *conf,
	struct election **ret_election);
// Gives the Lease up if we lead, so that another need not wait; done (once) when that is over, whether
// it worked or not. Neither won nor lost is called any more.
void election_release(struct election *e, void (*done)(void *arg), void *arg);
// Whether we lead, now: false as well when the deadline has passed and lost is yet to be called.
bool election_leads(const struct election *e);
void election_close(struct election *e); // NULL is fine
