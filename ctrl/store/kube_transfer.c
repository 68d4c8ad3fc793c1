// One request as libcurl's, and what came back as ours.
#include "ctrl/store/kube_transfer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include <utlist.h>

#include "ctrl/store/kube_backoff.h"

#define BUF_FIRST 16384
// A peer that does not acknowledge for so long is gone, and its watches with it.
#define PEER_GONE_MS 30000

// ── What arrives ───────────────────────────────────────────────────────────────────────────────

static bool is_stream(struct kube_transfer *t)
{
	long status = 0;

	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	return t->data != NULL && status == 200;
}

bool kube_is_answered(const struct kube_transfer *t)
{
	long status = 0;

	if (t->easy != NULL)
		(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	return status != 0;
}

static size_t on_write(char *data, size_t, size_t len, void *arg)
{
	struct kube_transfer *t = arg;
	size_t need = t->len + len + 1;

	if (need > KUBE_ANSWER_MAX) {
		t->failed = -EMSGSIZE;
		return 0;
	}
	if (need > t->size) {
		size_t size = t->size > 0 ? t->size : BUF_FIRST;

		while (size < need)
			size *= 2;
		char *buf = realloc(t->buf, size);
		if (buf == NULL) {
			t->failed = -ENOMEM;
			return 0;
		}
		t->buf = buf;
		t->size = size;
	}
	memcpy(t->buf + t->len, data, len);
	t->len += len;
	t->buf[t->len] = '\0';
	if (!t->ready && is_stream(t)) {
		t->ready = true;
		DL_APPEND2(t->client->ready, t, ready_prev, ready_next);
	}
	return len;
}

// The value of the header line if it is of that name, without blanks around; else NULL.
static const char *header_value(char *line, size_t len, const char *name)
{
	size_t name_len = strlen(name);

	if (len <= name_len || strncasecmp(line, name, name_len) != 0 || line[name_len] != ':')
		return NULL;
	char *value = line + name_len + 1;
	while (*value == ' ' || *value == '\t')
		value++;
	size_t value_len = strcspn(value, "\r\n");
	value[value_len] = '\0';
	return value;
}

static size_t on_header(char *data, size_t, size_t len, void *arg)
{
	struct kube_transfer *t = arg;
	char line[256];
	size_t n = len < sizeof(line) - 1 ? len : sizeof(line) - 1;

	memcpy(line, data, n);
	line[n] = '\0';
	const char *wait = header_value(line, n, "Retry-After");
	if (wait != NULL) {
		t->retry_after = kube_retry_after(wait, time(NULL));
		return len;
	}
	const char *level = header_value(line, n, "X-Kubernetes-PF-PriorityLevel-UID");
	if (level != NULL)
		(void)snprintf(t->priority, sizeof(t->priority), "%.63s", level);
	return len;
}

static int on_socket(void *, curl_socket_t fd, curlsocktype)
{
	unsigned int ms = PEER_GONE_MS;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
	return CURL_SOCKOPT_OK;
}

// ── One try ────────────────────────────────────────────────────────────────────────────────────

static int add_header(struct kube_transfer *t, const char *name, const char *value)
{
	char *line;

	if (asprintf(&line, "%s: %s", name, value) < 0)
		return -ENOMEM;
	struct curl_slist *headers = curl_slist_append(t->headers, line);
	free(line);
	if (headers == NULL)
		return -ENOMEM;
	t->headers = headers;
	return 0;
}

static int set_headers(struct kube_transfer *t)
{
	const char *token = t->client->credentials.token;
	char *bearer;
	int ret = add_header(t, "Accept", "application/json");

	if (ret == 0 && t->body != NULL)
		ret = add_header(t, "Content-Type",
			t->content_type != NULL ? t->content_type : "application/json");
	if (ret == 0 && t->body != NULL)
		ret = add_header(t, "Expect", ""); // the server says no at once or not at all
	if (ret < 0 || token == NULL)
		return ret;
	if (asprintf(&bearer, "Bearer %s", token) < 0)
		return -ENOMEM;
	ret = add_header(t, "Authorization", bearer);
	free(bearer);
	return ret;
}

// The server's address; the name that its certificate must have stands in the URL if it is another.
static int set_url(struct kube_transfer *t)
{
	const struct kube_access *a = &t->client->access;
	const char *host = a->server + strlen("https://");
	size_t host_len = strcspn(host, "/");
	char *url, *to;
	int ret = a->server_name != NULL ? asprintf(&url, "https://%s%s%s", a->server_name,
						   host + host_len, t->path)
					 : asprintf(&url, "%s%s", a->server, t->path);

	if (ret < 0)
		return -ENOMEM;
	ret = curl_easy_setopt(t->easy, CURLOPT_URL, url) == CURLE_OK ? 0 : -ENOMEM;
	free(url);
	if (ret < 0 || a->server_name == NULL)
		return ret;
	const char *bracket = memchr(host, ']', host_len);
	const char *colon = memchr(bracket != NULL ? bracket : host, ':',
		host_len - (size_t)(bracket != NULL ? bracket - host : 0));
	if (asprintf(&to, "::%.*s%s", (int)host_len, host, colon != NULL ? "" : ":443") < 0)
		return -ENOMEM;
	t->connect_to = curl_slist_append(NULL, to);
	free(to);
	if (t->connect_to == NULL)
		return -ENOMEM;
	(void)curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, t->connect_to);
	return 0;
}

