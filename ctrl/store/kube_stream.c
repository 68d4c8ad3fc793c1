// A reflector's watch: one line of JSON for each change, for minutes. It is resumed where it ended,
// whatever ended it; what came in half is asked for again.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/store/kube.h"
#include "ctrl/store/kube_strip.h"

#define GRACE_S 30 // a server is not on the dot
#define GARBAGE_SHOWN 60 // bytes of it in a message

static const char *string_of(const cJSON *obj, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(obj, name));
}

static void set_version(struct kube_reflector *r, const cJSON *obj)
{
	const char *version =
		string_of(cJSON_GetObjectItemCaseSensitive(obj, "metadata"), "resourceVersion");

	if (version != NULL && version[0] != '\0' && strlen(version) < sizeof(r->version))
		(void)snprintf(r->version, sizeof(r->version), "%s", version);
}

static void got_on(struct kube_reflector *r)
{
	r->progress = true;
	r->last_news = uv_now(r->store->loop);
	r->broken = false;
	r->n_stuck = 0;
	kube_backoff_reset(&r->backoff);
	kube_backoff_reset(&r->relist);
}

// Says once what is wrong with a stream; then it ends.
static bool garbage(struct kube_reflector *r, const char *text)
{
	char message[MODEL_ERROR_MAX];

	if (r->broken)
		return false;
	r->broken = true;
	(void)snprintf(message, sizeof(message),
		"the API server's watch of %s sent no object: '%.*s'", kind_plural(r->kind),
		GARBAGE_SHOWN, text);
	(void)kube_reflector_tell(r, STORE_BROKEN, NULL, message);
	return false;
}

// An error within the stream is a Status. False: the stream is of no use any more.
static bool take_error(struct kube_reflector *r, const cJSON *status)
{
	const cJSON *code = cJSON_GetObjectItemCaseSensitive(status, "code");

	r->gone = cJSON_IsNumber(code) && code->valueint == 410;
	return false;
}

static bool take_change(struct kube_reflector *r, const char *type, cJSON *obj)
{
	bool more = true;

	if (strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0) {
		more = kube_reflector_put(r, obj);
	} else if (strcmp(type, "DELETED") == 0) {
		kube_strip(r->kind, obj);
		kube_known_del(&r->known, obj);
		more = kube_reflector_tell(r, STORE_DELETED, obj, NULL);
	} else if (strcmp(type, "BOOKMARK") != 0) {
		return garbage(r, type);
	}
	if (!more)
		return false;
	set_version(r, obj);
	got_on(r);
	return true;
}

static bool on_line(void *arg, char *text, size_t len)
{
	struct kube_reflector *r = arg;
	cJSON *change = cJSON_ParseWithLength(text, len);
	const char *type = string_of(change, "type");
	cJSON *obj = cJSON_GetObjectItemCaseSensitive(change, "object");
	bool more;

	if (type == NULL || !cJSON_IsObject(obj))
		more = garbage(r, text);
	else if (strcmp(type, "ERROR") == 0)
		more = take_error(r, obj);
	else
		more = take_change(r, type, obj);
	cJSON_Delete(change);
	return more;
}

// The stream has ended, well or not: what now?
static void ended(struct kube_reflector *r, int status, const char *message)
{
	bool was_well = r->alive || r->progress;

	r->transfer = NULL;
	kube_lines_reset(&r->lines);
	(void)uv_timer_stop(&r->timer);
	if (r->alive)
		kube_backoff_reset(&r->backoff);
	if (r->gone || r->n_stuck >= KUBE_STUCK_MAX)
		kube_reflector_relist(r);
	else if (message != NULL && kube_is_lost(status) && was_well)
		kube_reflector_wait(r, PHASE_WATCH); // cut: whether the server is lost will be seen
	else if (message != NULL)
		kube_reflector_failed(r, status, message);
	else if (r->progress)
		kube_reflector_go(r, PHASE_WATCH);
	else
		kube_reflector_wait(r, PHASE_WATCH);
}

static void give_up(struct kube_reflector *r, int status, const char *message)
{
	kube_cancel(r->transfer);
	r->n_stuck += !r->progress;
	ended(r, status, message);
}

static void on_data(void *arg, char *data, size_t len)
{
	struct kube_reflector *r = arg;
	bool pending = kube_lines_pending(&r->lines);
	size_t n_lines = r->lines.n_lines;

	kube_reflector_well(r);
	int ret = kube_lines_feed(&r->lines, data, len, on_line, r);
	if (r->store->closing)
		return;
	if (ret == -EMSGSIZE)
		(void)garbage(r, "a line without end");
	if (r->store->closing)
		return;
	if (ret < 0) {
		give_up(r, 0, NULL);
		return;
	}
	// A line that goes on, or another one that has begun?
	if (kube_lines_pending(&r->lines) && (!pending || r->lines.n_lines != n_lines))
		r->line_since = uv_now(r->store->loop);
}

static void on_ended(void *arg, int status, cJSON *, const char *message)
{
	struct kube_reflector *r = arg;

	if (status == 200) {
		// A server ends a watch when its time is up; one that ends at once is waited for.
		r->progress |= r->alive;
		ended(r, status, NULL);
		return;
	}
	r->gone = status == 410;
	if (status > 0 && status != 429)
		r->n_stuck++;
	ended(r, status, message);
}

// Looks whether a watch is alive: a server that has not begun to answer, or dribbles an object, is
// not. One that says nothing is left alone: there may be nothing to say.
static void on_pulse(uv_timer_t *timer)
{
	struct kube_reflector *r = timer->data;
	uint64_t now = uv_now(r->store->loop);

	if (!kube_is_answered(r->transfer)) {
		if (now - r->since > KUBE_REQUEST_MS)
			give_up(r, -ETIMEDOUT, "nothing came of a watch");
	} else if (kube_lines_pending(&r->lines)) {
		if (now - r->line_since > 1000ULL * KUBE_LINE_S)
			give_up(r, 0, "the API server sends an object too slowly");
	} else {
		r->alive = true;
		kube_reflector_well(r);
	}
}

void kube_stream(struct kube_reflector *r)
{
	char path[KUBE_PATH_MAX], seconds[16];
	unsigned int s =
		KUBE_WATCH_MIN_S + kube_random() % (KUBE_WATCH_MAX_S - KUBE_WATCH_MIN_S + 1);
	struct kube_call call = {
		.method = "GET",
		.path = path,
		.timeout_ms = 1000 * (s + GRACE_S),
		.data = on_data,
		.endless = true,
		.answered = on_ended,
		.arg = r,
	};

	(void)snprintf(seconds, sizeof(seconds), "%u", s);
	int ret = kube_reflector_path(r, path);
	if (ret == 0)
		ret = kube_path_query(path, "watch", "true");
	if (ret == 0)
		ret = kube_path_query(path, "allowWatchBookmarks", "true");
	if (ret == 0)
		ret = kube_path_query(path, "resourceVersion", r->version);
	if (ret == 0)
		ret = kube_path_query(path, "timeoutSeconds", seconds);
	if (ret == 0) {
		r->transfer = kube_start(r->store->client, &call);
		ret = r->transfer != NULL ? 0 : -ENOMEM;
	}
	if (ret < 0) {
		kube_reflector_failed(r, -ENOMEM, strerror(-ret));
		return;
	}
	r->progress = r->alive = r->gone = false;
	r->since = uv_now(r->store->loop);
	(void)uv_timer_start(&r->timer, on_pulse, KUBE_PULSE_MS, KUBE_PULSE_MS);
}
