// Requests: gathered in whole, handed to their route, answered when the answer comes.
#include <stdlib.h>
#include <string.h>

#include "ctrl/http/http_inner.h"

#define BODY_FIRST_SIZE 4096

static void request_unlink(struct http_request *r)
{
	if (r->from == NULL)
		return;
	*r->from = r->next;
	if (r->next != NULL)
		r->next->from = r->from;
	r->from = NULL;
}

static void request_free(struct http_request *r)
{
	request_unlink(r);
	if (r->response != NULL)
		MHD_destroy_response(r->response);
	free(r->body);
	free(r);
}

static struct http_request *request_new(struct http_server *s, struct MHD_Connection *mhd)
{
	struct http_request *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->server = s;
	r->mhd = mhd;
	r->next = s->requests;
	r->from = &s->requests;
	if (r->next != NULL)
		r->next->from = &r->next;
	s->requests = r;
	return r;
}

// ── Arrival ────────────────────────────────────────────────────────────────────────────────────

// Keeps what came of the body, up to its limit; the rest is read and forgotten, for a client that
// is cut off while it sends would not see why.
static bool keep(struct http_request *r, const char *data, size_t len)
{
	if (r->too_large || len > HTTP_BODY_MAX - r->len) {
		r->too_large = true;
		return true;
	}
	if (r->len + len + 1 > r->size) {
		size_t size = r->size > 0 ? r->size : BODY_FIRST_SIZE;
		while (size < r->len + len + 1)
			size *= 2;
		char *body = realloc(r->body, size);
		if (body == NULL)
			return false;
		r->body = body;
		r->size = size;
	}
	memcpy(r->body + r->len, data, len);
	r->len += len;
	r->body[r->len] = '\0';
	return true;
}

static bool method_takes(const char *route, const char *method)
{
	return strcmp(route, method) == 0 ||
	       (strcmp(route, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

static void refuse(struct http_request *r, unsigned int status, const char *why)
{
	http_respond(r, status, NULL, why, strlen(why));
}

static void hand_over(struct http_request *r, const char *url, const char *method)
{
	const struct http_routes *routes = &r->server->routes;
	bool known = false;

	if (r->too_large) {
		refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "body too large\n");
		return;
	}
	for (size_t i = 0; i < routes->n; i++) {
		if (strcmp(routes->route[i].path, url) != 0)
			continue;
		known = true;
		if (method_takes(routes->route[i].method, method)) {
			routes->route[i].handle(routes->route[i].arg, r);
			return;
		}
	}
	if (known)
		refuse(r, MHD_HTTP_METHOD_NOT_ALLOWED, "method not allowed\n");
	else
		refuse(r, MHD_HTTP_NOT_FOUND, "not found\n");
}

static enum MHD_Result queue(struct http_request *r)
{
	enum MHD_Result ret = MHD_queue_response(r->mhd, r->status, r->response);

	MHD_destroy_response(r->response);
	r->response = NULL;
	return ret;
}

enum MHD_Result http_request_access(void *arg, struct MHD_Connection *mhd, const char *url,
	const char *method, const char *, const char *data, size_t *len, void **context)
{
	struct http_request *r = *context;

	if (r == NULL) {
		struct http_connection *c = http_connection_of(mhd);
		if (c != NULL)
			c->due = uv_now(c->server->loop) + c->server->request_ms;
		*context = request_new(arg, mhd);
		return *context != NULL ? MHD_YES : MHD_NO;
	}
	if (*len > 0) {
		bool ok = keep(r, data, *len);
		*len = 0;
		return ok ? MHD_YES : MHD_NO;
	}
	if (!r->handled) {
		struct http_connection *c = http_connection_of(mhd);
		if (c != NULL)
			c->due = 0;
		r->handled = true;
		hand_over(r, url, method);
	}
	if (r->response != NULL)
		return queue(r);
	if (!r->suspended) {
		MHD_suspend_connection(mhd);
		r->suspended = true;
	}
	return MHD_YES;
}

void http_request_completed(
	void *, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode)
{
	struct http_request *r = *context;
	struct http_connection *c = http_connection_of(mhd);

	*context = NULL;
	if (c != NULL)
		c->due = uv_now(c->server->loop) + HTTP_IDLE_S * 1000ULL;
	if (r == NULL)
		return;
	r->mhd = NULL;
	request_unlink(r);
	// One that waits for its answer is freed by the answer.
	if (!r->handled || r->answered)
		request_free(r);
}

// ── Answers ────────────────────────────────────────────────────────────────────────────────────

const char *http_body(const struct http_request *r, size_t *ret_len)
{
	*ret_len = r->len;
	return r->body != NULL ? r->body : "";
}

const char *http_query(const struct http_request *r, const char *name)
{
	return r->mhd != NULL ? MHD_lookup_connection_value(r->mhd, MHD_GET_ARGUMENT_KIND, name)
			      : NULL;
}

static struct MHD_Response *response_new(const char *type, const char *body, size_t len)
{
	// MHD copies the body, and does not write to it before that.
	struct MHD_Response *response = MHD_create_response_from_buffer(
		len, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);

	if (response == NULL)
		return NULL;
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
		type != NULL ? type : "text/plain; charset=utf-8");
	return response;
}

void http_respond(
	struct http_request *r, unsigned int status, const char *type, const char *body, size_t len)
{
	r->answered = true;
	if (r->mhd == NULL) {
		request_free(r);
		return;
	}
	r->status = status;
	r->response = response_new(type, body, len);
	if (r->response == NULL) { // without memory: a short word of MHD's own making
		r->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
		r->response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	}
	if (r->suspended) {
		r->suspended = false;
		MHD_resume_connection(r->mhd);
		http_turn_soon(r->server);
	}
}

void http_requests_abandon(struct http_server *s)
{
	for (struct http_request *r = s->requests; r != NULL; r = r->next) {
		if (!r->suspended)
			continue;
		r->suspended = false;
		MHD_resume_connection(r->mhd);
	}
}
