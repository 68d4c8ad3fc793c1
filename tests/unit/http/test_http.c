// The HTTP server, asked by curl: plain and over TLS, at once and later, politely and not.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "ctrl/http/certificate.h"
#include "ctrl/http/http.h"

#define ANSWER_MAX 4096
#define COMMAND_MAX 1024
#define CLIENTS_MAX 32
#define REQUEST_MS 400

static uv_loop_t loop;
static struct http_server *server;
static struct http_request *held[CLIENTS_MAX];
static size_t n_held;
static struct certificate ca, tls;

struct client { // a shell command, run beside the loop
	uv_work_t work;
	char command[COMMAND_MAX], answer[ANSWER_MAX];
	int status;
	bool done;
};

static void run(uv_work_t *work)
{
	struct client *c = work->data;
	FILE *f = popen(c->command, "r");

	if (f == NULL)
		return;
	size_t n = fread(c->answer, 1, sizeof(c->answer) - 1, f);
	c->answer[n] = '\0';
	c->status = pclose(f);
}

static void ran(uv_work_t *work, int)
{
	struct client *c = work->data;

	c->done = true;
}

__attribute__((format(printf, 2, 3))) static void ask(struct client *c, const char *format, ...)
{
	va_list ap;

	memset(c, 0, sizeof(*c));
	va_start(ap, format);
	(void)vsnprintf(c->command, sizeof(c->command), format, ap);
	va_end(ap);
	c->work.data = c;
	assert_int_equal(uv_queue_work(&loop, &c->work, run, ran), 0);
}

static const char *answer(struct client *c)
{
	while (!c->done)
		(void)uv_run(&loop, UV_RUN_ONCE);
	return c->answer;
}

// ── Handlers ───────────────────────────────────────────────────────────────────────────────────

static void echo(void *, struct http_request *r)
{
	size_t len;
	const char *body = http_body(r, &len);
	const char *q = http_query(r, "q");

	if (q != NULL)
		http_respond(r, 200, "text/x-query", q, strlen(q));
	else
		http_respond(r, 200, "application/json", body, len);
}

static void size(void *, struct http_request *r)
{
	char text[32];
	size_t len;

	(void)http_body(r, &len);
	http_respond(r, 200, NULL, text, (size_t)snprintf(text, sizeof(text), "%zu", len));
}

static void hold(void *, struct http_request *r)
{
	held[n_held++] = r;
}

static void answer_held(void)
{
	while (n_held > 0)
		http_respond(held[--n_held], 201, NULL, "late", 4);
}

static void server_start_with(struct http_conf conf)
{
	char message[MODEL_ERROR_MAX];

	conf.address = "127.0.0.1";
	assert_int_equal(http_open(&loop, &conf, &server, message), 0);
	assert_int_equal(http_route(server, "POST", "/echo", echo, NULL), 0);
	assert_int_equal(http_route(server, "GET", "/get", echo, NULL), 0);
	assert_int_equal(http_route(server, "POST", "/size", size, NULL), 0);
	assert_int_equal(http_route(server, "POST", "/hold", hold, NULL), 0);
}

static void server_start(bool with_tls)
{
	server_start_with((struct http_conf){.tls = with_tls});
}

static int setup(void **)
{
	n_held = 0;
	return uv_loop_init(&loop);
}

