// What Prometheus is told of this node: everything is read when it is asked for, from the counters
// that workers write and the cache; the loop answers, no worker notices.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_version.h>

#include "ctrl/http/serve.h"
#include "ctrl/log.h"
#include "ctrl/node/metering.h"

#define NUMBER_MAX 12

static const char *number_text(unsigned int n, char text[NUMBER_MAX])
{
	(void)snprintf(text, NUMBER_MAX, "%u", n);
	return text;
}

// ── Ports ──────────────────────────────────────────────────────────────────────────────────────

// The port with that number and its counters; NULL if there is none.
static const struct vport *port_read(
	const struct daemon *d, uint16_t i, struct port_counters *ret_counters)
{
	const struct vport *v = dataplane_tables(d->dp)->vports[i];

	if (v != NULL)
		dataplane_port_counters(d->dp, i, ret_counters);
	return v;
}

// Emits one counter, at offset, of every port. The number is what tells ports apart: names are cut.
static void emit_ports(struct metric_sink *sink, const struct daemon *d, size_t offset)
{
	struct port_counters c;
	char number[NUMBER_MAX];

	for (uint16_t i = 0; i < VPORT_MAX; i++) {
		const struct vport *v = port_read(d, i, &c);

		if (v == NULL)
			continue;
		metric_emit(sink, LABELS(number_text(i, number), v->name),
			(double)*(const uint64_t *)((const char *)&c + offset));
	}
}

static void collect_rx_packets(struct metric_sink *sink, void *d)
{
	emit_ports(sink, d, offsetof(struct port_counters, rx_packets));
}

static void collect_rx_bytes(struct metric_sink *sink, void *d)
{
	emit_ports(sink, d, offsetof(struct port_counters, rx_bytes));
}

static void collect_tx_packets(struct metric_sink *sink, void *d)
{
	emit_ports(sink, d, offsetof(struct port_counters, tx_packets));
}

static void collect_tx_bytes(struct metric_sink *sink, void *d)
{
	emit_ports(sink, d, offsetof(struct port_counters, tx_bytes));
}

static void collect_drops(struct metric_sink *sink, void *arg)
{
	const struct daemon *d = arg;
	struct port_counters c;
	char number[NUMBER_MAX];

	for (uint16_t i = 0; i < VPORT_MAX; i++) {
		const struct vport *v = port_read(d, i, &c);

		if (v == NULL)
			continue;
		for (enum drop_reason reason = 0; reason < DROP_REASON_COUNT; reason++) {
			if (c.drops[reason] > 0)
				metric_emit(sink,
					LABELS(number_text(i, number), v->name, drop_name(reason)),
					(double)c.drops[reason]);
		}
	}
}

static void register_ports(struct daemon *d)
{
	const char *const *labels = LABELS("port", "name");
	struct metrics *m = d->metrics;

	(void)metrics_collected(m, METRIC_COUNTER, "strata_port_receive_packets_total",
		"Packets that came in by a port.", labels, collect_rx_packets, d);
	(void)metrics_collected(m, METRIC_COUNTER, "strata_port_receive_bytes_total",
		"Bytes that came in by a port.", labels, collect_rx_bytes, d);
	(void)metrics_collected(m, METRIC_COUNTER, "strata_port_transmit_packets_total",
		"Packets that went out by a port.", labels, collect_tx_packets, d);
	(void)metrics_collected(m, METRIC_COUNTER, "strata_port_transmit_bytes_total",
		"Bytes that went out by a port.", labels, collect_tx_bytes, d);
	(void)metrics_collected(m, METRIC_COUNTER, "strata_port_drops_total",
		"Packets that were dropped, by the port where they came in and why.",
		LABELS("port", "name", "reason"), collect_drops, d);
}

// ── Workers ────────────────────────────────────────────────────────────────────────────────────

static void emit_workers(struct metric_sink *sink, const struct daemon *d, size_t offset, double by)
{
	char number[NUMBER_MAX];

	for (uint16_t i = 0; i < dataplane_n_workers(d->dp); i++) {
		struct worker_counters c;

		dataplane_worker_counters(d->dp, i, &c);
		metric_emit(sink, LABELS(number_text(i, number)),
			(double)*(const uint64_t *)((const char *)&c + offset) / by);
	}
}

static void collect_busy(struct metric_sink *sink, void *d)
{
	emit_workers(
		sink, d, offsetof(struct worker_counters, cycles_busy), (double)rte_get_tsc_hz());
}

static void collect_idle(struct metric_sink *sink, void *d)
{
	emit_workers(
		sink, d, offsetof(struct worker_counters, cycles_idle), (double)rte_get_tsc_hz());
}

static void collect_queues(struct metric_sink *sink, void *d)
{
	emit_workers(sink, d, offsetof(struct worker_counters, n_queues), 1);
}

static void collect_moves(struct metric_sink *sink, void *d)
{
	metric_emit(sink, NULL, (double)((const struct daemon *)d)->n_moves);
}

static void collect_packets(struct metric_sink *sink, void *d)
{
	emit_workers(sink, d, offsetof(struct worker_counters, packets), 1);
}

