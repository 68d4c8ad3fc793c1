// get and show: objects as stored, and what the switch does; once, or again and again.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_version.h>
#include <utlist.h>

#include "ctrl/node/daemon.h"

#define INTERVAL_MIN_MS 100
#define INTERVAL_DEFAULT_MS 1000
#define INTERVAL_MAX_MS 3600000

// A client that watches objects (get), or records again and again (show).
struct watch {
	struct daemon *d;
	struct conn *conn;
	struct watch *prev, *next; // of the daemon's list: those that watch objects
	enum kind kind;
	char name[NAME_MAX_LEN], namespace[64]; // "": any
	const struct show *show; // NULL: objects
	uv_timer_t timer; // of show
};

// ── get ────────────────────────────────────────────────────────────────────────────────────────

static bool wanted(const struct watch *w, const struct object *obj)
{
	return obj->kind == w->kind &&
	       (w->name[0] == '\0' || strcmp(w->name, obj->meta.name) == 0) &&
	       (w->namespace[0] == '\0' || strcmp(w->namespace, obj->meta.namespace) == 0);
}

struct collect {
	const struct watch *w;
	const struct cache *cache;
	cJSON *items;
};

static bool collect(const struct object *obj, void *arg)
{
	struct collect *c = arg;

	if (wanted(c->w, obj))
		cJSON_AddItemToArray(c->items, cache_copy_json(c->cache, obj));
	return true;
}

static void on_get_gone(void *arg)
{
	struct watch *w = arg;

	DL_DELETE(w->d->watches, w);
	free(w);
}

// Fills what the request selects; w is otherwise zero.
static int parse_selection(struct watch *w, const cJSON *request)
{
	const char *name = request_text(request, "name");
	const char *namespace = request_text(request, "namespace");

	if (kind_parse(request_text(request, "get"), &w->kind) < 0)
		return -EINVAL;
	if (name != NULL && strlen(name) < sizeof(w->name))
		strcpy(w->name, name);
	if (namespace != NULL && strlen(namespace) < sizeof(w->namespace) &&
		kind_namespaced(w->kind))
		strcpy(w->namespace, namespace);
	return 0;
}

void answer_get(struct daemon *d, struct conn *conn, const cJSON *request)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (w == NULL || parse_selection(w, request) < 0) {
		free(w);
		conn_fail(conn, EINVAL, "unknown kind of object",
			"known: network, subnet, ipinstance, nodeinfo, pod");
		return;
	}
	cJSON *answer = cJSON_CreateObject();
	struct collect c = {
		.w = w, .cache = d->cache, .items = cJSON_AddArrayToObject(answer, "items")};
	cache_each(d->cache, w->kind, collect, &c);
	if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(request, "watch"))) {
		free(w);
		conn_reply(conn, answer);
		return;
	}
	w->d = d;
	w->conn = conn;
	DL_APPEND(d->watches, w);
	conn_watch(conn, on_get_gone, w);
	conn_send(conn, answer);
}

// Of an object that is gone only the name is left.
static cJSON *name_only(const struct object *obj)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "apiVersion", kind_api_version(obj->kind));
	cJSON_AddStringToObject(json, "kind", kind_name(obj->kind));
	cJSON *meta = cJSON_AddObjectToObject(json, "metadata");
	cJSON_AddStringToObject(meta, "name", obj->meta.name);
	if (obj->meta.namespace[0] != '\0')
		cJSON_AddStringToObject(meta, "namespace", obj->meta.namespace);
	return json;
}

void watch_event(struct daemon *d, enum cache_event event, const struct object *obj)
{
	struct watch *w, *next;

	DL_FOREACH_SAFE (d->watches, w, next) {
		if (!wanted(w, obj))
			continue;
		cJSON *json = event == CACHE_PUT ? cache_copy_json(d->cache, obj) : NULL;
		cJSON *line = cJSON_CreateObject();

		cJSON_AddStringToObject(line, "event", event == CACHE_PUT ? "PUT" : "DELETED");
		cJSON_AddItemToObject(line, "object", json != NULL ? json : name_only(obj));
		conn_send(w->conn, line);
	}
}

