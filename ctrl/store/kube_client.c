// The client: what is sent when, and again; credentials that change; opening and closing.
#include "ctrl/store/kube_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "ctrl/log.h"
#include "ctrl/store/kube_transfer.h"

#define DEFAULT_WAIT_S 1 // of a server that puts off and does not say until when

// ── What waits and what flies ──────────────────────────────────────────────────────────────────

static void on_wake(uv_timer_t *timer);

// When its turn comes, if it may fly: at once, or later; ms of the loop.
static uint64_t due_at(const struct kube_client *c, const struct kube_transfer *t)
{
	uint64_t turn = t->endless ? 0 : kube_rate_wait(&c->rate, uv_now(c->loop));

	turn += uv_now(c->loop);
	return t->due > turn ? t->due : turn;
}

static bool may_fly(const struct kube_client *c, const struct kube_transfer *t)
{
	return t->endless || c->n_flies < KUBE_FLIGHTS_MAX;
}

// Sees to it that what is due is started by the loop.
static void wake(struct kube_client *c)
{
	const struct kube_transfer *t;
	uint64_t now = uv_now(c->loop), first = UINT64_MAX;

	if (c->closing)
		return;
	DL_FOREACH (c->waits, t) {
		if (may_fly(c, t) && due_at(c, t) < first)
			first = due_at(c, t);
		if (first <= now)
			break;
	}
	if (first == UINT64_MAX)
		(void)uv_timer_stop(&c->wake_timer);
	else
		(void)uv_timer_start(&c->wake_timer, on_wake, first > now ? first - now : 0, 0);
}

static void finish(struct kube_transfer *t, CURLcode result)
{
	struct kube_client *c = t->client;
	kube_done *done = t->done;
	kube_answered *answered = t->answered;
	void *arg = t->arg;
	char message[MODEL_ERROR_MAX];
	cJSON *answer;
	int status = kube_transfer_outcome(t, result, &answer, message);

	t->state = FLIGHT_LANDED;
	kube_transfer_free(t);
	if (done != NULL)
		done(arg, status, answer, message[0] != '\0' ? message : NULL);
	else if (answered != NULL)
		answered(arg, status, answer, message[0] != '\0' ? message : NULL);
	cJSON_Delete(answer);
	wake(c);
}

static void take_off(struct kube_transfer *t)
{
	struct kube_client *c = t->client;
	int ret = kube_transfer_arm(t);

	DL_DELETE(c->waits, t);
	if (ret == 0 && curl_multi_add_handle(c->multi, t->easy) != CURLM_OK)
		ret = -ENOMEM;
	if (ret < 0) {
		t->failed = ret;
		finish(t, CURLE_OUT_OF_MEMORY);
		return;
	}
	t->state = FLIGHT_FLIES;
	t->n_tries++;
	c->n_flies += !t->endless;
	if (!t->endless)
		kube_rate_take(&c->rate, uv_now(c->loop));
	DL_APPEND(c->flies, t);
}

static struct kube_transfer *first_due(struct kube_client *c)
{
	struct kube_transfer *t;
	uint64_t now = uv_now(c->loop);

	DL_FOREACH (c->waits, t) {
		if (due_at(c, t) <= now && may_fly(c, t))
			return t;
	}
	return NULL;
}

static void on_wake(uv_timer_t *timer)
{
	struct kube_client *c = timer->data;
	struct kube_transfer *t;

	while (!c->closing && (t = first_due(c)) != NULL)
		take_off(t);
	wake(c);
}

// Puts a transfer (back) into the queue.
static void await(struct kube_transfer *t, uint64_t ms)
{
	t->state = FLIGHT_WAITS;
	t->due = uv_now(t->client->loop) + ms;
	DL_APPEND(t->client->waits, t);
	wake(t->client);
}

static void leave_flight(struct kube_transfer *t)
{
	struct kube_client *c = t->client;

	(void)curl_multi_remove_handle(c->multi, t->easy);
	DL_DELETE(c->flies, t);
	c->n_flies -= !t->endless;
}

static bool is_put_off(const struct kube_transfer *t, long status)
{
	return status == 429 || (status >= 500 && t->retry_after >= 0);
}

