// How full the FIB is: numbers that are at hand, for whoever asks often.

#include "ctrl/node/fib_priv.h"

static size_t n_nexthops(const struct tables *t)
{
	size_t n = 0;

	for (size_t i = 0; i < sizeof(t->nexthop_taken) / sizeof(t->nexthop_taken[0]); i++)
		n += (size_t)__builtin_popcountll(t->nexthop_taken[i]);
	return n - 1; // slot NEXTHOP_NONE is never free
}

static size_t n_ports(const struct fib *f)
{
	size_t n = 0;

	for (size_t i = 0; i < VPORT_MAX; i++)
		n += f->tables->vports[i] != NULL;
	return n;
}

// Subnets in force: the others are not the data plane's.
static size_t n_subnets(const struct fib *f)
{
	size_t n = 0;

	for (const struct fib_subnet *s = f->subnets; s != NULL; s = s->hh.next)
		n += s->desired.prefix_len > 0;
	return n;
}

static void count_nodes(const struct fib *f, struct fib_sizes *sizes)
{
	for (const struct fib_node *n = f->nodes; n != NULL; n = n->hh.next) {
		sizes->nodes += n->known;
		sizes->tunnels += n->nexthop != NEXTHOP_NONE;
	}
}

void fib_sizes(const struct fib *f, struct fib_sizes *ret_sizes)
{
	struct fib_sizes sizes = {
		.routes = f->tables->routes->n,
		.nexthops = n_nexthops(f->tables),
		.ports = n_ports(f),
		.subnets = n_subnets(f),
		.endpoints = f->endpoints.n,
	};

	count_nodes(f, &sizes);
	for (const struct neighbour *n = neighbours_first(f->neighbours); n != NULL; n = n->hh.next)
		sizes.neighbours[n->state]++;
	*ret_sizes = sizes;
}
