// Closing many ports. To close one is mostly to wait for a grace period of the kernel's RCU, which is the
// same for all that wait at a time.
#include "pmd/port.h"

#include <pthread.h>
#include <stdatomic.h>

#define CLOSERS 16 // at a time

struct closing {
	struct port *const *port;
	size_t n;
	atomic_size_t next;
};

static void *close_some(void *arg)
{
	struct closing *c = arg;
	size_t i = atomic_fetch_add_explicit(&c->next, 1, memory_order_relaxed);

	while (i < c->n) {
		c->port[i]->ops->close(c->port[i]);
		i = atomic_fetch_add_explicit(&c->next, 1, memory_order_relaxed);
	}
	return NULL;
}

void ports_close(struct port *const *port, size_t n)
{
	struct closing c = {.port = port, .n = n};
	pthread_t helper[CLOSERS - 1];
	size_t n_helpers = 0;

	// Without a thread it takes longer.
	while (n_helpers < CLOSERS - 1 && n_helpers + 1 < n &&
		pthread_create(&helper[n_helpers], NULL, close_some, &c) == 0)
		n_helpers++;
	(void)close_some(&c);
	for (size_t i = 0; i < n_helpers; i++)
		(void)pthread_join(helper[i], NULL);
}