void kube_landed(struct kube_transfer *t, CURLcode result)
{
	long status = 0;

	leave_flight(t);
	if (result == CURLE_OK)
		(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	else if (result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CONNECT_ERROR)
		kube_refresh(t->client);
	if (status == 401 && !t->refreshed) {
		t->refreshed = true;
		kube_refresh(t->client);
		kube_transfer_disarm(t);
		await(t, 0);
	} else if (is_put_off(t, status) && t->n_tries < KUBE_TRIES_MAX) {
		int wait = t->retry_after >= 0 ? t->retry_after : DEFAULT_WAIT_S;
		kube_transfer_disarm(t);
		await(t, (uint64_t)wait * 1000);
	} else {
		finish(t, result);
	}
}

struct kube_transfer *kube_start(struct kube_client *c, const struct kube_call *call)
{
	struct kube_transfer *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->client = c;
	t->timeout_ms = call->timeout_ms;
	t->data = call->data;
	t->endless = call->endless;
	t->stall_s = call->stall_s != 0 ? call->stall_s : KUBE_SLOW_S;
	t->done = call->done;
	t->answered = call->answered;
	t->arg = call->arg;
	t->retry_after = -1;
	t->method = strdup(call->method);
	t->path = strdup(call->path);
	if (call->content_type != NULL)
		t->content_type = strdup(call->content_type);
	if (call->body != NULL)
		t->body = cJSON_PrintUnformatted(call->body);
	if (t->method == NULL || t->path == NULL || (call->body != NULL && t->body == NULL) ||
		(call->content_type != NULL && t->content_type == NULL)) {
		kube_transfer_free(t);
		return NULL;
	}
	await(t, 0);
	return t;
}

void kube_cancel(struct kube_transfer *t)
{
	struct kube_client *c = t->client;

	if (t->state == FLIGHT_FLIES)
		leave_flight(t);
	else
		DL_DELETE(c->waits, t);
	kube_transfer_free(t);
	wake(c);
}

void kube_request(struct kube_client *c, const char *method, const char *path,
	const char *content_type, const cJSON *body, kube_done *done, void *arg)
{
	const struct kube_call call = {
		.method = method,
		.path = path,
		.content_type = content_type,
		.body = body,
		.timeout_ms = KUBE_REQUEST_MS,
		.done = done,
		.arg = arg,
	};

	if (kube_start(c, &call) == NULL)
		abort(); // there is no way left to say so, not even by a call-back
}

// ── Credentials ────────────────────────────────────────────────────────────────────────────────

static void refresh_now(struct kube_client *c)
{
	char message[MODEL_ERROR_MAX];
	bool changed;

	c->refreshed_at = uv_now(c->loop);
	int ret = kube_credentials_refresh(&c->credentials, &changed, message);
	if (ret == 0) {
		c->complaint[0] = '\0';
	} else if (strcmp(c->complaint, message) != 0) {
		(void)snprintf(c->complaint, sizeof(c->complaint), "%s", message);
		(void)log_warn(0, "%s; going on with what was there before", message);
	}
}

void kube_refresh(struct kube_client *c)
{
	if (uv_now(c->loop) - c->refreshed_at >= KUBE_REFRESH_AGAIN_MS)
		refresh_now(c);
}

static void on_refresh(uv_timer_t *timer)
{
	refresh_now(timer->data);
}

// ── Opening and closing ────────────────────────────────────────────────────────────────────────

static int find_access(
	const struct kube_conf *conf, struct kube_access *ret_access, char message[MODEL_ERROR_MAX])
{
	int ret = conf->kubeconfig != NULL
			  ? kube_access_read(conf->kubeconfig, ret_access, message)
			  : kube_access_in_cluster(KUBE_SERVICE_ACCOUNT,
				    getenv("KUBERNETES_SERVICE_HOST"),
				    getenv("KUBERNETES_SERVICE_PORT"), ret_access, message);

	if (ret == 0 && ret_access->insecure && !conf->allow_insecure) {
		(void)snprintf(message, MODEL_ERROR_MAX,
			"%.100s: insecure-skip-tls-verify would trust any server; it is refused "
			"unless explicitly allowed",
			conf->kubeconfig);
		kube_access_fini(ret_access);
		return -EINVAL;
	}
	return ret;
}

static void client_free(struct kube_client *c)
{
	kube_credentials_fini(&c->credentials);
	kube_access_fini(&c->access);
	free(c->agent);
	free(c);
}

static int init(struct kube_client *c, const struct kube_conf *conf, char message[MODEL_ERROR_MAX])
{
	int ret = kube_credentials_init(&c->credentials, &c->access, message);

	if (ret < 0)
		return ret;
	if (asprintf(&c->agent, "strata-%s/%s", conf->component, STRATA_VERSION) < 0) {
		c->agent = NULL;
		ret = -ENOMEM;
	} else if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		ret = -EIO;
	} else {
		ret = kube_loop_open(c);
	}
	if (ret < 0)
		(void)snprintf(message, MODEL_ERROR_MAX, "libcurl: %s", strerror(-ret));
	return ret;
}

int kube_client_open(uv_loop_t *loop, const struct kube_conf *conf, struct kube_client **ret_client,
	char message[MODEL_ERROR_MAX])
{
	struct kube_access access;
	int ret = find_access(conf, &access, message);

	if (ret < 0)
		return ret;
	struct kube_client *c = calloc(1, sizeof(*c));
	if (c == NULL) {
		kube_access_fini(&access);
		(void)snprintf(message, MODEL_ERROR_MAX, "out of memory");
		return -ENOMEM;
	}
	c->loop = loop;
	c->access = access;
	ret = init(c, conf, message);
	if (ret < 0) {
		client_free(c);
		return ret;
	}
	c->refreshed_at = uv_now(loop);
	kube_rate_init(&c->rate, conf->qps, conf->burst, uv_now(loop));
	(void)uv_timer_init(loop, &c->wake_timer);
	(void)uv_timer_init(loop, &c->refresh_timer);
	c->wake_timer.data = c->refresh_timer.data = c;
	(void)uv_timer_start(&c->refresh_timer, on_refresh, KUBE_REFRESH_MS, KUBE_REFRESH_MS);
	*ret_client = c;
	return 0;
}

static void on_closed(uv_handle_t *h)
{
	struct kube_client *c = h->data;

	if (--c->n_handles == 0)
		client_free(c);
}

void kube_client_close(struct kube_client *c)
{
	if (c == NULL)
		return;
	uv_timer_t *timers[] = {&c->curl_timer, &c->wake_timer, &c->refresh_timer};
	struct kube_transfer *t, *next;

	c->closing = true;
	DL_FOREACH_SAFE (c->flies, t, next) {
		leave_flight(t);
		kube_transfer_free(t);
	}
	DL_FOREACH_SAFE (c->waits, t, next) {
		DL_DELETE(c->waits, t);
		kube_transfer_free(t);
	}
	kube_loop_close(c);
	for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) {
		c->n_handles++;
		uv_close((uv_handle_t *)timers[i], on_closed);
	}
}

const char *kube_namespace(const struct kube_client *c)
{
	return c->access.namespace != NULL ? c->access.namespace : "default";
}
