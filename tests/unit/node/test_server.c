// The daemon's socket under all kinds of clients.
#include "ctrl/node/server.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define N_CLIENTS 100

static char directory[] = "/tmp/test-server-XXXXXX";
static char path[64];
static char why[SERVER_WHY_MAX];

// The server under test runs in a thread of its own.
static struct {
	uv_loop_t loop;
	uv_async_t stop;
	uv_idle_t flood; // of a watch
	struct server *server;
	struct conn *watch;
	struct conn *pending; // a request that is answered when the next one comes
	int n_gone;
	pthread_t thread;
} s;

static void on_flood(uv_idle_t *)
{
	char text[4096];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cJSON *line = cJSON_CreateObject();
	cJSON_AddStringToObject(line, "event", text);
	conn_send(s.watch, line);
}

static void on_gone(void *)
{
	(void)uv_idle_stop(&s.flood);
	s.watch = NULL;
	s.n_gone++;
}

// "echo": the answer is the request. "flood": a watch that never pauses. "wait": no answer until
// the next "echo". "gone": how many watches ended.
static void handle(void *, struct conn *conn, const cJSON *request)
{
	if (cJSON_HasObjectItem(request, "flood")) {
		s.watch = conn;
		conn_watch(conn, on_gone, NULL);
		(void)uv_idle_start(&s.flood, on_flood);
	} else if (cJSON_HasObjectItem(request, "wait")) {
		s.pending = conn;
	} else if (cJSON_HasObjectItem(request, "gone")) {
		cJSON *answer = cJSON_CreateObject();
		cJSON_AddNumberToObject(answer, "gone", s.n_gone);
		conn_reply(conn, answer);
	} else {
		if (s.pending != NULL)
			conn_reply(s.pending, cJSON_CreateObject());
		s.pending = NULL;
		conn_reply(conn, cJSON_Duplicate(request, true));
	}
}

static void on_stop(uv_async_t *)
{
	server_close(s.server);
	if (s.pending != NULL)
		conn_fail(s.pending, ECANCELED, "stopped", NULL);
	uv_close((uv_handle_t *)&s.stop, NULL);
	uv_close((uv_handle_t *)&s.flood, NULL);
}

static void *run(void *)
{
	(void)uv_run(&s.loop, UV_RUN_DEFAULT);
	return NULL;
}

static int setup(void **)
{
	memset(&s, 0, sizeof(s));
	if (uv_loop_init(&s.loop) != 0 || uv_async_init(&s.loop, &s.stop, on_stop) != 0 ||
		uv_idle_init(&s.loop, &s.flood) != 0)
		return -1;
	if (server_open(&s.loop, path, handle, NULL, &s.server, why) != 0)
		return -1;
	return pthread_create(&s.thread, NULL, run, NULL);
}

static int teardown(void **)
{
	if (uv_async_send(&s.stop) != 0 || pthread_join(s.thread, NULL) != 0)
		return -1;
	if (access(path, F_OK) == 0)
		return -1; // the socket must be gone
	return uv_loop_close(&s.loop); // busy if the server left a handle open
}