static void register_workers(struct daemon *d)
{
	const char *const *labels = LABELS("worker");
	struct metrics *m = d->metrics;

	(void)metrics_collected(m, METRIC_COUNTER, "strata_worker_busy_seconds_total",
		"Time in rounds that found packets.", labels, collect_busy, d);
	(void)metrics_collected(m, METRIC_COUNTER, "strata_worker_idle_seconds_total",
		"Time in rounds that found none, without sleep.", labels, collect_idle, d);
	(void)metrics_collected(m, METRIC_COUNTER, "strata_worker_packets_total",
		"Packets that a worker has taken in.", labels, collect_packets, d);
	(void)metrics_collected(m, METRIC_GAUGE, "strata_worker_queues",
		"Queues of ports that a worker polls.", labels, collect_queues, d);
	(void)metrics_collected(m, METRIC_COUNTER, "strata_queue_moves_total",
		"Times that a queue was given to another worker because of its load.", NULL,
		collect_moves, d);
}

// ── CNI ────────────────────────────────────────────────────────────────────────────────────────

static void register_cni(struct daemon *d)
{
	static const double bounds[] = {
		0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10};
	const size_t n = sizeof(bounds) / sizeof(bounds[0]);

	d->cni_seconds = metrics_histogram(d->metrics, "strata_cni_duration_seconds",
		"Time from a runtime's call to its answer.", LABELS("command"), bounds, n);
	d->cni_own_seconds = metrics_histogram(d->metrics, "strata_cni_add_own_duration_seconds",
		"Time of an ADD without its wait for the pod's addresses.", NULL, bounds, n);
	d->cni_failures = metrics_register(d->metrics, METRIC_COUNTER, "strata_cni_failures_total",
		"Calls of runtimes that were answered with an error, by its code.",
		LABELS("command", "code"));
}

void metering_cni(void *daemon, const struct cni_outcome *o)
{
	const struct daemon *d = daemon;
	char code[NUMBER_MAX];

	if (d->metrics == NULL)
		return;
	metric_observe(d->cni_seconds, LABELS(o->command), (double)o->ns / (double)NS_PER_S);
	if (o->code != 0)
		metric_add(d->cni_failures,
			LABELS(o->command, number_text((unsigned int)o->code, code)), 1);
	else if (strcmp(o->command, "ADD") == 0)
		metric_observe(
			d->cni_own_seconds, NULL, (double)(o->ns - o->wait_ns) / (double)NS_PER_S);
}

// ── Objects ────────────────────────────────────────────────────────────────────────────────────

static void collect_objects(struct metric_sink *sink, void *arg)
{
	const struct daemon *d = arg;

	for (enum kind k = 0; k < KIND_COUNT; k++)
		metric_emit(sink, LABELS(kind_name(k)), (double)cache_count(d->cache, k));
}

static void collect_refused(struct metric_sink *sink, void *arg)
{
	const struct daemon *d = arg;

	for (enum kind k = 0; k < KIND_COUNT; k++)
		metric_emit(sink, LABELS(kind_name(k)), (double)cache_count_refused(d->cache, k));
}

static void collect_synced(struct metric_sink *sink, void *arg)
{
	const struct daemon *d = arg;

	metric_emit(sink, NULL, cache_synced(d->cache));
}

static void register_objects(struct daemon *d)
{
	(void)metrics_collected(d->metrics, METRIC_GAUGE, "strata_objects",
		"The cluster's objects that are in force.", LABELS("kind"), collect_objects, d);
	(void)metrics_collected(d->metrics, METRIC_GAUGE, "strata_objects_not_in_force",
		"Objects that are refused, or wait for their parent.", LABELS("kind"),
		collect_refused, d);
	(void)metrics_collected(d->metrics, METRIC_GAUGE, "strata_objects_synced",
		"Whether the cluster's objects have all been read.", NULL, collect_synced, d);
}

// ── Serving ────────────────────────────────────────────────────────────────────────────────────

static const char *unready(void *arg)
{
	const struct daemon *d = arg;

	return cache_synced(d->cache) ? NULL : "the cluster's objects are not read yet\n";
}

int metering_open(struct daemon *d)
{
	char message[MODEL_ERROR_MAX] = "out of memory";

	if (d->config.metrics_port == 0)
		return 0;
	d->metrics = metrics_new();
	if (d->metrics == NULL)
		return log_err(-ENOMEM, "metrics");
	metric_set(metrics_register(d->metrics, METRIC_GAUGE, "strata_build_info",
			   "The program's version.", LABELS("version", "dpdk")),
		LABELS(STRATA_VERSION, rte_version()), 1);
	register_ports(d);
	register_workers(d);
	register_cni(d);
	register_objects(d);
	metering_tables(d);
	metering_watches(d);
	int ret = serve_open(&d->loop,
		&(struct serve_conf){.address = d->config.metrics_address,
			.metrics_port = d->config.metrics_port,
			.metrics = d->metrics,
			.unready = unready,
			.arg = d},
		&d->serve, message);
	return ret < 0 ? log_err(ret, "metrics: %s", message) : 0;
}

void metering_close(struct daemon *d)
{
	serve_close(d->serve);
	metrics_free(d->metrics);
	d->metrics = NULL;
}
