// The HTTP server's life: MHD's epoll descriptor and timeout in the loop, connections that are cut
// off when they dawdle.
#include "ctrl/http/http_inner.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctrl/log.h"

#define LISTEN_BACKLOG 128
#define CONNECTION_MEMORY (32 * 1024) // for a request's line and headers
#define DUE_LOOKS 8 // at who dawdles, in the time that a request may take
#define LOG_TEXT_MAX 256

// Forward secrecy and authenticated ciphers only; what Go's and every current client speaks.
#define TLS_PRIORITIES                                                                      \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM:" \
	"+CHACHA20-POLY1305:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-MAC-ALL:+AEAD:%SERVER_PRECEDENCE"

// ── The loop ───────────────────────────────────────────────────────────────────────────────────

static void on_timer(uv_timer_t *timer);

static void turn(struct http_server *s)
{
	MHD_UNSIGNED_LONG_LONG ms;

	(void)MHD_run(s->daemon);
	if (MHD_get_timeout(s->daemon, &ms) == MHD_YES)
		(void)uv_timer_start(&s->timer, on_timer, ms, 0);
	else
		(void)uv_timer_stop(&s->timer);
}

static void on_timer(uv_timer_t *timer)
{
	turn(timer->data);
}

static void on_poll(uv_poll_t *poll, int, int)
{
	turn(poll->data);
}

void http_turn_soon(struct http_server *s)
{
	(void)uv_timer_start(&s->timer, on_timer, 0, 0);
}

static void on_due(uv_timer_t *timer)
{
	const struct http_server *s = timer->data;
	uint64_t now = uv_now(s->loop);

	// MHD reads the end and takes the connection down.
	for (const struct http_connection *c = s->connections; c != NULL; c = c->next) {
		if (c->due != 0 && now >= c->due)
			(void)shutdown(c->fd, SHUT_RDWR);
	}
}

// ── Connections ────────────────────────────────────────────────────────────────────────────────

struct http_connection *http_connection_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info != NULL ? info->socket_context : NULL;
}

static void connection_start(
	struct http_server *s, struct MHD_Connection *mhd, struct http_connection **ret)
{
	const union MHD_ConnectionInfo *fd =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct http_connection *c = calloc(1, sizeof(*c));

	if (c == NULL || fd == NULL) {
		free(c);
		return;
	}
	c->server = s;
	c->fd = fd->connect_fd;
	c->due = uv_now(s->loop) + s->request_ms;
	c->next = s->connections;
	c->from = &s->connections;
	if (c->next != NULL)
		c->next->from = &c->next;
	else
		(void)uv_timer_start(&s->due_timer, on_due, s->request_ms / DUE_LOOKS,
			s->request_ms / DUE_LOOKS);
	s->connections = c;
	*ret = c;
}

static void connection_end(struct http_connection *c)
{
	struct http_server *s = c->server;

	*c->from = c->next;
	if (c->next != NULL)
		c->next->from = c->from;
	http_certificate_put(c->certificate);
	free(c);
	if (s->connections == NULL)
		(void)uv_timer_stop(&s->due_timer);
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **context,
	enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		connection_start(arg, mhd, (struct http_connection **)context);
	} else if (*context != NULL) {
		connection_end(*context);
		*context = NULL;
	}
}

// ── Listening ──────────────────────────────────────────────────────────────────────────────────

// 0 or -errno. All: of both families if there is IPv6.
static int address_parse(
	const char *text, uint16_t port, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *four = (struct sockaddr_in *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		*ret_len = sizeof(*four);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &six->sin6_addr) != 1)
		return -EINVAL;
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(port);
	*ret_len = sizeof(*six);
	return 0;
}

// A descriptor or -errno.
static int listen_on(const char *text, uint16_t port)
{
	struct sockaddr_storage address;
	socklen_t len;
	int on = 1, off = 0;
	int ret = address_parse(text, port, &address, &len);

	if (ret < 0)
		return ret;
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, LISTEN_BACKLOG) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

static int listen_as_told(const struct http_conf *conf)
{
	if (conf->address != NULL && conf->address[0] != '\0')
		return listen_on(conf->address, conf->port);
	int fd = listen_on("::", conf->port);
	if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)
		fd = listen_on("0.0.0.0", conf->port);
	return fd;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof(address);

	(void)getsockname(fd, (struct sockaddr *)&address, &len);
	// The port is at the same place for both families.
	return ntohs(((const struct sockaddr_in *)&address)->sin_port);
}

