#include "talk.h"

#include <rte_cycles.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double microseconds(const struct histogram *h, double part)
{
	return (double)histogram_percentile(h, part) * 1e6 / (double)rte_get_tsc_hz();
}

static void print_result(const struct result *r)
{
	const struct histogram *h = &r->latency;

	printf("{\"seconds\": %.6f, \"sent\": %lu, \"received\": %lu, \"lost\": %lu, "
	       "\"refused\": %lu, \"skipped\": %lu, \"reordered\": %lu, \"foreign\": %lu, "
	       "\"frame\": %.1f, \"tsc_hz\": %lu, \"mpps\": %.6f, "
	       "\"latency_us\": {\"p50\": %.2f, \"p99\": %.2f, \"p999\": %.2f, \"max\": %.2f}}\n",
		r->seconds, r->sent, r->received, r->lost, r->refused, r->skipped, r->reordered,
		r->foreign, r->frame, rte_get_tsc_hz(), (double)r->received / r->seconds / 1e6,
		microseconds(h, 0.5), microseconds(h, 0.99), microseconds(h, 0.999),
		(double)h->max * 1e6 / (double)rte_get_tsc_hz());
}

void talk_error(const char *what, const char *why)
{
	printf("{\"error\": \"%s: %s\"}\n", what, why);
}

static void obey(char *line, order_fn fn, void *arg)
{
	static struct result result;
	struct order o;
	const char *why;
	int ret;

	if (order_parse(line, &o, &why) < 0) {
		talk_error("what is meant by", why);
		return;
	}
	ret = fn(arg, &o, &result);
	if (ret < 0)
		talk_error(o.pcap[0] != '\0' ? o.pcap : "frame or ports", strerror(-ret));
	else
		print_result(&result);
}

void talk(order_fn fn, void *arg)
{
	char *line = NULL;
	size_t size = 0;

	printf("{\"ready\": true, \"tsc_hz\": %lu}\n", rte_get_tsc_hz());
	(void)fflush(stdout);
	while (getline(&line, &size, stdin) > 0) {
		obey(line, fn, arg);
		(void)fflush(stdout);
	}
	free(line);
}