static void set_tls(struct kube_transfer *t)
{
	const struct kube_client *c = t->client;
	CURL *easy = t->easy;
	long verify = c->access.insecure ? 0 : 1;

	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2 * verify);
	(void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (c->credentials.ca.fd >= 0) {
		(void)curl_easy_setopt(easy, CURLOPT_CAINFO, c->credentials.ca.path);
		// The machine's authorities are not the cluster's.
		(void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	if (c->credentials.cert.fd >= 0) {
		(void)curl_easy_setopt(easy, CURLOPT_SSLCERT, c->credentials.cert.path);
		(void)curl_easy_setopt(easy, CURLOPT_SSLKEY, c->credentials.key.path);
	}
}

static void set_transport(struct kube_transfer *t)
{
	CURL *easy = t->easy;

	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); // closing waits for no DNS
	(void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	(void)curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 15L);
	(void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 5L);
	(void)curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
	(void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)KUBE_CONNECT_MS);
	(void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)t->timeout_ms);
	(void)curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	if (t->client->access.proxy != NULL)
		(void)curl_easy_setopt(easy, CURLOPT_PROXY, t->client->access.proxy);
	if (!t->endless) {
		(void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long)KUBE_SLOW_BYTES);
		(void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)t->stall_s);
	}
}

int kube_transfer_arm(struct kube_transfer *t)
{
	t->easy = curl_easy_init();
	if (t->easy == NULL)
		return -ENOMEM;
	t->retry_after = -1;
	int ret = set_headers(t);
	if (ret == 0)
		ret = set_url(t);
	if (ret < 0)
		return ret;
	set_tls(t);
	set_transport(t);
	(void)curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
	(void)curl_easy_setopt(t->easy, CURLOPT_USERAGENT, t->client->agent);
	(void)curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
	(void)curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->error);
	(void)curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_write);
	(void)curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
	(void)curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
	if (t->body != NULL)
		(void)curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, t->body);
	return curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, t->method) == CURLE_OK ? 0
										       : -ENOMEM;
}

void kube_transfer_disarm(struct kube_transfer *t)
{
	if (t->easy != NULL)
		curl_easy_cleanup(t->easy);
	t->easy = NULL;
	curl_slist_free_all(t->headers);
	curl_slist_free_all(t->connect_to);
	t->headers = t->connect_to = NULL;
	if (t->ready)
		DL_DELETE2(t->client->ready, t, ready_prev, ready_next);
	t->ready = false;
	free(t->buf);
	t->buf = NULL;
	t->len = t->size = 0;
	t->failed = 0;
	t->error[0] = t->priority[0] = '\0';
}

void kube_transfer_free(struct kube_transfer *t)
{
	kube_transfer_disarm(t);
	free(t->method);
	free(t->path);
	free(t->content_type);
	free(t->body);
	free(t);
}

// ── The outcome ────────────────────────────────────────────────────────────────────────────────

static int error_of(CURLcode result)
{
	switch (result) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return -EHOSTUNREACH;
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CONNECT_ERROR:
		return -EACCES;
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return -ECONNRESET;
	default:
		return -EIO;
	}
}

// libcurl's own words have times and counts in them, which differ from try to try; only about names and
// certificates do they say more than the error itself.
static const char *words_of(const struct kube_transfer *t, CURLcode result)
{
	long err = 0;

	if (result == CURLE_COULDNT_CONNECT &&
		curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &err) == CURLE_OK && err != 0)
		return strerror((int)err);
	int class = error_of(result);
	bool says_more = class == -EACCES || class == -EHOSTUNREACH || class == -EIO;
	return says_more && t->error[0] != '\0' ? t->error : curl_easy_strerror(result);
}

static int no_answer(struct kube_transfer *t, CURLcode result, char message[MODEL_ERROR_MAX])
{
	const char *server = t->client->access.server;

	if (t->failed == -EMSGSIZE)
		(void)snprintf(message, MODEL_ERROR_MAX,
			"the answer of %.120s is longer than %u MiB", server,
			KUBE_ANSWER_MAX >> 20);
	else
		(void)snprintf(message, MODEL_ERROR_MAX, "%.100s: %.140s", server,
			t->failed != 0 ? strerror(-t->failed) : words_of(t, result));
	return t->failed != 0 ? t->failed : error_of(result);
}

// What the server says went wrong: Status.message, or what stands in for it.
static void say_status(
	struct kube_transfer *t, int status, const cJSON *answer, char message[MODEL_ERROR_MAX])
{
	const char *text =
		cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(answer, "message"));

	if (text != NULL && text[0] != '\0')
		(void)snprintf(message, MODEL_ERROR_MAX, "%s", text);
	else
		(void)snprintf(message, MODEL_ERROR_MAX, "%.100s answered %d%s%.100s",
			t->client->access.server, status, t->len > 0 ? ": " : "",
			t->len > 0 ? t->buf : "");
	if (status == 429 && t->priority[0] != '\0') {
		size_t at = strlen(message);
		(void)snprintf(
			message + at, MODEL_ERROR_MAX - at, " (priority level %s)", t->priority);
	}
}

int kube_transfer_outcome(
	struct kube_transfer *t, CURLcode result, cJSON **ret_answer, char message[MODEL_ERROR_MAX])
{
	long status = 0;

	message[0] = '\0';
	*ret_answer = NULL;
	if (t->failed != 0 || result != CURLE_OK)
		return no_answer(t, result, message);
	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (t->data != NULL && status == 200)
		return 200; // all of it has been handed on
	if (t->len > 0)
		*ret_answer = cJSON_ParseWithLength(t->buf, t->len);
	if (status >= 200 && status < 300) {
		if (*ret_answer != NULL || t->len == 0)
			return (int)status;
		(void)snprintf(message, MODEL_ERROR_MAX, "the answer of %.120s is not JSON",
			t->client->access.server);
		return -EPROTO;
	}
	say_status(t, (int)status, *ret_answer, message);
	return (int)status;
}