__attribute__((format(printf, 2, 0))) static void on_log(void *, const char *format, va_list ap)
{
	char text[LOG_TEXT_MAX];

	// Mostly clients that hang up in the middle, or do not trust our certificate.
	(void)vsnprintf(text, sizeof(text), format, ap);
	text[strcspn(text, "\n")] = '\0';
	log_debug("http server: %s", text);
}

static struct MHD_Daemon *daemon_start(struct http_server *s, int fd, bool tls)
{
	unsigned int flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	struct MHD_OptionItem tls_options[] = {
		{MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)http_certificate_retrieve},
		{MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
		{MHD_OPTION_END, 0, NULL},
	};
	struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};

	return MHD_start_daemon(flags | (tls ? MHD_USE_TLS : 0), 0, NULL, NULL, http_request_access,
		s, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_CONNECTION_LIMIT, HTTP_CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
		MHD_OPTION_CONNECTION_TIMEOUT, HTTP_IDLE_S, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, s, MHD_OPTION_NOTIFY_COMPLETED, http_request_completed, s,
		MHD_OPTION_ARRAY, tls ? tls_options : none, MHD_OPTION_END);
}

static void on_closed(uv_handle_t *handle)
{
	struct http_server *s = handle->data;

	if (--s->n_handles == 0)
		free(s);
}

static int attach(struct http_server *s)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);

	if (info == NULL)
		return -EIO;
	int ret = uv_poll_init(s->loop, &s->poll, info->epoll_fd);
	if (ret < 0)
		return ret;
	(void)uv_timer_init(s->loop, &s->timer);
	(void)uv_timer_init(s->loop, &s->due_timer);
	s->poll.data = s->timer.data = s->due_timer.data = s;
	s->n_handles = 3;
	return uv_poll_start(&s->poll, UV_READABLE, on_poll);
}

int http_open(uv_loop_t *loop, const struct http_conf *conf, struct http_server **ret_server,
	char message[MODEL_ERROR_MAX])
{
	struct http_server *s = calloc(1, sizeof(*s));
	int fd = s != NULL ? listen_as_told(conf) : -ENOMEM;

	if (fd < 0) {
		(void)snprintf(message, MODEL_ERROR_MAX, "cannot listen on %s port %u",
			conf->address != NULL ? conf->address : "any address", conf->port);
		free(s);
		return fd;
	}
	s->loop = loop;
	s->port = port_of(fd);
	s->request_ms = conf->request_ms > 0 ? conf->request_ms : HTTP_REQUEST_MS;
	s->daemon = daemon_start(s, fd, conf->tls);
	if (s->daemon == NULL) {
		(void)snprintf(message, MODEL_ERROR_MAX, "cannot start the HTTP server on port %u",
			s->port);
		close(fd);
		free(s);
		return -EIO;
	}
	int ret = attach(s);
	if (ret < 0) {
		(void)snprintf(message, MODEL_ERROR_MAX, "cannot wait for HTTP connections");
		http_close(s);
		return ret;
	}
	*ret_server = s;
	return 0;
}

void http_close(struct http_server *s)
{
	if (s == NULL)
		return;
	http_requests_abandon(s);
	if (s->n_handles > 0)
		(void)uv_poll_stop(&s->poll); // before its descriptor is closed
	MHD_stop_daemon(s->daemon);
	http_certificate_put(s->certificate);
	if (s->n_handles == 0) {
		free(s);
		return;
	}
	uv_close((uv_handle_t *)&s->poll, on_closed);
	uv_close((uv_handle_t *)&s->timer, on_closed);
	uv_close((uv_handle_t *)&s->due_timer, on_closed);
}

uint16_t http_port(const struct http_server *s)
{
	return s->port;
}

int http_route(struct http_server *s, const char *method, const char *path, http_handler *handle,
	void *arg)
{
	struct http_routes *r = &s->routes;

	if (r->n == HTTP_ROUTES_MAX)
		return -ENOSPC;
	r->route[r->n].method = method;
	r->route[r->n].path = path;
	r->route[r->n].handle = handle;
	r->route[r->n].arg = arg;
	r->n++;
	return 0;
}

int http_set_certificate(struct http_server *s, const char *certificate, const char *key)
{
	struct http_certificate *c;
	int ret = http_certificate_parse(certificate, key, &c);

	if (ret < 0)
		return ret;
	http_certificate_put(s->certificate);
	s->certificate = c;
	return 0;
}
