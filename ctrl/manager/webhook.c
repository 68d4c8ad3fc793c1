// The webhooks' start and end.
#include "ctrl/manager/webhook.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/http/metrics.h"
#include "ctrl/manager/webhook_inner.h"

static const double seconds_bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5};

static void take(char *to, size_t size, const char *given, const char *otherwise)
{
	(void)snprintf(to, size, "%s", given != NULL ? given : otherwise);
}

__attribute__((format(printf, 2, 3))) static void add_name(
	struct webhook *w, const char *format, ...)
{
	va_list ap;

	if (w->n_names == CERTIFICATE_NAMES_MAX)
		return;
	va_start(ap, format);
	(void)vsnprintf(w->names[w->n_names], sizeof(w->names[0]), format, ap);
	va_end(ap);
	w->name_list[w->n_names] = w->names[w->n_names];
	w->n_names++;
}

// All that somebody in the cluster may call the Service.
static void make_names(struct webhook *w, const char *extra)
{
	add_name(w, "%s.%s.svc", w->service, w->namespace);
	add_name(w, "%s.%s.svc.cluster.local", w->service, w->namespace);
	add_name(w, "%s.%s", w->service, w->namespace);
	add_name(w, "%s", w->service);
	while (extra != NULL && *extra != '\0') {
		size_t len = strcspn(extra, ",");
		if (len > 0)
			add_name(w, "%.*s", (int)len, extra);
		extra += len + strspn(extra + len, ",");
	}
}

static void configure(struct webhook *w, const struct webhook_conf *conf)
{
	char account[WEBHOOK_NAME_MAX];

	take(w->namespace, sizeof(w->namespace), conf->namespace, kube_namespace(w->client));
	take(w->service, sizeof(w->service), conf->service, WEBHOOK_SERVICE);
	take(w->secret, sizeof(w->secret), conf->secret, WEBHOOK_SECRET);
	take(w->validating, sizeof(w->validating), conf->validating, WEBHOOK_VALIDATING);
	take(w->mutating, sizeof(w->mutating), conf->mutating, WEBHOOK_MUTATING);
	(void)snprintf(
		account, sizeof(account), "system:serviceaccount:%s:strata-manager", w->namespace);
	take(w->manager_account, sizeof(w->manager_account), conf->manager_account, account);
	(void)snprintf(
		account, sizeof(account), "system:serviceaccount:%s:strata-node", w->namespace);
	take(w->node_account, sizeof(w->node_account), conf->node_account, account);
	w->leads = conf->leads;
	w->leads_arg = conf->arg;
	w->judge = (struct judge_conf){
		.selection = *conf->selection,
		.vm_ip_retain = conf->vm_ip_retain,
		.namespace = w->namespace,
		.manager_account = w->manager_account,
		.node_account = w->node_account,
	};
	make_names(w, conf->extra_names);
}

static void count(struct webhook *w, struct metrics *metrics)
{
	static const char *const labels[] = {"kind", "webhook", "outcome", NULL};
	static const char *const webhook[] = {"webhook", NULL};

	if (metrics == NULL)
		return;
	w->reviewed = metrics_register(metrics, METRIC_COUNTER, "strata_admission_reviews_total",
		"Admission reviews by kind of object, webhook and outcome.", labels);
	w->seconds = metrics_histogram(metrics, "strata_admission_review_duration_seconds",
		"Time from an admission review's arrival to its answer.", webhook, seconds_bounds,
		sizeof(seconds_bounds) / sizeof(seconds_bounds[0]));
}

static void start(struct webhook *w)
{
	w->queue_end = &w->queue;
	(void)uv_timer_init(w->loop, &w->certificate_timer);
	(void)uv_timer_init(w->loop, &w->bundle_timer);
	w->certificate_timer.data = w->bundle_timer.data = w;
	w->n_handles = 2;
	webhook_bundle_start(w);
	webhook_certificate_start(w);
}

int webhook_start(uv_loop_t *loop, struct kube_client *client, const struct webhook_conf *conf,
	struct webhook **ret_webhook, char message[MODEL_ERROR_MAX])
{
	const struct http_conf http = {.address = conf->address, .port = conf->port, .tls = true};
	struct webhook *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return -ENOMEM;
	w->loop = loop;
	w->client = client;
	configure(w, conf);
	int ret = http_open(loop, &http, &w->server, message);
	if (ret < 0) {
		free(w);
		return ret;
	}
	(void)http_route(w->server, "POST", "/validate", webhook_validate, w);
	(void)http_route(w->server, "POST", "/mutate", webhook_mutate, w);
	count(w, conf->metrics);
	start(w);
	*ret_webhook = w;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct webhook *w = handle->data;

	if (--w->n_handles > 0)
		return;
	free(w->ca_pem);
	free(w->served);
	free(w);
}

void webhook_stop(struct webhook *w)
{
	if (w == NULL)
		return;
	webhook_reviews_drop(w);
	http_close(w->server);
	uv_close((uv_handle_t *)&w->certificate_timer, on_closed);
	uv_close((uv_handle_t *)&w->bundle_timer, on_closed);
}

uint16_t webhook_port(const struct webhook *w)
{
	return http_port(w->server);
}

bool webhook_ready(const struct webhook *w)
{
	return w->served != NULL;
}
