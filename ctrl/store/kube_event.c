// Events: one request at a time, in order; what cannot be said is lost, for an Event is no state.
// https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/ (core/v1's form)
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <utlist.h>

#include "ctrl/log.h"
#include "ctrl/model/timestamp.h"
#include "ctrl/store/kube.h"

struct kube_event {
	struct kube_store *store;
	struct event_plan plan;
	char namespace[64], name[NAME_MAX_LEN];
	cJSON *obj; // owned; the whole Event
	struct kube_event *prev, *next;
};

static void send_first(struct kube_store *k);

static void event_free(struct kube_event *e)
{
	cJSON_Delete(e->obj);
	free(e);
}

static void next(struct kube_store *k)
{
	struct kube_event *e = k->events;

	DL_DELETE(k->events, e);
	k->n_events--;
	event_free(e);
	if (k->events != NULL)
		send_first(k);
}

static void on_sent(void *arg, int status, const cJSON *, const char *message)
{
	struct kube_event *e = arg;

	if (status < 200 || status >= 300)
		log_debug("event '%s/%s' was not taken: %s", e->namespace, e->name, message);
	next(e->store);
}

static void path_of(const struct kube_event *e, bool one, char path[KUBE_PATH_MAX])
{
	(void)snprintf(path, KUBE_PATH_MAX, "/api/v1/namespaces/%s/events%s%s", e->namespace,
		one ? "/" : "", one ? e->name : "");
}

static void make(struct kube_event *e, kube_done *done)
{
	char path[KUBE_PATH_MAX];

	path_of(e, false, path);
	kube_request(e->store->client, "POST", path, NULL, e->obj, done, e);
}

static void count_up(struct kube_event *e, kube_done *done)
{
	char path[KUBE_PATH_MAX], last[32];
	cJSON *patch = cJSON_CreateObject();

	(void)timestamp((time_t)e->plan.last, last);
	(void)cJSON_AddNumberToObject(patch, "count", e->plan.count);
	(void)cJSON_AddStringToObject(patch, "lastTimestamp", last);
	(void)cJSON_AddStringToObject(patch, "message", e->plan.message);
	path_of(e, true, path);
	kube_request(e->store->client, "PATCH", path, KUBE_MERGE_PATCH, patch, done, e);
	cJSON_Delete(patch);
}

static void on_counted(void *arg, int status, const cJSON *answer, const char *message)
{
	struct kube_event *e = arg;

	if (status == 404)
		make(e, on_sent); // the server keeps them for an hour
	else
		on_sent(arg, status, answer, message);
}

// The one that was there already: the process before this one said the same.
static void on_old(void *arg, int status, const cJSON *old, const char *message)
{
	struct kube_event *e = arg;
	const cJSON *count = cJSON_GetObjectItemCaseSensitive(old, "count");

	if (status != 200) {
		on_sent(arg, status, old, message);
		return;
	}
	if (cJSON_IsNumber(count) && count->valueint > 0)
		e->plan.count += (uint32_t)count->valueint;
	kube_event_counted(e->store->event_log, e->plan.id, e->plan.count);
	count_up(e, on_sent);
}

static void on_made(void *arg, int status, const cJSON *answer, const char *message)
{
	struct kube_event *e = arg;
	char path[KUBE_PATH_MAX];

	if (kube_error(status, answer) != -EEXIST) {
		on_sent(arg, status, answer, message);
		return;
	}
	path_of(e, true, path);
	kube_request(e->store->client, "GET", path, NULL, NULL, on_old, e);
}

static void send_first(struct kube_store *k)
{
	if (k->events->plan.count == 1)
		make(k->events, on_made);
	else
		count_up(k->events, on_counted);
}

static cJSON *describe(const struct kube_event *e, const struct store_event_record *r)
{
	const struct kube_store *k = e->store;
	char text[80];
	cJSON *obj = cJSON_CreateObject();

	(void)cJSON_AddStringToObject(obj, "apiVersion", "v1");
	(void)cJSON_AddStringToObject(obj, "kind", "Event");
	cJSON *meta = cJSON_AddObjectToObject(obj, "metadata");
	(void)cJSON_AddStringToObject(meta, "namespace", e->namespace);
	(void)cJSON_AddStringToObject(meta, "name", e->name);
	cJSON *about = cJSON_AddObjectToObject(obj, "involvedObject");
	(void)cJSON_AddStringToObject(about, "apiVersion", kind_api_version(r->about.kind));
	(void)cJSON_AddStringToObject(about, "kind", kind_name(r->about.kind));
	if (kind_namespaced(r->about.kind))
		(void)cJSON_AddStringToObject(about, "namespace", e->namespace);
	(void)cJSON_AddStringToObject(about, "name", r->about.name);
	if (r->uid != NULL && r->uid[0] != '\0')
		(void)cJSON_AddStringToObject(about, "uid", r->uid);
	(void)cJSON_AddStringToObject(obj, "type", r->warning ? "Warning" : "Normal");
	(void)cJSON_AddStringToObject(obj, "reason", r->reason);
	(void)cJSON_AddStringToObject(obj, "message", e->plan.message);
	(void)cJSON_AddNumberToObject(obj, "count", e->plan.count);
	(void)timestamp((time_t)e->plan.first, text);
	(void)cJSON_AddStringToObject(obj, "firstTimestamp", text);
	(void)timestamp((time_t)e->plan.last, text);
	(void)cJSON_AddStringToObject(obj, "lastTimestamp", text);
	(void)snprintf(text, sizeof(text), "strata-%.64s", k->component);
	cJSON *source = cJSON_AddObjectToObject(obj, "source");
	(void)cJSON_AddStringToObject(source, "component", text);
	if (k->node_name != NULL)
		(void)cJSON_AddStringToObject(source, "host", k->node_name);
	return obj;
}

void kube_event(struct store *s, const struct store_event_record *r)
{
	struct kube_store *k = (struct kube_store *)s;
	bool has_namespace = r->about.namespace != NULL && r->about.namespace[0] != '\0';
	struct event_plan plan;

	if (k->n_events >= KUBE_EVENTS_MAX || !kube_event_admit(k->event_log, r, time(NULL), &plan))
		return;
	struct kube_event *e = calloc(1, sizeof(*e));
	if (e == NULL)
		return;
	e->store = k;
	e->plan = plan;
	(void)snprintf(e->namespace, sizeof(e->namespace), "%s",
		has_namespace ? r->about.namespace : "default");
	// An Event's name is an object's: as long as that allows.
	(void)snprintf(e->name, sizeof(e->name), "%.230s.%016" PRIx64, r->about.name, plan.id);
	e->obj = describe(e, r);
	DL_APPEND(k->events, e);
	if (++k->n_events == 1)
		send_first(k);
}

void kube_events_clear(struct kube_store *k)
{
	struct kube_event *e, *after;

	DL_FOREACH_SAFE (k->events, e, after) {
		DL_DELETE(k->events, e);
		event_free(e);
	}
}