static int teardown(void **)
{
	http_close(server);
	server = NULL;
	answer_held();
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

// ── Plain ──────────────────────────────────────────────────────────────────────────────────────

static void a_body_comes_back_with_its_type(void **)
{
	struct client c;

	server_start(false);
	ask(&c,
		"curl -s -w '|%%{http_code}|%%{content_type}' --data-binary '{\"a\":1}' "
		"http://127.0.0.1:%u/echo",
		http_port(server));
	assert_string_equal(answer(&c), "{\"a\":1}|200|application/json");
}

static void a_query_is_read(void **)
{
	struct client c;

	server_start(false);
	ask(&c, "curl -s -w '|%%{content_type}' 'http://127.0.0.1:%u/get?q=x%%20y'",
		http_port(server));
	assert_string_equal(answer(&c), "x y|text/x-query");
}

static void unknown_paths_and_methods_are_told(void **)
{
	struct client c;

	server_start(false);
	ask(&c, "curl -s -w '%%{http_code}' http://127.0.0.1:%u/none", http_port(server));
	assert_string_equal(answer(&c), "not found\n404");
	ask(&c, "curl -s -w '%%{http_code}' http://127.0.0.1:%u/echo", http_port(server));
	assert_string_equal(answer(&c), "method not allowed\n405");
	ask(&c, "curl -s -I -o /dev/null -w '%%{http_code}' http://127.0.0.1:%u/get",
		http_port(server));
	assert_string_equal(answer(&c), "200");
}

static void an_answer_may_come_later(void **)
{
	struct client c;

	server_start(false);
	ask(&c, "curl -s -w '|%%{http_code}' -d x http://127.0.0.1:%u/hold", http_port(server));
	while (n_held == 0)
		(void)uv_run(&loop, UV_RUN_ONCE);
	for (int i = 0; i < 10; i++) {
		usleep(1000);
		(void)uv_run(&loop, UV_RUN_NOWAIT);
	}
	assert_false(c.done);
	answer_held();
	assert_string_equal(answer(&c), "late|201");
}

static void many_wait_at_the_same_time(void **)
{
	static struct client c;

	server_start(false);
	ask(&c, "for i in $(seq 20); do curl -s -d x http://127.0.0.1:%u/hold & done; wait",
		http_port(server));
	while (n_held < 20)
		(void)uv_run(&loop, UV_RUN_ONCE);
	answer_held();
	assert_int_equal(strlen(answer(&c)), 20 * strlen("late"));
}

static void a_client_that_left_is_answered_to_no_avail(void **)
{
	struct client c;

	server_start(false);
	ask(&c, "curl -s -m 0.2 -d x http://127.0.0.1:%u/hold", http_port(server));
	(void)answer(&c);
	assert_int_not_equal(c.status, 0);
	assert_int_equal(n_held, 1);
	answer_held();
	ask(&c, "curl -s -d still http://127.0.0.1:%u/echo", http_port(server));
	assert_string_equal(answer(&c), "still");
}

static void a_server_may_close_while_clients_wait(void **)
{
	struct client c;

	server_start(false);
	ask(&c, "curl -s -d x http://127.0.0.1:%u/hold", http_port(server));
	while (n_held == 0)
		(void)uv_run(&loop, UV_RUN_ONCE);
	http_close(server);
	server = NULL;
	(void)answer(&c);
	assert_int_not_equal(c.status, 0);
	answer_held(); // to no avail
}

static void a_large_body_is_taken_and_a_larger_one_refused(void **)
{
	struct client c;

	server_start(false);
	ask(&c,
		"head -c %d /dev/zero | curl -s -w '|%%{http_code}' --data-binary @- "
		"http://127.0.0.1:%u/size",
		HTTP_BODY_MAX, http_port(server));
	assert_string_equal(answer(&c), "3145728|200");
	ask(&c,
		"head -c %d /dev/zero | curl -s -w '|%%{http_code}' --data-binary @- "
		"http://127.0.0.1:%u/size",
		HTTP_BODY_MAX + 1, http_port(server));
	assert_string_equal(answer(&c), "body too large\n|413");
	// Also when it does not say how long it will be.
	ask(&c,
		"head -c %d /dev/zero | curl -s -w '|%%{http_code}' -H 'Transfer-Encoding: "
		"chunked' "
		"--data-binary @- http://127.0.0.1:%u/size",
		2 * HTTP_BODY_MAX, http_port(server));
	assert_string_equal(answer(&c), "body too large\n|413");
}

static void garbage_does_not_harm(void **)
{
	struct client c;

	server_start(false);
	ask(&c,
		"head -c 100000 /dev/urandom | timeout 2 bash -c "
		"'cat >/dev/tcp/127.0.0.1/%u' 2>/dev/null; true",
		http_port(server));
	(void)answer(&c);
	ask(&c, "curl -s -d still http://127.0.0.1:%u/echo", http_port(server));
	assert_string_equal(answer(&c), "still");
}

static void a_client_that_dawdles_is_cut_off(void **)
{
	struct client c;

	server_start_with((struct http_conf){.request_ms = REQUEST_MS});
	// Never idle, and never done.
	ask(&c,
		"bash -c 'exec 3<>/dev/tcp/127.0.0.1/%u; printf \"POST /echo HTTP/1.1\\r\\n\" >&3; "
		"for i in {1..50}; do printf \"X: y\\r\\n\" >&3 || exit; sleep 0.1; done; "
		"echo still' 2>/dev/null",
		http_port(server));
	assert_string_equal(answer(&c), "");
}

static void a_client_that_waits_for_its_answer_is_not_cut_off(void **)
{
	struct client c;

	server_start_with((struct http_conf){.request_ms = REQUEST_MS});
	ask(&c, "curl -s -w '|%%{http_code}' -d x http://127.0.0.1:%u/hold", http_port(server));
	while (n_held == 0)
		(void)uv_run(&loop, UV_RUN_ONCE);
	for (uint64_t end = uv_now(&loop) + 2 * REQUEST_MS; uv_now(&loop) < end;)
		(void)uv_run(&loop, UV_RUN_ONCE);
	answer_held();
	assert_string_equal(answer(&c), "late|201");
}

static void a_port_in_use_is_told(void **)
{
	char message[MODEL_ERROR_MAX];
	struct http_server *other;

	server_start(false);
	struct http_conf conf = {.address = "127.0.0.1", .port = http_port(server)};
	assert_int_equal(http_open(&loop, &conf, &other, message), -EADDRINUSE);
	assert_non_null(strstr(message, "cannot listen on 127.0.0.1 port "));
}

// ── TLS ────────────────────────────────────────────────────────────────────────────────────────

static char ca_path[] = "/tmp/strata-http-ca.XXXXXX";

static void make_certificates(void)
{
	static const char *const names[] = {"localhost", "127.0.0.1"};

	certificate_fini(&ca);
	certificate_fini(&tls);
	assert_int_equal(certificate_make_ca("test", NULL, time(NULL), &ca), 0);
	assert_int_equal(certificate_make_server(&ca, names, 2, time(NULL), &tls), 0);
	FILE *f = fopen(ca_path, "w");
	assert_non_null(f);
	assert_true(fputs(ca.pem, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int tls_setup(void **state)
{
	int fd;

	strcpy(ca_path, "/tmp/strata-http-ca.XXXXXX");
	fd = mkstemp(ca_path);
	if (fd < 0)
		return -1;
	close(fd);
	return setup(state);
}

static int tls_teardown(void **state)
{
	(void)unlink(ca_path);
	certificate_fini(&ca);
	certificate_fini(&tls);
	return teardown(state);
}

// What a client gets that trusts the CA, with options of curl's.
static const char *ask_tls(struct client *c, const char *options)
{
	ask(c, "curl -s -w '|%%{http_code}' --cacert %s %s -d hello https://127.0.0.1:%u/echo",
		ca_path, options, http_port(server));
	return answer(c);
}

static void serve_tls(void)
{
	server_start(true);
	make_certificates();
	assert_int_equal(http_set_certificate(server, tls.pem, tls.key), 0);
}

static void tls_is_verified_by_a_client(void **)
{
	struct client c;

	serve_tls();
	assert_string_equal(ask_tls(&c, ""), "hello|200");
	assert_string_equal(ask_tls(&c, "--tlsv1.2 --tls-max 1.2"), "hello|200");
	assert_string_equal(ask_tls(&c, "--tlsv1.3"), "hello|200");
}

static void old_versions_and_ciphers_are_refused(void **)
{
	struct client c;

	serve_tls();
	assert_string_equal(
		ask_tls(&c, "--tlsv1.0 --tls-max 1.1 --ciphers DEFAULT@SECLEVEL=0"), "|000");
	assert_string_equal(
		ask_tls(&c, "--tls-max 1.2 --ciphers ECDHE-ECDSA-AES128-SHA256"), "|000");
}

static void without_a_certificate_nobody_is_answered(void **)
{
	struct client c;

	server_start(true);
	assert_string_equal(ask_tls(&c, "-k"), "|000");
	make_certificates();
	assert_int_equal(http_set_certificate(server, tls.pem, tls.key), 0);
	assert_string_equal(ask_tls(&c, ""), "hello|200");
}

static void a_certificate_is_replaced_while_the_server_runs(void **)
{
	struct client c;

	serve_tls();
	assert_string_equal(ask_tls(&c, ""), "hello|200");
	make_certificates(); // of another CA, which the client now trusts
	assert_string_equal(ask_tls(&c, ""), "|000");
	assert_int_equal(http_set_certificate(server, tls.pem, tls.key), 0);
	assert_string_equal(ask_tls(&c, ""), "hello|200");
}

static void a_key_that_is_not_the_certificates_is_not_taken(void **)
{
	struct client c;

	serve_tls();
	assert_int_equal(http_set_certificate(server, tls.pem, ca.key), -EINVAL);
	assert_int_equal(http_set_certificate(server, "garbage", tls.key), -EINVAL);
	assert_string_equal(ask_tls(&c, ""), "hello|200");
}

static void a_plain_request_to_the_tls_port_does_not_harm(void **)
{
	struct client c;

	serve_tls();
	ask(&c, "curl -s -m 5 -d x http://127.0.0.1:%u/echo; true", http_port(server));
	(void)answer(&c);
	assert_string_equal(ask_tls(&c, ""), "hello|200");
}

#define PLAIN(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TLS(f) cmocka_unit_test_setup_teardown(f, tls_setup, tls_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLAIN(a_body_comes_back_with_its_type),
		PLAIN(a_query_is_read),
		PLAIN(unknown_paths_and_methods_are_told),
		PLAIN(an_answer_may_come_later),
		PLAIN(many_wait_at_the_same_time),
		PLAIN(a_client_that_left_is_answered_to_no_avail),
		PLAIN(a_server_may_close_while_clients_wait),
		PLAIN(a_large_body_is_taken_and_a_larger_one_refused),
		PLAIN(garbage_does_not_harm),
		PLAIN(a_client_that_dawdles_is_cut_off),
		PLAIN(a_client_that_waits_for_its_answer_is_not_cut_off),
		PLAIN(a_port_in_use_is_told),
		TLS(tls_is_verified_by_a_client),
		TLS(old_versions_and_ciphers_are_refused),
		TLS(without_a_certificate_nobody_is_answered),
		TLS(a_certificate_is_replaced_while_the_server_runs),
		TLS(a_key_that_is_not_the_certificates_is_not_taken),
		TLS(a_plain_request_to_the_tls_port_does_not_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
