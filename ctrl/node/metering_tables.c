// What Prometheus is told of the switch's tables: how full they are, and how full they may get.
#include "ctrl/node/metering.h"

static void collect_entries(struct metric_sink *sink, void *arg)
{
	const struct daemon *d = arg;
	struct fib_sizes s;

	fib_sizes(d->fib, &s);
	metric_emit(sink, LABELS("endpoint"), (double)s.endpoints);
	metric_emit(sink, LABELS("nexthop"), (double)s.nexthops);
	metric_emit(sink, LABELS("node"), (double)s.nodes);
	metric_emit(sink, LABELS("port"), (double)s.ports);
	metric_emit(sink, LABELS("route"), (double)s.routes);
	metric_emit(sink, LABELS("subnet"), (double)s.subnets);
	metric_emit(sink, LABELS("tunnel"), (double)s.tunnels);
}

// Those that have a limit.
static void collect_limits(struct metric_sink *sink, void *)
{
	metric_emit(sink, LABELS("nexthop"), NEXTHOP_MAX - 1);
	metric_emit(sink, LABELS("port"), VPORT_MAX);
	metric_emit(sink, LABELS("route"), ROUTES_MAX);
}

static void collect_neighbours(struct metric_sink *sink, void *arg)
{
	const struct daemon *d = arg;
	struct fib_sizes s;

	fib_sizes(d->fib, &s);
	for (enum neighbour_state state = 0; state < NEIGHBOUR_STATE_COUNT; state++)
		metric_emit(sink, LABELS(neighbour_state_name(state)), (double)s.neighbours[state]);
}

void metering_tables(struct daemon *d)
{
	(void)metrics_collected(d->metrics, METRIC_GAUGE, "strata_table_entries",
		"Entries of a table of the switch.", LABELS("table"), collect_entries, d);
	(void)metrics_collected(d->metrics, METRIC_GAUGE, "strata_table_entries_limit",
		"Entries that a table of the switch has room for.", LABELS("table"), collect_limits,
		d);
	(void)metrics_collected(d->metrics, METRIC_GAUGE, "strata_neighbours",
		"Stations of the uplink's VLANs that somebody here has asked for.", LABELS("state"),
		collect_neighbours, d);
}
