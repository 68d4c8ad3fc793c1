// The text format is specified line by line; a series is one line, or a few for distributions.
#include "ctrl/http/metrics.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

struct series {
	char *values[METRIC_LABELS_MAX]; // owned
	double number; // of counters and gauges
	uint64_t n; // observations
	double sum;
	uint64_t *counts; // owned; of histograms: observations up to each bound
	double *window; // owned; of summaries: the last observations, a ring
	struct series *prev, *next;
};

struct metric {
	const char *name, *help;
	enum metric_type type;
	const char *labels[METRIC_LABELS_MAX];
	size_t n_labels;
	const double *bounds;
	size_t n_bounds;
	metric_collect *collect; // NULL: the series below
	void *arg;
	struct series *series; // owned; sorted by their labels' values
	struct metric *prev, *next;
};

struct metrics {
	struct metric *list; // owned
};

struct metrics *metrics_new(void)
{
	return calloc(1, sizeof(struct metrics));
}

static void series_free(struct series *s)
{
	for (size_t i = 0; i < METRIC_LABELS_MAX; i++)
		free(s->values[i]);
	free(s->counts);
	free(s->window);
	free(s);
}

void metrics_free(struct metrics *m)
{
	struct metric *metric, *next;
	struct series *s, *next_s;

	if (m == NULL)
		return;
	DL_FOREACH_SAFE (m->list, metric, next) {
		DL_FOREACH_SAFE (metric->series, s, next_s)
			series_free(s);
		free(metric);
	}
	free(m);
}

struct metric *metrics_histogram(struct metrics *m, const char *name, const char *help,
	const char *const *labels, const double *bounds, size_t n)
{
	struct metric *metric = calloc(1, sizeof(*metric));

	if (metric == NULL)
		abort();
	metric->name = name;
	metric->help = help;
	metric->type = METRIC_HISTOGRAM;
	metric->bounds = bounds;
	metric->n_bounds = n;
	while (labels != NULL && labels[metric->n_labels] != NULL) {
		assert(metric->n_labels < METRIC_LABELS_MAX);
		metric->labels[metric->n_labels] = labels[metric->n_labels];
		metric->n_labels++;
	}
	DL_APPEND(m->list, metric);
	return metric;
}

struct metric *metrics_register(struct metrics *m, enum metric_type type, const char *name,
	const char *help, const char *const *labels)
{
	struct metric *metric = metrics_histogram(m, name, help, labels, NULL, 0);

	metric->type = type;
	return metric;
}

struct metric *metrics_collected(struct metrics *m, enum metric_type type, const char *name,
	const char *help, const char *const *labels, metric_collect *collect, void *arg)
{
	struct metric *metric = metrics_register(m, type, name, help, labels);

	metric->collect = collect;
	metric->arg = arg;
	return metric;
}

// ── Series ─────────────────────────────────────────────────────────────────────────────────────

static int compare(const struct metric *metric, const struct series *s, const char *const *values)
{
	int cmp = 0;

	for (size_t i = 0; cmp == 0 && i < metric->n_labels; i++)
		cmp = strcmp(s->values[i], values[i]);
	return cmp;
}

static struct series *series_new(const struct metric *metric, const char *const *values)
{
	struct series *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	for (size_t i = 0; i < metric->n_labels; i++) {
		s->values[i] = strdup(values[i]);
		if (s->values[i] == NULL)
			goto free_series;
	}
	if (metric->type == METRIC_HISTOGRAM) {
		s->counts = calloc(metric->n_bounds + 1, sizeof(*s->counts));
		if (s->counts == NULL)
			goto free_series;
	} else if (metric->type == METRIC_SUMMARY) {
		s->window = calloc(METRIC_WINDOW, sizeof(*s->window));
		if (s->window == NULL)
			goto free_series;
	}
	return s;
free_series:
	series_free(s);
	return NULL;
}

static struct series *series_get(struct metric *metric, const char *const *values)
{
	struct series *at;

	DL_FOREACH (metric->series, at) {
		int cmp = compare(metric, at, values);
		if (cmp == 0)
			return at;
		if (cmp > 0)
			break;
	}
	struct series *s = series_new(metric, values);
	if (s == NULL)
		return NULL;
	if (at != NULL)
		DL_PREPEND_ELEM(metric->series, at, s);
	else
		DL_APPEND(metric->series, s);
	return s;
}

void metric_set(struct metric *metric, const char *const *values, double number)
{
	struct series *s = series_get(metric, values);

	if (s != NULL)
		s->number = number;
}

void metric_add(struct metric *metric, const char *const *values, double number)
{
	struct series *s = series_get(metric, values);

	if (s != NULL)
		s->number += number;
}

void metric_observe(struct metric *metric, const char *const *values, double number)
{
	struct series *s = series_get(metric, values);

	if (s == NULL)
		return;
	for (size_t i = 0; s->counts != NULL && i < metric->n_bounds; i++)
		s->counts[i] += number <= metric->bounds[i];
	if (s->window != NULL)
		s->window[s->n % METRIC_WINDOW] = number;
	s->n++;
	s->sum += number;
}

void metric_forget(struct metric *metric, const char *value)
{
	struct series *s, *next;

	DL_FOREACH_SAFE (metric->series, s, next) {
		if (metric->n_labels == 0 || strcmp(s->values[0], value) != 0)
			continue;
		DL_DELETE(metric->series, s);
		series_free(s);
	}
}

