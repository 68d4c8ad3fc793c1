// Two servers at the most; what they answer is made when it is asked for.
#include "ctrl/http/serve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/http/http.h"

struct serve {
	struct serve_conf conf;
	struct http_server *metrics, *probes; // owned; NULL: none
};

static void answer(struct http_request *r, unsigned int status, const char *text)
{
	http_respond(r, status, NULL, text, strlen(text));
}

static void on_metrics(void *arg, struct http_request *r)
{
	const struct serve *s = arg;
	size_t len;
	char *text = metrics_render(s->conf.metrics, &len);

	if (text != NULL)
		http_respond(r, 200, METRICS_CONTENT_TYPE, text, len);
	else
		answer(r, 500, "out of memory\n");
	free(text);
}

static void on_healthz(void *, struct http_request *r)
{
	answer(r, 200, "ok\n"); // the loop turns, or there would be no answer
}

static void on_readyz(void *arg, struct http_request *r)
{
	const struct serve *s = arg;
	const char *why = s->conf.unready(s->conf.arg);

	answer(r, why == NULL ? 200 : 503, why == NULL ? "ok\n" : why);
}

static int open_one(uv_loop_t *loop, const char *address, uint16_t port,
	struct http_server **ret_server, char message[MODEL_ERROR_MAX])
{
	return port == 0 ? 0
			 : http_open(loop, &(struct http_conf){.address = address, .port = port},
				   ret_server, message);
}

static int route_all(struct serve *s)
{
	struct http_server *probes = s->probes != NULL ? s->probes : s->metrics;
	int ret = 0;

	if (s->metrics != NULL)
		ret = http_route(s->metrics, "GET", "/metrics", on_metrics, s);
	if (ret == 0 && probes != NULL)
		ret = http_route(probes, "GET", "/healthz", on_healthz, s);
	if (ret == 0 && probes != NULL)
		ret = http_route(probes, "GET", "/readyz", on_readyz, s);
	return ret;
}

int serve_open(uv_loop_t *loop, const struct serve_conf *conf, struct serve **ret_serve,
	char message[MODEL_ERROR_MAX])
{
	struct serve *s = calloc(1, sizeof(*s));
	int ret;

	if (s == NULL)
		return -ENOMEM;
	s->conf = *conf;
	ret = open_one(loop, conf->address, conf->metrics_port, &s->metrics, message);
	if (ret == 0)
		ret = open_one(loop, conf->address, conf->probe_port, &s->probes, message);
	if (ret == 0)
		ret = route_all(s);
	if (ret < 0) {
		serve_close(s);
		return ret;
	}
	*ret_serve = s;
	return 0;
}

void serve_close(struct serve *s)
{
	if (s == NULL)
		return;
	http_close(s->metrics);
	http_close(s->probes);
	free(s);
}
