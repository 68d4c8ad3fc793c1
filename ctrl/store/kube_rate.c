#include "ctrl/store/kube_rate.h"

// A day: nobody waits for longer, and the sum with a time does not run over.
#define WAIT_MAX_MS 86400000

static double tokens_at(const struct kube_rate *r, uint64_t now_ms)
{
	double tokens = r->tokens + (double)(now_ms - r->at) * r->qps / 1000;

	return tokens < r->burst ? tokens : r->burst;
}

void kube_rate_init(struct kube_rate *r, double qps, unsigned int burst, uint64_t now_ms)
{
	*r = (struct kube_rate){.qps = qps, .burst = burst > 0 ? burst : 1, .at = now_ms};
	r->tokens = r->burst;
}

uint64_t kube_rate_wait(const struct kube_rate *r, uint64_t now_ms)
{
	double tokens = tokens_at(r, now_ms);

	if (r->qps <= 0 || tokens >= 1)
		return 0;
	double wait = (1 - tokens) * 1000 / r->qps;
	return wait < WAIT_MAX_MS ? (uint64_t)wait + 1 : WAIT_MAX_MS;
}

void kube_rate_take(struct kube_rate *r, uint64_t now_ms)
{
	if (r->qps <= 0)
		return;
	r->tokens = tokens_at(r, now_ms) - 1;
	r->at = now_ms;
}
