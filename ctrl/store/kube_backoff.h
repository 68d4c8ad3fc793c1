// How long to wait before a server that failed is tried again: exponential, with jitter, so that a
// thousand nodes do not come back in one moment. Pure but for kube_random().
#pragma once

#include <stdint.h>

#define KUBE_BACKOFF_MIN_MS 500
#define KUBE_BACKOFF_MAX_MS 30000
#define KUBE_RETRY_AFTER_MAX_S 120 // longer waits that a server asks for are cut to this

struct kube_backoff {
	unsigned int n_failures; // one after the other; 0: all is well
};

// Notes one more failure and returns the wait in ms: between half of and the whole of 1 s, 2 s, 4 s, … 30 s.
uint32_t kube_backoff_next(struct kube_backoff *b, uint32_t random);
void kube_backoff_reset(struct kube_backoff *b);
uint32_t kube_random(void); // another one on each node

// The value of a Retry-After header (RFC 9110, 10.2.3): seconds, or an HTTP date, for which now is
// the time of the day. Seconds to wait, bounded; -1 if it is neither.
int kube_retry_after(const char *value, int64_t now);
