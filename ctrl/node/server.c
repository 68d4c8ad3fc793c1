#include "ctrl/node/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <utlist.h>

#define BACKLOG 128
#define BUFFER_MIN 4096

struct server {
	uv_pipe_t listener;
	server_handler *handler;
	void *arg;
	struct conn *conns; // owned
	size_t n_conns;
	bool closed; // the listener's handle is gone
};

struct conn {
	uv_pipe_t pipe;
	uv_timer_t timer; // for the request, then for the answer to be read
	struct server *server;
	struct conn *prev, *next;
	char *buf; // of the request line, owned
	size_t len, size;
	bool requested; // the line is complete; what else comes is not looked at
	bool held; // by the handler
	bool ended; // the client says no more
	bool finished; // so do we
	bool closing;
	uv_shutdown_t shutdown;
	int n_open; // handles that libuv still knows
	void (*gone)(void *arg);
	void *gone_arg;
};

struct line {
	uv_write_t req;
	char *text; // cJSON's
	bool last;
};

static void server_put(struct server *s)
{
	if (s->closed && s->n_conns == 0)
		free(s);
}

static void conn_put(struct conn *c)
{
	struct server *s = c->server;

	if (c->n_open > 0 || c->held)
		return;
	DL_DELETE(s->conns, c);
	s->n_conns--;
	free(c->buf);
	free(c);
	server_put(s);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct conn *c = handle->data;

	c->n_open--;
	if (c->n_open == 0 && c->gone != NULL) {
		// The handler learns of the end outside of its own calls.
		void (*gone)(void *arg) = c->gone;

		c->gone = NULL;
		c->held = false;
		gone(c->gone_arg);
	}
	conn_put(c);
}

static void conn_close(struct conn *c)
{
	if (c->closing)
		return;
	c->closing = true;
	uv_close((uv_handle_t *)&c->pipe, on_handle_closed);
	uv_close((uv_handle_t *)&c->timer, on_handle_closed);
}

static void on_timeout(uv_timer_t *timer)
{
	conn_close(timer->data);
}

// The client's end is waited for, so that one that still sends gets to read its answer.
static void finish(struct conn *c)
{
	c->finished = true;
	if (c->ended || c->closing || uv_shutdown(&c->shutdown, (uv_stream_t *)&c->pipe, NULL) != 0)
		conn_close(c);
}

static void on_written(uv_write_t *req, int status)
{
	struct line *line = (struct line *)req;
	struct conn *c = req->handle->data;

	if (status < 0)
		conn_close(c);
	else if (line->last)
		finish(c);
	cJSON_free(line->text);
	free(line);
}

// Sends json as one line; takes it. On any failure the connection ends.
static void send_line(struct conn *c, cJSON *json, bool last)
{
	struct line *line = calloc(1, sizeof(*line));

	if (line != NULL && json != NULL)
		line->text = cJSON_PrintUnformatted(json);
	cJSON_Delete(json);
	if (c->closing || line == NULL || line->text == NULL)
		goto failed;

	size_t len = strlen(line->text);
	uv_buf_t buf = uv_buf_init(line->text, (unsigned int)len + 1);
	line->text[len] = '\n'; // in place of the NUL
	line->last = last;
	if (uv_write(&line->req, (uv_stream_t *)&c->pipe, &buf, 1, on_written) == 0)
		return;

failed:
	if (line != NULL)
		cJSON_free(line->text);
	free(line);
	conn_close(c);
}

void conn_reply(struct conn *c, cJSON *answer)
{
	c->gone = NULL;
	c->held = false;
	send_line(c, answer, true);
	if (!c->closing)
		(void)uv_timer_start(&c->timer, on_timeout, SERVER_DRAIN_TIMEOUT_MS, 0);
	conn_put(c);
}

void conn_fail(struct conn *c, int code, const char *msg, const char *details)
{
	cJSON *answer = cJSON_CreateObject();
	cJSON *error = cJSON_AddObjectToObject(answer, "error");

	cJSON_AddNumberToObject(error, "code", code);
	cJSON_AddStringToObject(error, "msg", msg);
	cJSON_AddStringToObject(error, "details", details != NULL ? details : "");
	conn_reply(c, answer);
}

void conn_watch(struct conn *c, void (*gone)(void *arg), void *arg)
{
	c->gone = gone;
	c->gone_arg = arg;
}

void conn_send(struct conn *c, cJSON *line)
{
	if (uv_stream_get_write_queue_size((uv_stream_t *)&c->pipe) > SERVER_WATCH_QUEUE_MAX) {
		cJSON_Delete(line);
		conn_close(c);
		return;
	}
	send_line(c, line, false);
}

static bool deeper_than(const char *text, size_t len, int max)
{
	int depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		if (quoted && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted && (text[i] == '{' || text[i] == '['))
			depth++;
		else if (!quoted && (text[i] == '}' || text[i] == ']'))
			depth--;
		if (depth > max)
			return true;
	}
	return false;
}

