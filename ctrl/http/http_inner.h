// The HTTP server from the inside: http.c listens and turns with the loop, http_request.c takes
// requests and gives answers.
#pragma once

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>

#include "ctrl/http/http.h"

#define HTTP_ROUTES_MAX 8
#define HTTP_CHAIN_MAX 4 // certificates of a chain

struct http_routes {
	struct {
		const char *method, *path;
		http_handler *handle;
		void *arg;
	} route[HTTP_ROUTES_MAX];
	size_t n;
};

// What handshakes use. A connection keeps the one it began with.
struct http_certificate {
	gnutls_pcert_st chain[HTTP_CHAIN_MAX];
	unsigned int n;
	gnutls_privkey_t key;
	unsigned int users; // the server and connections
};

struct http_connection {
	struct http_server *server;
	int fd; // MHD's
	struct http_certificate *certificate; // NULL until the handshake
	uint64_t due; // loop time at which it is cut off unless a request is complete; 0: never
	struct http_connection *next, **from; // all of a server
};

struct http_request {
	struct http_server *server; // only while there is a connection
	struct MHD_Connection *mhd; // NULL: it is no more
	char *body; // owned
	size_t len, size;
	bool too_large, handled, suspended, answered;
	struct MHD_Response *response; // owned until it is queued
	unsigned int status;
	struct http_request *next, **from; // all of a server
};

struct http_server {
	uv_loop_t *loop;
	struct MHD_Daemon *daemon;
	uv_poll_t poll;
	uv_timer_t timer; // when MHD wants to be run
	uv_timer_t due_timer; // while there are connections
	unsigned int n_handles;
	unsigned int request_ms;
	uint16_t port;
	struct http_routes routes;
	struct http_certificate *certificate;
	struct http_connection *connections;
	struct http_request *requests;
};

// MHD_AccessHandlerCallback and MHD_RequestCompletedCallback.
enum MHD_Result http_request_access(void *arg, struct MHD_Connection *mhd, const char *url,
	const char *method, const char *version, const char *data, size_t *len, void **context);
void http_request_completed(void *arg, struct MHD_Connection *mhd, void **context,
	enum MHD_RequestTerminationCode code);
// Lets go of the requests of a server that ends: MHD wants none suspended then.
void http_requests_abandon(struct http_server *s);
// Has MHD look at what changed, in the loop's next turn.
void http_turn_soon(struct http_server *s);

// The connection's record. NULL only without memory at its start.
struct http_connection *http_connection_of(struct MHD_Connection *mhd);

// http_certificate.c
int http_certificate_parse(
	const char *certificate, const char *key, struct http_certificate **ret_certificate);
void http_certificate_put(struct http_certificate *c); // NULL is fine
// gnutls_certificate_retrieve_function2
int http_certificate_retrieve(gnutls_session_t session, const gnutls_datum_t *names, int n_names,
	const gnutls_pk_algorithm_t *algorithms, int n_algorithms, gnutls_pcert_st **ret_chain,
	unsigned int *ret_n, gnutls_privkey_t *ret_key);
