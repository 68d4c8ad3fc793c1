// Network namespaces for tests that need root: the test program's own, and others that are kept by a
// sleeping child each and die with it.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct netns {
	pid_t keeper;
	char path[64];
	int fd;
};

// Moves the test program into a namespace of its own. Exits with an explanation if that fails.
void netns_isolate(void);
void netns_new(struct netns *ret_ns);
void netns_free(struct netns *ns);

// Runs a shell command here, or (ns not NULL) in a namespace. Whether it succeeded.
bool sh(const struct netns *ns, const char *format, ...) __attribute__((format(printf, 2, 3)));
// The UDP socket of that namespace and family, bound to text address and port.
int udp_socket(const struct netns *ns, const char *ip, int port);