// The request is the first len bytes of the buffer.
static void handle_line(struct conn *c, size_t len)
{
	cJSON *request = NULL;

	c->requested = true;
	c->held = true;
	(void)uv_timer_stop(&c->timer);
	if (!deeper_than(c->buf, len, SERVER_DEPTH_MAX))
		request = cJSON_ParseWithLength(c->buf, len);
	free(c->buf);
	c->buf = NULL;
	if (cJSON_IsObject(request))
		c->server->handler(c->server->arg, c, request);
	else
		conn_fail(c, EPROTO, "a request is one JSON object on one line", NULL);
	cJSON_Delete(request);
}

static void on_alloc(uv_handle_t *handle, size_t, uv_buf_t *ret_buf)
{
	static char scratch[256]; // what follows the request is read to see the end, and forgotten
	struct conn *c = handle->data;

	if (c->requested) {
		*ret_buf = uv_buf_init(scratch, sizeof(scratch));
		return;
	}
	if (c->len == c->size && c->size <= SERVER_LINE_MAX) {
		size_t size = c->size == 0 ? BUFFER_MIN : 2 * c->size;
		char *buf = realloc(c->buf, size);

		if (buf != NULL) {
			c->buf = buf;
			c->size = size;
		}
	}
	*ret_buf = uv_buf_init(c->buf != NULL ? c->buf + c->len : NULL,
		(unsigned int)(c->size - c->len)); // empty: read reports ENOBUFS
}

// The client says no more. It may still want its answer, and a watch ends.
static void on_end(struct conn *c, ssize_t err)
{
	(void)uv_read_stop((uv_stream_t *)&c->pipe);
	c->ended = true;
	if (!c->requested && err == UV_EOF && c->len > 0)
		handle_line(c, c->len);
	else if (!c->requested || err != UV_EOF || c->gone != NULL || c->finished)
		conn_close(c);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *)
{
	struct conn *c = stream->data;

	if (n < 0) {
		on_end(c, n);
		return;
	}
	if (c->requested)
		return;
	char *newline = memchr(c->buf + c->len, '\n', (size_t)n);
	c->len += (size_t)n;
	if (newline != NULL && newline - c->buf <= SERVER_LINE_MAX) {
		handle_line(c, (size_t)(newline - c->buf));
	} else if (newline != NULL || c->len > SERVER_LINE_MAX) {
		c->requested = true;
		c->held = true;
		conn_fail(c, E2BIG, "the request is longer than 1 MiB", NULL);
	}
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct server *s = listener->data;
	struct conn *c = status == 0 ? calloc(1, sizeof(*c)) : NULL;

	if (c == NULL)
		return;
	c->server = s;
	c->n_open = 2;
	c->pipe.data = c;
	c->timer.data = c;
	(void)uv_pipe_init(listener->loop, &c->pipe, 0);
	(void)uv_timer_init(listener->loop, &c->timer);
	DL_APPEND(s->conns, c);
	s->n_conns++;
	if (uv_accept(listener, (uv_stream_t *)&c->pipe) != 0 ||
		uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read) != 0 ||
		uv_timer_start(&c->timer, on_timeout, SERVER_REQUEST_TIMEOUT_MS, 0) != 0) {
		conn_close(c);
		return;
	}
	if (s->n_conns > SERVER_CONNECTIONS_MAX) {
		c->requested = true;
		c->held = true;
		conn_fail(c, EBUSY, "too many connections", NULL);
	}
}

// 0 if nobody listens at path, where a dead daemon's socket is removed; -EADDRINUSE if one does.
static int clear_path(const char *path, char why[SERVER_WHY_MAX])
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct stat st;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	if (lstat(path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode)) {
		(void)snprintf(why, SERVER_WHY_MAX, "%.200s exists and is no socket", path);
		return -EEXIST;
	}
	strcpy(addr.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	int ret = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 ? 0 : errno;
	(void)close(fd);
	if (ret != ECONNREFUSED) {
		(void)snprintf(why, SERVER_WHY_MAX, "another daemon listens on %.150s", path);
		return -EADDRINUSE;
	}
	return unlink(path) == 0 ? 0 : -errno;
}

static void on_listener_closed(uv_handle_t *handle)
{
	struct server *s = handle->data;

	s->closed = true;
	server_put(s);
}

int server_open(uv_loop_t *loop, const char *path, server_handler *handler, void *arg,
	struct server **ret_server, char why[SERVER_WHY_MAX])
{
	(void)snprintf(why, SERVER_WHY_MAX, "cannot listen on %.200s", path);
	int ret = clear_path(path, why);
	if (ret < 0)
		return ret;

	struct server *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	s->handler = handler;
	s->arg = arg;
	s->listener.data = s;
	(void)uv_pipe_init(loop, &s->listener, 0);

	mode_t mask = umask(0177); // so that the socket never is anyone else's, not even at first
	ret = uv_pipe_bind(&s->listener, path);
	(void)umask(mask);
	if (ret == 0)
		ret = uv_listen((uv_stream_t *)&s->listener, BACKLOG, on_connection);
	if (ret < 0) {
		uv_close((uv_handle_t *)&s->listener, on_listener_closed);
		return ret;
	}
	*ret_server = s;
	return 0;
}

void server_close(struct server *s)
{
	if (s == NULL)
		return;
	uv_close((uv_handle_t *)&s->listener, on_listener_closed); // libuv removes the socket
	for (struct conn *c = s->conns; c != NULL; c = c->next)
		conn_close(c);
}
