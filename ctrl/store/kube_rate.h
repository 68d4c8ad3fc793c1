// How many requests a second a client sends: a token bucket, as client-go's. Pure: time is handed in.
#pragma once

#include <stdint.h>

struct kube_rate {
	double qps; // 0: as many as there are
	unsigned int burst; // tokens at most
	double tokens;
	uint64_t at; // ms, when tokens were counted last
};

void kube_rate_init(struct kube_rate *r, double qps, unsigned int burst, uint64_t now_ms);
// Until the next request may go, in ms; 0: now.
uint64_t kube_rate_wait(const struct kube_rate *r, uint64_t now_ms);
// One goes.
void kube_rate_take(struct kube_rate *r, uint64_t now_ms);