// ── show ───────────────────────────────────────────────────────────────────────────────────────

static cJSON *show_version(const struct daemon *d)
{
	cJSON *list = cJSON_CreateArray(), *v = cJSON_CreateObject();
	const char *manager = d->manager == NULL           ? "off"
			      : manager_active(d->manager) ? "active"
							   : "standby";

	cJSON_AddStringToObject(v, "version", STRATA_VERSION);
	cJSON_AddStringToObject(v, "dpdk", rte_version());
	cJSON_AddStringToObject(v, "node", d->config.node_name);
	cJSON_AddStringToObject(v, "store", d->store->backend);
	cJSON_AddStringToObject(v, "manager", manager);
	cJSON_AddNumberToObject(v, "uptime", (double)(time(NULL) - d->started));
	cJSON_AddStringToObject(v, "memory", d->hugepages ? "hugepages" : "ordinary");
	cJSON_AddItemToArray(list, v);
	return list;
}

struct show {
	const char *what;
	cJSON *(*of_fib)(const struct fib *f);
	cJSON *(*of_daemon)(const struct daemon *d);
};

static const struct show shows[] = {
	{.what = "port", .of_fib = fib_show_ports},
	{.what = "route", .of_fib = fib_show_routes},
	{.what = "nexthop", .of_fib = fib_show_nexthops},
	{.what = "neighbour", .of_fib = fib_show_neighbours},
	{.what = "drop", .of_fib = fib_show_drops},
	{.what = "worker", .of_fib = fib_show_workers},
	{.what = "queue", .of_fib = fib_show_queues},
	{.what = "version", .of_daemon = show_version},
};

static cJSON *show_answer(const struct daemon *d, const struct show *show)
{
	cJSON *answer = cJSON_CreateObject();

	cJSON_AddItemToObject(
		answer, "items", show->of_fib != NULL ? show->of_fib(d->fib) : show->of_daemon(d));
	return answer;
}

static void on_interval(uv_timer_t *timer)
{
	struct watch *w = timer->data;

	conn_send(w->conn, show_answer(w->d, w->show));
}

static void on_timer_closed(uv_handle_t *timer)
{
	free(timer->data);
}

static void on_show_gone(void *arg)
{
	struct watch *w = arg;

	uv_close((uv_handle_t *)&w->timer, on_timer_closed);
}

static void watch_show(
	struct daemon *d, struct conn *conn, const struct show *show, double interval)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (w == NULL) {
		conn_fail(conn, ENOMEM, "out of memory", NULL);
		return;
	}
	if (!(interval >= INTERVAL_MIN_MS))
		interval = INTERVAL_MIN_MS;
	if (interval > INTERVAL_MAX_MS)
		interval = INTERVAL_MAX_MS;
	w->d = d;
	w->conn = conn;
	w->show = show;
	(void)uv_timer_init(&d->loop, &w->timer);
	w->timer.data = w;
	(void)uv_timer_start(&w->timer, on_interval, (uint64_t)interval, (uint64_t)interval);
	conn_watch(conn, on_show_gone, w);
	conn_send(conn, show_answer(d, show));
}

void answer_show(struct daemon *d, struct conn *conn, const cJSON *request)
{
	const char *what = request_text(request, "show");
	const cJSON *interval = cJSON_GetObjectItemCaseSensitive(request, "interval");
	const struct show *show = NULL;

	for (size_t i = 0; i < sizeof(shows) / sizeof(shows[0]); i++) {
		if (strcmp(shows[i].what, what) == 0)
			show = &shows[i];
	}
	if (show == NULL)
		conn_fail(conn, EINVAL, "unknown thing to show",
			"known: port, route, nexthop, neighbour, worker, drop, version");
	else if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(request, "watch")))
		watch_show(d, conn, show,
			cJSON_IsNumber(interval) ? interval->valuedouble : INTERVAL_DEFAULT_MS);
	else
		conn_reply(conn, show_answer(d, show));
}