double metric_get(const struct metric *metric, const char *const *values)
{
	const struct series *s;

	DL_FOREACH (metric->series, s) {
		if (compare(metric, s, values) == 0)
			return s->number;
	}
	return 0;
}

// ── Text ───────────────────────────────────────────────────────────────────────────────────────

static void put_escaped(FILE *out, const char *text, bool quote)
{
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			(void)fputs("\\\\", out);
		else if (*text == '\n')
			(void)fputs("\\n", out);
		else if (*text == '"' && quote)
			(void)fputs("\\\"", out);
		else
			(void)fputc(*text, out);
	}
}

static void put_number(FILE *out, double number)
{
	if (isnan(number))
		(void)fputs("NaN\n", out);
	else if (isinf(number))
		(void)fputs(number > 0 ? "+Inf\n" : "-Inf\n", out);
	else if (number == floor(number) && fabs(number) < 1e15)
		(void)fprintf(out, "%.0f\n", number);
	else
		(void)fprintf(out, "%.9g\n", number);
}

// The line's name and labels; extra is one more label (le, quantile), NULL for none.
static void put_head(FILE *out, const struct metric *metric, const struct series *s,
	const char *suffix, const char *extra, const char *extra_value)
{
	bool any = false;

	(void)fprintf(out, "%s%s", metric->name, suffix);
	for (size_t i = 0; i < metric->n_labels; i++) {
		(void)fprintf(out, "%s%s=\"", any ? "," : "{", metric->labels[i]);
		put_escaped(out, s->values[i], true);
		(void)fputc('"', out);
		any = true;
	}
	if (extra != NULL)
		(void)fprintf(out, "%s%s=\"%s\"", any ? "," : "{", extra, extra_value);
	(void)fputs(any || extra != NULL ? "} " : " ", out);
}

static void put_totals(FILE *out, const struct metric *metric, const struct series *s)
{
	put_head(out, metric, s, "_sum", NULL, NULL);
	put_number(out, s->sum);
	put_head(out, metric, s, "_count", NULL, NULL);
	put_number(out, (double)s->n);
}

static void put_histogram(FILE *out, const struct metric *metric, const struct series *s)
{
	char bound[32];

	for (size_t i = 0; i < metric->n_bounds; i++) {
		(void)snprintf(bound, sizeof(bound), "%g", metric->bounds[i]);
		put_head(out, metric, s, "_bucket", "le", bound);
		put_number(out, (double)s->counts[i]);
	}
	put_head(out, metric, s, "_bucket", "le", "+Inf");
	put_number(out, (double)s->n);
	put_totals(out, metric, s);
}

static int by_value(const void *pa, const void *pb)
{
	const double *a = pa, *b = pb;
	return (*a > *b) - (*a < *b);
}

static void put_summary(FILE *out, const struct metric *metric, const struct series *s)
{
	static const struct {
		const char *text;
		double q;
	} quantiles[] = {{"0.5", 0.5}, {"0.9", 0.9}, {"0.99", 0.99}};
	double sorted[METRIC_WINDOW];
	size_t n = s->n < METRIC_WINDOW ? (size_t)s->n : METRIC_WINDOW;

	memcpy(sorted, s->window, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_value);
	for (size_t i = 0; n > 0 && i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		// The smallest value that at least this part of all does not exceed.
		size_t at = (size_t)ceil(quantiles[i].q * (double)n);
		put_head(out, metric, s, "", "quantile", quantiles[i].text);
		put_number(out, sorted[at > 0 ? at - 1 : 0]);
	}
	put_totals(out, metric, s);
}

struct metric_sink {
	FILE *out;
	const struct metric *metric;
};

void metric_emit(struct metric_sink *sink, const char *const *values, double number)
{
	struct series s = {0};

	for (size_t i = 0; i < sink->metric->n_labels; i++)
		s.values[i] = (char *)(uintptr_t)values[i]; // only read
	put_head(sink->out, sink->metric, &s, "", NULL, NULL);
	put_number(sink->out, number);
}

static void put_metric(FILE *out, const struct metric *metric)
{
	static const char *const types[] = {
		[METRIC_COUNTER] = "counter",
		[METRIC_GAUGE] = "gauge",
		[METRIC_HISTOGRAM] = "histogram",
		[METRIC_SUMMARY] = "summary",
	};
	const struct series *s;

	(void)fprintf(out, "# HELP %s ", metric->name);
	put_escaped(out, metric->help, false);
	(void)fprintf(out, "\n# TYPE %s %s\n", metric->name, types[metric->type]);
	if (metric->collect != NULL)
		metric->collect(&(struct metric_sink){.out = out, .metric = metric}, metric->arg);
	DL_FOREACH (metric->series, s) {
		if (metric->type == METRIC_HISTOGRAM) {
			put_histogram(out, metric, s);
		} else if (metric->type == METRIC_SUMMARY) {
			put_summary(out, metric, s);
		} else {
			put_head(out, metric, s, "", NULL, NULL);
			put_number(out, s->number);
		}
	}
}

char *metrics_render(const struct metrics *m, size_t *ret_len)
{
	const struct metric *metric;
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);

	if (out == NULL)
		return NULL;
	DL_FOREACH (m->list, metric)
		put_metric(out, metric);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
