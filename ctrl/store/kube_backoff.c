#include "ctrl/store/kube_backoff.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

uint32_t kube_backoff_next(struct kube_backoff *b, uint32_t random)
{
	uint32_t most = 2 * KUBE_BACKOFF_MIN_MS;

	for (unsigned int i = 0; i < b->n_failures && most < KUBE_BACKOFF_MAX_MS; i++)
		most *= 2;
	if (most > KUBE_BACKOFF_MAX_MS)
		most = KUBE_BACKOFF_MAX_MS;
	b->n_failures++;
	return most / 2 + random % (most / 2 + 1);
}

void kube_backoff_reset(struct kube_backoff *b)
{
	b->n_failures = 0;
}

uint32_t kube_random(void)
{
	uint32_t r = 0;

	(void)getrandom(&r, sizeof(r), GRND_NONBLOCK); // early at boot: no jitter
	return r;
}

int kube_retry_after(const char *value, int64_t now)
{
	char *end;
	struct tm tm = {0};
	long long wait = strtoll(value, &end, 10);

	if (end == value || *end != '\0') {
		// The one form of a date that a sender may use.
		end = strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &tm);
		if (end == NULL || *end != '\0')
			return -1;
		wait = timegm(&tm) - now;
		if (wait < 0)
			wait = 0;
	}
	if (wait < 0)
		return -1;
	return wait > KUBE_RETRY_AFTER_MAX_S ? KUBE_RETRY_AFTER_MAX_S : (int)wait;
}