static int dial(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const struct timeval limit = {.tv_sec = 20};

	strcpy(addr.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

// Sends all of it, or as much as the server takes.
static void say(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

// Everything up to the end of the connection.
static const char *hear(int fd)
{
	static char answer[65536];
	size_t len = 0;
	ssize_t n;

	while ((n = recv(fd, answer + len, sizeof(answer) - 1 - len, 0)) > 0)
		len += (size_t)n;
	assert_int_equal(n, 0);
	answer[len] = '\0';
	close(fd);
	return answer;
}

static const char *ask(const char *text)
{
	int fd = dial();

	say(fd, text, strlen(text));
	return hear(fd);
}

static void a_line_gets_its_answer_and_the_end(void **)
{
	assert_string_equal(ask("{\"a\": 1}\n"), "{\"a\":1}\n");
}

static void a_line_in_pieces_is_one_request(void **)
{
	int fd = dial();

	say(fd, "{\"a\"", 4);
	assert_string_equal(ask("{}\n"), "{}\n"); // the server has seen the first piece by now
	say(fd, ":2}\nand more", 12);
	assert_string_equal(hear(fd), "{\"a\":2}\n");
}

static void a_half_closed_client_is_answered(void **)
{
	int fd = dial();

	say(fd, "{\"a\":3}", 7);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_string_equal(hear(fd), "{\"a\":3}\n");
}

static void garbage_is_refused(void **)
{
	assert_non_null(strstr(ask("hello\n"), "one JSON object"));
	assert_non_null(strstr(ask("[1]\n"), "one JSON object"));
	assert_non_null(strstr(ask("\n"), "one JSON object"));
	assert_non_null(strstr(ask("{\"a\":1} x\xff\n\n"), "{\"a\":1}"));
}

static void deep_nesting_is_refused(void **)
{
	char text[2 * 512 + 16] = "{\"a\":";
	size_t len = strlen(text);

	memset(text + len, '[', 512);
	memset(text + len + 512, ']', 512);
	strcpy(text + len + 1024, "}\n");
	assert_non_null(strstr(ask(text), "one JSON object"));
}

static void an_overlong_line_is_refused(void **)
{
	size_t len = 3 * SERVER_LINE_MAX;
	char *text = malloc(len);

	assert_non_null(text);
	memset(text, 'x', len);
	int fd = dial();
	say(fd, text, len);
	free(text);
	assert_non_null(strstr(hear(fd), "longer than 1 MiB"));
}

static void the_longest_line_is_taken(void **)
{
	char *text = malloc(SERVER_LINE_MAX + 1);

	assert_non_null(text);
	memset(text, ' ', SERVER_LINE_MAX);
	memcpy(text, "{\"a\":4}", 7);
	text[SERVER_LINE_MAX] = '\n';
	int fd = dial();
	say(fd, text, SERVER_LINE_MAX + 1);
	free(text);
	assert_string_equal(hear(fd), "{\"a\":4}\n");
}

static void a_hundred_clients_are_served_while_one_sleeps(void **)
{
	int sleeper = dial(), fd[N_CLIENTS];

	for (int i = 0; i < N_CLIENTS; i++)
		fd[i] = dial();
	for (int i = 0; i < N_CLIENTS; i++)
		say(fd[i], "{\"a\":5}\n", 8);
	for (int i = 0; i < N_CLIENTS; i++)
		assert_string_equal(hear(fd[i]), "{\"a\":5}\n");
	close(sleeper);
}

static void a_client_that_left_before_its_answer_is_forgotten(void **)
{
	int fd = dial();

	say(fd, "{\"wait\":1}\n", 11);
	close(fd);
	assert_string_equal(ask("{\"a\":6}\n"), "{\"a\":6}\n");
	assert_string_equal(ask("{\"a\":7}\n"), "{\"a\":7}\n");
}

static void a_watcher_that_does_not_read_is_cut_off(void **)
{
	int fd = dial();

	say(fd, "{\"flood\":1}\n", 12);
	for (int i = 0; i < 1000 && strcmp(ask("{\"gone\":1}\n"), "{\"gone\":1}\n") != 0; i++)
		(void)usleep(10000);
	assert_string_equal(ask("{\"gone\":1}\n"), "{\"gone\":1}\n");
	close(fd);
}

static void a_watch_ends_with_its_client(void **)
{
	int fd = dial();
	char byte;

	say(fd, "{\"flood\":1}\n", 12);
	assert_int_equal(recv(fd, &byte, 1, 0), 1);
	close(fd);
	for (int i = 0; i < 1000 && strcmp(ask("{\"gone\":1}\n"), "{\"gone\":1}\n") != 0; i++)
		(void)usleep(10000);
	assert_string_equal(ask("{\"gone\":1}\n"), "{\"gone\":1}\n");
}

static void only_its_owner_may_connect(void **)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_second_server_is_refused(void **)
{
	struct server *second;
	uv_loop_t loop;

	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(server_open(&loop, path, handle, NULL, &second, why), -EADDRINUSE);
	assert_non_null(strstr(why, path));
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_string_equal(ask("{\"a\":8}\n"), "{\"a\":8}\n");
}

// Before setup: what a killed daemon, or something else, left at the path.
static int leave_dead_socket(void **state)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(addr.sun_path, path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || close(fd) < 0)
		return -1;
	return setup(state);
}

static void a_dead_servers_socket_is_replaced(void **)
{
	assert_string_equal(ask("{\"a\":9}\n"), "{\"a\":9}\n");
}

static void a_file_in_the_way_is_left_alone(void **)
{
	struct server *server;
	uv_loop_t loop;
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(server_open(&loop, path, handle, NULL, &server, why), -EEXIST);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_int_equal(unlink(path), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_line_gets_its_answer_and_the_end),
		TEST(a_line_in_pieces_is_one_request),
		TEST(a_half_closed_client_is_answered),
		TEST(garbage_is_refused),
		TEST(deep_nesting_is_refused),
		TEST(an_overlong_line_is_refused),
		TEST(the_longest_line_is_taken),
		TEST(a_hundred_clients_are_served_while_one_sleeps),
		TEST(a_client_that_left_before_its_answer_is_forgotten),
		TEST(a_watcher_that_does_not_read_is_cut_off),
		TEST(a_watch_ends_with_its_client),
		TEST(only_its_owner_may_connect),
		TEST(a_second_server_is_refused),
		cmocka_unit_test_setup_teardown(
			a_dead_servers_socket_is_replaced, leave_dead_socket, teardown),
		cmocka_unit_test(a_file_in_the_way_is_left_alone),
	};
	if (mkdtemp(directory) == NULL || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return 1;
	(void)snprintf(path, sizeof(path), "%s/sock", directory);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)rmdir(directory);
	return failed;
}
