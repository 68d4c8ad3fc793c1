// libcurl's multi interface in libuv's loop: its sockets are polled, its timer is ours. When it has
// returned, what has arrived is handed to those who asked.
#include <errno.h>
#include <stdlib.h>

#include <utlist.h>

#include "ctrl/store/kube_transfer.h"

struct socket {
	uv_poll_t poll;
	curl_socket_t fd;
	struct kube_client *client;
};

static void hand_on_data(struct kube_client *c)
{
	while (!c->closing && c->ready != NULL) {
		struct kube_transfer *t = c->ready;
		char *buf = t->buf;
		size_t len = t->len;

		DL_DELETE2(c->ready, t, ready_prev, ready_next);
		t->ready = false;
		t->buf = NULL;
		t->len = t->size = 0;
		t->data(t->arg, buf, len); // may free t, or close c
		free(buf);
	}
}

// Everything that libcurl left to do.
static void settle(struct kube_client *c)
{
	CURLMsg *m;
	int left;

	hand_on_data(c);
	while (!c->closing && (m = curl_multi_info_read(c->multi, &left)) != NULL) {
		struct kube_transfer *t = NULL;
		CURLcode result = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		kube_landed(t, result);
		hand_on_data(c);
	}
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct socket *s = poll->data;
	struct kube_client *c = s->client;
	int running, flags = 0;

	if (status < 0)
		flags = CURL_CSELECT_ERR;
	if (events & (UV_READABLE | UV_DISCONNECT))
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	(void)curl_multi_socket_action(c->multi, s->fd, flags, &running); // may free s
	settle(c);
}

static void on_timer(uv_timer_t *timer)
{
	struct kube_client *c = timer->data;
	int running;

	(void)curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	settle(c);
}

static int on_timer_change(CURLM *, long ms, void *arg)
{
	struct kube_client *c = arg;

	if (c->closing)
		return 0;
	if (ms < 0)
		(void)uv_timer_stop(&c->curl_timer);
	else // uv's loop time may be a little behind libcurl's
		(void)uv_timer_start(&c->curl_timer, on_timer, (uint64_t)ms, 0);
	return 0;
}

static void on_socket_closed(uv_handle_t *h)
{
	free(h->data);
}

static struct socket *socket_new(struct kube_client *c, curl_socket_t fd)
{
	struct socket *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->client = c;
	s->fd = fd;
	if (uv_poll_init_socket(c->loop, &s->poll, fd) < 0) {
		free(s);
		return NULL;
	}
	s->poll.data = s;
	(void)curl_multi_assign(c->multi, fd, s);
	return s;
}

static int on_socket_change(CURL *, curl_socket_t fd, int what, void *arg, void *assigned)
{
	struct kube_client *c = arg;
	struct socket *s = assigned;

	if (what == CURL_POLL_REMOVE) {
		if (s != NULL) {
			(void)curl_multi_assign(c->multi, fd, NULL);
			uv_close((uv_handle_t *)&s->poll, on_socket_closed);
		}
		return 0;
	}
	if (s == NULL)
		s = socket_new(c, fd);
	if (s == NULL)
		return -1;
	int events = 0;
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	return uv_poll_start(&s->poll, events, on_poll) < 0 ? -1 : 0;
}

int kube_loop_open(struct kube_client *c)
{
	c->multi = curl_multi_init();
	if (c->multi == NULL)
		return -ENOMEM;
	(void)curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket_change);
	(void)curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	(void)curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer_change);
	(void)curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	(void)curl_multi_setopt(c->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	(void)curl_multi_setopt(
		c->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)KUBE_CONNECTIONS_MAX);
	(void)curl_multi_setopt(
		c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)KUBE_CONNECTIONS_MAX);
	(void)uv_timer_init(c->loop, &c->curl_timer);
	c->curl_timer.data = c;
	return 0;
}

void kube_loop_close(struct kube_client *c)
{
	(void)curl_multi_cleanup(c->multi);
	c->multi = NULL;
}
