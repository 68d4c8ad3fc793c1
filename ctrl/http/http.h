// A small HTTP(S) server in the control thread's event loop, over libmicrohttpd: requests in whole,
// answers at once or later. Knows nothing of what is asked.
//
// What a stranger can make it keep is bounded: connections, bytes of header and body, and the time
// until a request is complete.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "ctrl/model/object.h"

#define HTTP_BODY_MAX (3 * 1024 * 1024) // what an API server takes, too
#define HTTP_CONNECTIONS_MAX 512
// How long a request may take to arrive in whole, from the connection or its first byte on.
#define HTTP_REQUEST_MS 15000
// How long an idle connection is kept: longer than Go's clients keep theirs (90 s), so that they
// close it, never we while their next request is on its way.
#define HTTP_IDLE_S 120

struct http_server;
struct http_request; // one question, until it is answered

// Called once a request is there in whole. It must be answered by http_respond, once: in here or
// later, whatever became of the client.
typedef void http_handler(void *arg, struct http_request *r);

struct http_conf {
	const char *address; // to listen on; NULL: all, IPv4 and IPv6
	uint16_t port; // 0: any free one
	bool tls; // TLS 1.2 or newer; refused until there is a certificate (http_set_certificate)
	unsigned int request_ms; // how long a request may take to arrive; 0: HTTP_REQUEST_MS
};

// Listens. 0 or -errno (-EADDRINUSE, -EINVAL), message says what failed.
int http_open(uv_loop_t *loop, const struct http_conf *conf, struct http_server **ret_server,
	char message[MODEL_ERROR_MAX]);
// Ends all connections; not from within a handler. Requests that wait for their answer still take it,
// to no avail. NULL is fine.
void http_close(struct http_server *s);
uint16_t http_port(const struct http_server *s);

// Adds a path; method "GET" takes HEAD as well. Texts are borrowed for ever (literals). All others
// are answered 404 or 405. 0, -ENOSPC.
int http_route(struct http_server *s, const char *method, const char *path, http_handler *handle,
	void *arg);

// The certificate (PEM, leaf first) and key (PEM) of handshakes from now on. 0; -EINVAL when they
// are no pair, then the former ones stay.
int http_set_certificate(struct http_server *s, const char *certificate, const char *key);

// The request's body, with a NUL behind it. Borrowed until the answer.
const char *http_body(const struct http_request *r, size_t *ret_len);
// A query argument or header of it, NULL if absent; not after the server is closed. Borrowed.
const char *http_query(const struct http_request *r, const char *name);

// Answers, and takes the request's memory. type, body: copied; type NULL is plain text.
void http_respond(struct http_request *r, unsigned int status, const char *type, const char *body,
	size_t len);
