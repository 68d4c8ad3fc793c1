// The kernel's side of the FIB: routes to pods by the host port, and the NAT table. The kernel is
// slow to answer, so it is talked to in the thread pool, one job after the other; what changes
// meanwhile goes into the next job. What fails is reported once, and tried again.
#pragma once

#include <uv.h>

#include "ctrl/model/object.h"
#include "ctrl/node/link.h"

struct fib_kernel;

// How the kernel is told; link.h and nat.h, or something else in a test. Called in a thread.
struct fib_kernel_ops {
	int (*route_add)(const char *ifname, const struct link_address *prefix,
		const struct in6_addr *src, char why[LINK_WHY_MAX]);
	int (*route_del)(
		const char *ifname, const struct link_address *prefix, char why[LINK_WHY_MAX]);
	int (*nat_set)(const char *ifname, const struct cidr *nat, size_t n_nat,
		const struct cidr *cluster, size_t n_cluster, char why[LINK_WHY_MAX]);
	int (*nat_clear)(char why[LINK_WHY_MAX]);
};
extern const struct fib_kernel_ops fib_kernel_real;

int fib_kernel_new(uv_loop_t *loop, const char *ifname, const struct fib_kernel_ops *ops,
	struct fib_kernel **ret_k);
// Takes the NAT table away; routes go with the host port. Freed after the job under way.
void fib_kernel_free(struct fib_kernel *k);

// A prefix is to be routed to the switch, once more or once less: several Subnets may share it.
void fib_kernel_route_add(
	struct fib_kernel *k, const struct cidr *prefix, const struct in6_addr *src);
void fib_kernel_route_del(struct fib_kernel *k, const struct cidr *prefix);
// Replaces the NAT table's sets. Copies them.
void fib_kernel_nat(struct fib_kernel *k, const struct cidr *nat, size_t n_nat,
	const struct cidr *cluster, size_t n_cluster);
