// See netns_fixture.h.
#include "netns_fixture.h"

#include "ctrl/node/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

// Devices that are added from now on have usable addresses at once.
static void no_duplicate_detection(const struct netns *ns)
{
	if (!sh(ns, "ip link set lo up && sysctl -qw net.ipv6.conf.default.accept_dad=0"))
		die("cannot set up a network namespace");
}

void netns_isolate(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		die("cannot create a network namespace (this test needs root)");
	no_duplicate_detection(NULL);
}

void netns_new(struct netns *ret_ns)
{
	int ready[2];
	char byte;

	if (pipe(ready) < 0)
		die("pipe");
	ret_ns->keeper = fork();
	if (ret_ns->keeper == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (ret_ns->keeper < 0 || read(ready[0], &byte, 1) != 1)
		die("cannot create a network namespace");
	close(ready[0]);
	(void)snprintf(ret_ns->path, sizeof(ret_ns->path), "/proc/%d/ns/net", ret_ns->keeper);
	ret_ns->fd = open(ret_ns->path, O_RDONLY | O_CLOEXEC);
	if (ret_ns->fd < 0)
		die(ret_ns->path);
	no_duplicate_detection(ret_ns);
}

void netns_free(struct netns *ns)
{
	close(ns->fd);
	(void)kill(ns->keeper, SIGKILL);
	(void)waitpid(ns->keeper, NULL, 0);
}

bool sh(const struct netns *ns, const char *format, ...)
{
	char command[1024], line[1200];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	if (ns == NULL)
		(void)snprintf(line, sizeof(line), "%s", command);
	else
		(void)snprintf(
			line, sizeof(line), "nsenter --net=%s sh -c '%s'", ns->path, command);
	return system(line) == 0;
}

struct wanted {
	int family;
	int fd;
};

static int socket_here(void *arg)
{
	struct wanted *w = arg;

	w->fd = socket(w->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return w->fd < 0 ? -errno : 0;
}

int udp_socket(const struct netns *ns, const char *ip, int port)
{
	struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	bool v4 = inet_pton(AF_INET, ip, &a4.sin_addr) == 1;
	struct wanted w = {v4 ? AF_INET : AF_INET6, -1};
	struct timeval patience = {.tv_sec = 1};
	int ret;

	if (!v4)
		(void)inet_pton(AF_INET6, ip, &a6.sin6_addr);
	ret = ns == NULL ? socket_here(&w) : netns_run(ns->fd, socket_here, &w);
	if (ret < 0 || setsockopt(w.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
		bind(w.fd, v4 ? (struct sockaddr *)&a4 : (struct sockaddr *)&a6,
			v4 ? sizeof(a4) : sizeof(a6)) < 0)
		die(ip);
	return w.fd;
}
