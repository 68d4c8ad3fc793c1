// What the manager says: Events on objects, and metrics. hybridnet's metrics keep their names and units for
// the dashboards that exist; ours say the same by Prometheus' conventions.
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/manager/state.h"

#define EVENT_MESSAGE_MAX 1024 // as core/v1 has it

struct report {
	struct metric *network_addresses, *subnet_addresses, *allocation_seconds;
	struct metric *failures, *refused, *leader, *leaked, *doubled, *swept;
	struct metric *ip_usage, *subnet_ip_usage, *ip_allocation_period; // hybridnet's
};

#define LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})

static const double allocation_bounds[] = {
	0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60};

struct report *report_new(struct metrics *m)
{
	struct report *r = calloc(1, sizeof(*r));

	if (r == NULL)
		abort(); // a program that starts
	r->leader = metrics_register(m, METRIC_GAUGE, "strata_manager_leader",
		"Whether this manager is the one that allocates.", NULL);
	r->network_addresses = metrics_register(m, METRIC_GAUGE, "strata_network_addresses",
		"Addresses of a Network's Subnets; of both families at once for dualstack.",
		LABELS("network", "family", "state"));
	r->subnet_addresses = metrics_register(m, METRIC_GAUGE, "strata_subnet_addresses",
		"Addresses of a Subnet.", LABELS("subnet", "network", "state"));
	r->allocation_seconds = metrics_histogram(m, "strata_ip_allocation_duration_seconds",
		"From a pod seen on its node to its addresses written, or refused.",
		LABELS("type", "success"), allocation_bounds,
		sizeof(allocation_bounds) / sizeof(allocation_bounds[0]));
	r->failures = metrics_register(m, METRIC_COUNTER, "strata_manager_request_failures_total",
		"Changes of objects that failed, but for conflicts.", LABELS("verb", "kind"));
	r->refused = metrics_register(m, METRIC_COUNTER, "strata_objects_refused_total",
		"Objects that are not in force because they break a rule.", LABELS("kind"));
	r->leaked = metrics_register(m, METRIC_GAUGE, "strata_addresses_leaked",
		"Addresses of pods that are no more, as the sweeper found them last.", NULL);
	r->doubled = metrics_register(m, METRIC_GAUGE, "strata_addresses_doubled",
		"Addresses that more than one IPInstance has, as the sweeper found them last.",
		NULL);
	r->swept = metrics_register(m, METRIC_COUNTER, "strata_addresses_swept_total",
		"Leaked addresses that the sweeper gave back.", NULL);
	r->ip_usage = metrics_register(m, METRIC_GAUGE, "ip_usage", "IP usage in every network",
		LABELS("networkName", "ipFamily", "usageType"));
	r->subnet_ip_usage = metrics_register(m, METRIC_GAUGE, "subnet_ip_usage",
		"IP usage in every subnet", LABELS("subnetName", "networkName", "usageType"));
	r->ip_allocation_period = metrics_register(m, METRIC_SUMMARY, "ip_allocation_period",
		"the period summary of ip allocation for pod, in nanoseconds",
		LABELS("allocateType", "success"));
	metric_set(r->leader, NULL, 0);
	metric_set(r->leaked, NULL, 0);
	metric_set(r->doubled, NULL, 0);
	metric_add(r->swept, NULL, 0);
	return r;
}

void report_event(struct manager *m, const struct object *about, bool warning, const char *reason,
	const char *format, ...)
{
	char message[EVENT_MESSAGE_MAX];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	if (!warning && !m->remote)
		return; // a log that says what goes well is not read
	m->store->ops->event(
		m->store, &(struct store_event_record){.about = {.kind = about->kind,
							       .namespace = about->meta.namespace,
							       .name = about->meta.name},
				  .uid = about->meta.uid,
				  .warning = warning,
				  .reason = reason,
				  .message = message});
}

