// The admission webhooks and a port for metrics, without the manager's controllers.
//   webhook_server KUBECONFIG PORT NAMESPACE NAMES
// NAMES: more names of the certificate. Ends at SIGTERM.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/http/metrics.h"
#include "ctrl/log.h"
#include "ctrl/manager/webhook.h"

struct program {
	uv_loop_t loop;
	uv_signal_t terminate;
	struct kube_client *client;
	struct webhook *webhook;
	struct http_server *plain;
	struct metrics *metrics;
};

static void serve_metrics(void *arg, struct http_request *r)
{
	struct program *p = arg;
	size_t len;
	char *text = metrics_render(p->metrics, &len);

	http_respond(r, 200, METRICS_CONTENT_TYPE, text, len);
	free(text);
}

static void serve_readiness(void *arg, struct http_request *r)
{
	struct program *p = arg;
	const char *text = webhook_ready(p->webhook) ? "ok\n" : "no certificate yet\n";

	http_respond(r, webhook_ready(p->webhook) ? 200 : 503, NULL, text, strlen(text));
}

static void on_terminate(uv_signal_t *handle, int)
{
	struct program *p = handle->data;

	kube_client_close(p->client);
	webhook_stop(p->webhook);
	http_close(p->plain);
	uv_close((uv_handle_t *)handle, NULL);
}

static int start(struct program *p, char **argv, const struct selection_conf *selection)
{
	const struct kube_conf kube = {.kubeconfig = argv[1], .component = "test"};
	const struct http_conf plain = {.port = (uint16_t)(strtoul(argv[2], NULL, 10) + 1)};
	const struct webhook_conf conf = {
		.port = (uint16_t)strtoul(argv[2], NULL, 10),
		.namespace = argv[3],
		.extra_names = argv[4],
		.selection = selection,
		.metrics = p->metrics,
	};
	char message[MODEL_ERROR_MAX];
	int ret = kube_client_open(&p->loop, &kube, &p->client, message);

	if (ret == 0)
		ret = webhook_start(&p->loop, p->client, &conf, &p->webhook, message);
	if (ret == 0)
		ret = http_open(&p->loop, &plain, &p->plain, message);
	if (ret < 0)
		return log_err(ret, "%s", message);
	(void)http_route(p->plain, "GET", "/metrics", serve_metrics, p);
	(void)http_route(p->plain, "GET", "/readyz", serve_readiness, p);
	return 0;
}

int main(int argc, char **argv)
{
	struct program p = {0};

	if (argc != 5)
		return 2;
	const struct selection_conf selection = {
		.network_type = "Underlay",
		.ip_family = "",
		.stateful_kinds = "StatefulSet",
		.ip_retain = true,
	};
	log_set_level(LOG_LEVEL_DEBUG);
	p.metrics = metrics_new();
	if (p.metrics == NULL || uv_loop_init(&p.loop) < 0 || start(&p, argv, &selection) < 0)
		return 1;
	(void)uv_signal_init(&p.loop, &p.terminate);
	p.terminate.data = &p;
	(void)uv_signal_start(&p.terminate, on_terminate, SIGTERM);
	(void)uv_run(&p.loop, UV_RUN_DEFAULT);
	metrics_free(p.metrics);
	return uv_loop_close(&p.loop) < 0;
}
