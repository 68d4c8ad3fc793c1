// The daemon's Unix socket: connections, lines in, lines out. What a line asks for is the
// handler's business (request.c). Nothing here waits for a client: a slow one costs memory up to
// a limit, then its connection. The process must ignore SIGPIPE.
#pragma once

#include <stdbool.h>

#include <cjson/cJSON.h>
#include <uv.h>

#define SERVER_LINE_MAX (1024 * 1024) // of a request, without its newline
#define SERVER_CONNECTIONS_MAX 512
#define SERVER_WATCH_QUEUE_MAX (8 * 1024 * 1024) // bytes that wait for a watching client
#define SERVER_REQUEST_TIMEOUT_MS 30000 // for the client to say what it wants
#define SERVER_DRAIN_TIMEOUT_MS 30000 // for the client to read its answer
#define SERVER_DEPTH_MAX 64 // nesting of a request
#define SERVER_WHY_MAX 256

struct server;
struct conn;

// Gets each well-formed request once, and the connection to answer on. The request is borrowed.
// The handler ends its use of conn by conn_reply or conn_fail, now or later, whether or not the
// client is still there; or it begins a watch.
typedef void server_handler(void *arg, struct conn *conn, const cJSON *request);

// Listens on path (mode 0600), replacing the socket of a daemon that is gone. -EADDRINUSE if one
// is alive there. On failure why names the step.
int server_open(uv_loop_t *loop, const char *path, server_handler *handler, void *arg,
	struct server **ret_server, char why[SERVER_WHY_MAX]);
// Stops listening, ends all connections and removes the socket. Handlers may still reply
// afterwards; the memory goes with the last of them, in the loop. Accepts NULL.
void server_close(struct server *s);

// Sends the answer (takes it; NULL: out of memory) and ends the connection.
void conn_reply(struct conn *c, cJSON *answer);
// Sends {"error": {"code", "msg", "details"}} and ends the connection. details may be NULL.
void conn_fail(struct conn *c, int code, const char *msg, const char *details);

// Turns the connection into a watch: gone(arg) is called once when it ends, by whatever cause but
// conn_reply and conn_fail; conn must not be used from then on. Never called from within.
void conn_watch(struct conn *c, void (*gone)(void *arg), void *arg);
// Sends a line of a watch (takes it). A client that does not keep up is cut off.
void conn_send(struct conn *c, cJSON *line);
