// What Prometheus is told of the way from the API server: whether changes of each kind arrive.
#include "ctrl/node/metering.h"

// Calls f for each kind that the store follows: none with the directory.
static void each_follow(struct metric_sink *sink, const struct daemon *d,
	double (*f)(const struct store_follow *follow))
{
	for (enum kind k = 0; k < KIND_COUNT; k++) {
		struct store_follow follow;

		if (store_kube_follow(d->store, k, &follow))
			metric_emit(sink, LABELS(kind_name(k)), f(&follow));
	}
}

static double connected(const struct store_follow *f)
{
	return f->connected;
}

static double n_lists(const struct store_follow *f)
{
	return (double)f->n_lists;
}

static double last_news(const struct store_follow *f)
{
	return (double)f->last_news;
}

static void collect_connected(struct metric_sink *sink, void *d)
{
	each_follow(sink, d, connected);
}

static void collect_lists(struct metric_sink *sink, void *d)
{
	each_follow(sink, d, n_lists);
}

static void collect_news(struct metric_sink *sink, void *d)
{
	each_follow(sink, d, last_news);
}

void metering_watches(struct daemon *d)
{
	(void)metrics_collected(d->metrics, METRIC_GAUGE, "strata_api_watch_connected",
		"Whether a watch of the API server is open.", LABELS("kind"), collect_connected, d);
	(void)metrics_collected(d->metrics, METRIC_COUNTER, "strata_api_lists_total",
		"Lists that were read from the API server to their end: more than one each time "
		"that "
		"changes were missed.",
		LABELS("kind"), collect_lists, d);
	(void)metrics_collected(d->metrics, METRIC_GAUGE, "strata_api_last_news_timestamp_seconds",
		"When the API server last brought a list or a change, or said that there is none.",
		LABELS("kind"), collect_news, d);
}