void report_bad(struct manager *m, enum kind kind, const char *namespace, const char *name,
	const char *message)
{
	if (m->remote) // else its condition and the daemon's log say it
		m->store->ops->event(m->store,
			&(struct store_event_record){
				.about = {.kind = kind, .namespace = namespace, .name = name},
				.warning = true,
				.reason = "Refused",
				.message = message});
}

// ── Usage ──────────────────────────────────────────────────────────────────────────────────────

static void set_counts(struct metric *ours, struct metric *theirs, const char *a, const char *b,
	const struct ip_count *count)
{
	const struct {
		const char *state;
		int64_t n;
	} states[] = {
		{"total", count->total}, {"used", count->used}, {"available", count->available}};

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		metric_set(ours, LABELS(a, b, states[i].state), (double)states[i].n);
		metric_set(theirs, LABELS(a, b, states[i].state), (double)states[i].n);
	}
}

static bool network_usage(const struct object *obj, void *arg)
{
	struct manager *m = arg;
	const struct report *r = m->report;
	const char *name = obj->meta.name;
	char last4[NAME_MAX_LEN], last6[NAME_MAX_LEN];
	struct ip_count v4, v6, dual;

	if (ipam_network_usage(m->ipam, name, &v4, &v6, &dual, last4, last6) < 0)
		return true;
	set_counts(r->network_addresses, r->ip_usage, name, "ipv4", &v4);
	set_counts(r->network_addresses, r->ip_usage, name, "ipv6", &v6);
	metric_set(r->network_addresses, LABELS(name, "dualstack", "available"),
		(double)dual.available);
	metric_set(r->ip_usage, LABELS(name, "dualstack", "available"), (double)dual.available);
	return true;
}

static bool subnet_usage(const struct object *obj, void *arg)
{
	struct manager *m = arg;
	const struct subnet_obj *s = (const void *)obj;
	struct ipam_usage usage;

	if (ipam_subnet_usage(m->ipam, obj->meta.name, &usage) == 0)
		set_counts(m->report->subnet_addresses, m->report->subnet_ip_usage, obj->meta.name,
			s->network, &usage.count);
	return true;
}

void report_usage(struct manager *m)
{
	if (m->report == NULL)
		return;
	metric_set(m->report->leader, NULL, m->active);
	cache_each(m->cache, KIND_NETWORK, network_usage, m);
	cache_each(m->cache, KIND_SUBNET, subnet_usage, m);
}

void report_gone(struct manager *m, const struct object *obj)
{
	const struct report *r = m->report;
	bool network = obj->kind == KIND_NETWORK;

	if (r == NULL)
		return;
	metric_forget(network ? r->network_addresses : r->subnet_addresses, obj->meta.name);
	metric_forget(network ? r->ip_usage : r->subnet_ip_usage, obj->meta.name);
}

// ── What happens ───────────────────────────────────────────────────────────────────────────────

void report_allocation(struct manager *m, bool stateful, bool ok, uint64_t ms)
{
	const char *const *labels = LABELS(stateful ? "stateful" : "normal", ok ? "true" : "false");

	if (m->report == NULL)
		return;
	metric_observe(m->report->allocation_seconds, labels, (double)ms / 1000);
	metric_observe(m->report->ip_allocation_period, labels, (double)ms * 1000000);
}

void report_failure(struct manager *m, const char *verb, enum kind kind)
{
	if (m->report != NULL)
		metric_add(m->report->failures, LABELS(verb, kind_name(kind)), 1);
}

void report_refused(struct manager *m, enum kind kind)
{
	if (m->report != NULL)
		metric_add(m->report->refused, LABELS(kind_name(kind)), 1);
}

void report_sweep(struct manager *m, size_t n_leaked, size_t n_doubled)
{
	if (m->report == NULL)
		return;
	metric_set(m->report->leaked, NULL, (double)n_leaked);
	metric_set(m->report->doubled, NULL, (double)n_doubled);
}

void report_swept(struct manager *m)
{
	if (m->report != NULL)
		metric_add(m->report->swept, NULL, 1);
}
