// The daemon as its parts see each other: what main.c has opened, in the order of opening.
#pragma once

#include <stdbool.h>
#include <time.h>

#include <uv.h>

#include "ctrl/manager/manager.h"
#include "ctrl/node/cni.h"
#include "ctrl/node/config.h"
#include "ctrl/node/fib.h"
#include "ctrl/node/nodeinfo_writer.h"
#include "ctrl/node/server.h"
#include "ctrl/store/cache.h"
#include "ctrl/store/store.h"
#include "vswitch/dataplane.h"

#define ROUTES_MAX 262144 // addresses of the whole cluster

struct metric;
struct metrics;
struct serve;
struct watch;

struct daemon {
	uv_loop_t loop;
	struct config config;
	bool hugepages; // EAL has them
	time_t started;
	struct dataplane *dp;
	uint64_t n_moves; // of queues between workers
	bool has_wires; // uplink and host port were opened, or half of them
	struct store *store;
	struct cache *cache;
	struct cache_subscriber subscriber; // for watches and bad objects
	struct manager *manager; // NULL: not enabled
	struct fib *fib;
	struct nodeinfo_writer *nodeinfo;
	struct cni *cni;
	struct server *server;
	struct metrics *metrics; // owned; NULL: nobody asks for them
	struct metric *cni_seconds, *cni_own_seconds, *cni_failures; // of metrics
	struct serve *serve;
	struct watch *watches; // owned
	uv_signal_t sigterm, sigint;
	uv_timer_t watchdog, stop_timer, sync_timer;
	uint64_t stop_deadline; // uv_now
	bool stopping;
	int err; // why it stops by itself
};

// ── daemon.c ───────────────────────────────────────────────────────────────────────────────────
// Makes runDir, stateDir and the socket's directory. 0, or -errno after saying what failed.
int daemon_directories(const struct config *c);
// Opens everything on d->config and runs until a signal. 0, or -errno after saying what failed.
int daemon_run(struct daemon *d);

// ── request.c: what arrives on the socket ──────────────────────────────────────────────────────
void request_handle(void *daemon, struct conn *conn, const cJSON *request); // a server_handler
// Subscribes to the cache.
void request_init(struct daemon *d);

// The text at key, or NULL.
const char *request_text(const cJSON *request, const char *key);

// refusal.c: says on an IPInstance of this node that it is ignored, and why. key: "namespace/name".
void tell_refusal(struct daemon *d, const char *key, const char *message);
// One came into force: takes back what an earlier version was told.
void tell_acceptance(struct daemon *d, const struct object *obj);

// metering.c: what Prometheus is told. 0, or -errno after saying what failed.
int metering_open(struct daemon *d);
void metering_close(struct daemon *d);
void metering_cni(void *daemon, const struct cni_outcome *outcome); // cni_conf.ended

// look.c, change.c: each takes the connection.
void answer_get(struct daemon *d, struct conn *conn, const cJSON *request);
void answer_show(struct daemon *d, struct conn *conn, const cJSON *request);
void answer_apply(struct daemon *d, struct conn *conn, const cJSON *object);
void answer_delete(struct daemon *d, struct conn *conn, const cJSON *what);
// Tells those who watch with "get".
void watch_event(struct daemon *d, enum cache_event event, const struct object *obj);
