// Metrics: the text that Prometheus reads.
#include "ctrl/http/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_renders(const struct metrics *m, const char *want)
{
	size_t len;
	char *text = metrics_render(m, &len);

	assert_non_null(text);
	assert_string_equal(text, want);
	assert_int_equal(len, strlen(want));
	free(text);
}

#define LABELS(...)               \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}

static void series_are_sorted_and_have_all_labels(void **)
{
	struct metrics *m = metrics_new();
	struct metric *g = metrics_register(
		m, METRIC_GAUGE, "ip_usage", "Addresses.", LABELS("networkName", "usageType"));

	metric_set(g, LABELS("net-b", "used"), 3);
	metric_set(g, LABELS("net-a", "used"), 1.5);
	metric_set(g, LABELS("net-a", "available"), 4294967296);
	assert_renders(m, "# HELP ip_usage Addresses.\n# TYPE ip_usage gauge\n"
			  "ip_usage{networkName=\"net-a\",usageType=\"available\"} 4294967296\n"
			  "ip_usage{networkName=\"net-a\",usageType=\"used\"} 1.5\n"
			  "ip_usage{networkName=\"net-b\",usageType=\"used\"} 3\n");
	metrics_free(m);
}

static void a_counter_adds_and_can_be_read(void **)
{
	struct metrics *m = metrics_new();
	struct metric *c = metrics_register(m, METRIC_COUNTER, "n_total", "N.", NULL);

	metric_add(c, NULL, 1);
	metric_add(c, NULL, 2);
	assert_true(metric_get(c, NULL) == 3);
	assert_renders(m, "# HELP n_total N.\n# TYPE n_total counter\nn_total 3\n");
	metrics_free(m);
}

static void values_and_help_are_escaped(void **)
{
	struct metrics *m = metrics_new();
	struct metric *g = metrics_register(m, METRIC_GAUGE, "g", "a \\ b\n\"c\"", LABELS("x"));

	metric_set(g, LABELS("a\"b\\c\nd"), 0);
	assert_renders(
		m, "# HELP g a \\\\ b\\n\"c\"\n# TYPE g gauge\ng{x=\"a\\\"b\\\\c\\nd\"} 0\n");
	metrics_free(m);
}

static void a_histogram_counts_up_to_each_bound(void **)
{
	static const double bounds[] = {0.25, 1};
	struct metrics *m = metrics_new();
	struct metric *h = metrics_histogram(m, "t_seconds", "T.", LABELS("ok"), bounds, 2);

	metric_observe(h, LABELS("true"), 0.125);
	metric_observe(h, LABELS("true"), 0.25);
	metric_observe(h, LABELS("true"), 0.5);
	metric_observe(h, LABELS("true"), 8);
	assert_renders(m, "# HELP t_seconds T.\n# TYPE t_seconds histogram\n"
			  "t_seconds_bucket{ok=\"true\",le=\"0.25\"} 2\n"
			  "t_seconds_bucket{ok=\"true\",le=\"1\"} 3\n"
			  "t_seconds_bucket{ok=\"true\",le=\"+Inf\"} 4\n"
			  "t_seconds_sum{ok=\"true\"} 8.875\n"
			  "t_seconds_count{ok=\"true\"} 4\n");
	metrics_free(m);
}

static void a_summary_has_quantiles_of_the_last_observations(void **)
{
	struct metrics *m = metrics_new();
	struct metric *s = metrics_register(m, METRIC_SUMMARY, "p", "P.", NULL);

	for (int i = 0; i < METRIC_WINDOW; i++)
		metric_observe(s, NULL, 1000); // all pushed out by the next
	for (int i = 1; i <= METRIC_WINDOW; i++)
		metric_observe(s, NULL, i);
	assert_renders(m, "# HELP p P.\n# TYPE p summary\n"
			  "p{quantile=\"0.5\"} 256\np{quantile=\"0.9\"} 461\n"
			  "p{quantile=\"0.99\"} 507\np_sum 643328\np_count 1024\n");
	metrics_free(m);
}

static void the_series_of_an_object_that_is_gone_end(void **)
{
	struct metrics *m = metrics_new();
	struct metric *g = metrics_register(m, METRIC_GAUGE, "g", "G.", LABELS("a", "b"));

	metric_set(g, LABELS("x", "1"), 1);
	metric_set(g, LABELS("x", "2"), 1);
	metric_set(g, LABELS("y", "1"), 1);
	metric_forget(g, "x");
	assert_renders(m, "# HELP g G.\n# TYPE g gauge\ng{a=\"y\",b=\"1\"} 1\n");
	metrics_free(m);
}

static void collect_two(struct metric_sink *sink, void *arg)
{
	const int *n = arg;

	for (int i = 0; i < *n; i++)
		metric_emit(sink, LABELS(i == 0 ? "a\"" : "b"), i + 0.5);
}

static void what_is_collected_is_not_remembered(void **)
{
	struct metrics *m = metrics_new();
	int n = 2;

	(void)metrics_collected(m, METRIC_GAUGE, "c", "C.", LABELS("x"), collect_two, &n);
	assert_renders(m, "# HELP c C.\n# TYPE c gauge\nc{x=\"a\\\"\"} 0.5\nc{x=\"b\"} 1.5\n");
	n = 1;
	assert_renders(m, "# HELP c C.\n# TYPE c gauge\nc{x=\"a\\\"\"} 0.5\n");
	metrics_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(series_are_sorted_and_have_all_labels),
		cmocka_unit_test(a_counter_adds_and_can_be_read),
		cmocka_unit_test(values_and_help_are_escaped),
		cmocka_unit_test(a_histogram_counts_up_to_each_bound),
		cmocka_unit_test(a_summary_has_quantiles_of_the_last_observations),
		cmocka_unit_test(the_series_of_an_object_that_is_gone_end),
		cmocka_unit_test(what_is_collected_is_not_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
