// Metrics: series of numbers by name and labels, rendered in Prometheus' text format (version
// 0.0.4, https://prometheus.io/docs/instrumenting/exposition_formats/). Pure: who serves the text is
// another's business. The loop's thread only.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct metrics;
struct metric;

enum metric_type {
	METRIC_COUNTER,
	METRIC_GAUGE,
	METRIC_HISTOGRAM, // with the bounds given to metrics_histogram
	METRIC_SUMMARY, // quantiles 0.5, 0.9, 0.99 of the last METRIC_WINDOW observations
};

#define METRIC_LABELS_MAX 4
#define METRIC_WINDOW 512
// The content type of what metrics_render makes.
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct metrics *metrics_new(void); // NULL: no memory
void metrics_free(struct metrics *m);

// Registers a metric. All texts are borrowed for ever (literals). labels: up to METRIC_LABELS_MAX
// names, ended by NULL; NULL for none. Never NULL: without memory the program ends.
struct metric *metrics_register(struct metrics *m, enum metric_type type, const char *name,
	const char *help, const char *const *labels);
// A histogram. bounds: n upper bounds, ascending, without +Inf; borrowed for ever.
struct metric *metrics_histogram(struct metrics *m, const char *name, const char *help,
	const char *const *labels, const double *bounds, size_t n);

// A counter or gauge whose series are kept elsewhere: collect emits all of them whenever they are
// rendered. Nothing is remembered, so what is gone needs no metric_forget.
struct metric_sink;
typedef void metric_collect(struct metric_sink *sink, void *arg);
struct metric *metrics_collected(struct metrics *m, enum metric_type type, const char *name,
	const char *help, const char *const *labels, metric_collect *collect, void *arg);
// Only from within collect; no two with the same values.
void metric_emit(struct metric_sink *sink, const char *const *values, double number);

// values: as many as the metric has labels; NULL for none. A series begins with its first number.
// Without memory for a new one the number is lost.
void metric_set(struct metric *metric, const char *const *values, double number); // gauge
void metric_add(struct metric *metric, const char *const *values, double number); // counter, gauge
void metric_observe(struct metric *metric, const char *const *values, double number);
// Ends the series whose first label is value: all of an object that is gone.
void metric_forget(struct metric *metric, const char *value);

// What metric_set and metric_add left; 0 for a series that has not begun. For tests and for the
// program's own look-outs.
double metric_get(const struct metric *metric, const char *const *values);

// All metrics in the order of registration, series sorted; malloc'ed, NULL without memory.
char *metrics_render(const struct metrics *m, size_t *ret_len);
