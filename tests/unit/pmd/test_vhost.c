// The vhost-user port without a peer, and its socket. What a peer sees is tested in
// tests/e2e/vhost.
#include "pmd/vhost.h"

#include "eal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define POOL_SIZE 255

static struct rte_mempool *pool;
static char path[64];
static char dir[] = "/tmp/pmd-vhost-XXXXXX";

static int start(void **state)
{
	(void)state;
	if (eal_start("vhost") < 0 || mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/sock", dir);
	pool = eal_pool("vhost_test", POOL_SIZE);
	return pool == NULL ? -1 : 0;
}

static int stop(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(dir);
}

static int open_port(const char *where, bool server, struct port **ret_port)
{
	struct vhost_conf conf = {.name = "pod0",
		.path = where,
		.pool = pool,
		.n_queue_pairs = 2,
		.n_workers = 2,
		.mtu = 1500,
		.server = server};

	return vhost_open(&conf, ret_port);
}

// Binds a socket to the path, as another server would.
static int bind_socket(bool listening)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	if (listening)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void a_port_without_peer_takes_and_gives_nothing(void **state)
{
	struct port *p = NULL;
	struct port_stats stats;
	struct rte_mbuf *m = eal_frame(pool, 60, 0);

	(void)state;
	assert_int_equal(open_port(path, false, &p), 0);
	assert_false(p->ops->link_up(p));
	assert_int_equal(p->n_rxq, 2);
	assert_int_equal(p->mtu, 1500);
	assert_string_equal(p->detail, "client, 2 queue pairs");
	assert_int_equal(port_tx(p, 0, &m, 1), 0);
	assert_int_equal(port_tx(p, 5, &m, 1), 0);
	rte_pktmbuf_free(m);
	for (uint16_t q = 0; q < 2; q++) {
		p->ops->rx_wakeup(p, q, true);
		assert_int_equal(port_rx(p, q, &m, 1), 0);
		assert_true(p->ops->rx_fd(p, q) >= 0);
		p->ops->rx_wakeup(p, q, false);
	}
	p->ops->stats(p, &stats);
	assert_int_equal(stats.rx_errors, 0);
	p->ops->close(p);
}

static void a_server_makes_its_socket_and_removes_it(void **state)
{
	struct port *p = NULL;

	(void)state;
	assert_int_equal(open_port(path, true, &p), 0);
	assert_int_equal(access(path, F_OK), 0);
	p->ops->close(p);
	assert_int_equal(access(path, F_OK), -1);
}

static void a_path_in_use_by_another_port_is_refused(void **state)
{
	struct port *p = NULL;
	struct port *second = NULL;

	(void)state;
	assert_int_equal(open_port(path, false, &p), 0);
	assert_int_equal(open_port(path, true, &second), -EADDRINUSE);
	assert_int_equal(open_port(path, false, &second), -EADDRINUSE);
	assert_null(second);
	p->ops->close(p);
	assert_int_equal(open_port(path, false, &p), 0);
	p->ops->close(p);
}

static void a_socket_left_behind_by_a_dead_server_is_replaced(void **state)
{
	struct port *p = NULL;

	(void)state;
	(void)close(bind_socket(true));
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(open_port(path, true, &p), 0);
	p->ops->close(p);
}

static void a_socket_that_somebody_listens_on_is_left_alone(void **state)
{
	struct port *p = NULL;
	int fd = bind_socket(true);

	(void)state;
	assert_int_equal(open_port(path, true, &p), -EADDRINUSE);
	assert_null(p);
	assert_int_equal(access(path, F_OK), 0);
	(void)close(fd);
	(void)unlink(path);
}

static void a_file_in_the_socket_s_place_is_left_alone(void **state)
{
	struct port *p = NULL;

	(void)state;
	(void)close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(open_port(path, true, &p), -EEXIST);
	assert_int_equal(access(path, F_OK), 0);
	(void)unlink(path);
}

static void a_path_too_long_for_a_socket_is_refused(void **state)
{
	char longest[200];
	struct port *p = NULL;

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(open_port(longest, false, &p), -ENAMETOOLONG);
}

static void ports_come_and_go_without_leaking_descriptors(void **state)
{
	struct port *p[20];
	int before = dup(0);
	int after;

	(void)state;
	(void)close(before);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 20; i++) {
			char name[80];
			(void)snprintf(name, sizeof(name), "%s%d", path, i);
			assert_int_equal(open_port(name, i % 2 == 0, &p[i]), 0);
		}
		for (int i = 0; i < 20; i++)
			p[i]->ops->close(p[i]);
	}
	after = dup(0);
	(void)close(after);
	assert_int_equal(after, before); // the lowest free descriptor
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_without_peer_takes_and_gives_nothing),
		cmocka_unit_test(a_server_makes_its_socket_and_removes_it),
		cmocka_unit_test(a_path_in_use_by_another_port_is_refused),
		cmocka_unit_test(a_socket_left_behind_by_a_dead_server_is_replaced),
		cmocka_unit_test(a_socket_that_somebody_listens_on_is_left_alone),
		cmocka_unit_test(a_file_in_the_socket_s_place_is_left_alone),
		cmocka_unit_test(a_path_too_long_for_a_socket_is_refused),
		cmocka_unit_test(ports_come_and_go_without_leaking_descriptors),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
