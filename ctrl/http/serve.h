// What a program answers by plain HTTP: /metrics, and /healthz and /readyz for the kubelet.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "ctrl/http/metrics.h"
#include "ctrl/model/object.h"

struct serve;

struct serve_conf {
	const char *address; // to listen on; NULL or "": all
	uint16_t metrics_port, probe_port; // 0: none; the probes' own, or the metrics' if 0
	const struct metrics *metrics;
	// What is not ready yet, NULL if everything is. A replica that waits to lead is ready.
	const char *(*unready)(void *arg);
	void *arg;
};

// 0 or -errno, message says what failed.
int serve_open(uv_loop_t *loop, const struct serve_conf *conf, struct serve **ret_serve,
	char message[MODEL_ERROR_MAX]);
void serve_close(struct serve *s); // NULL is fine
