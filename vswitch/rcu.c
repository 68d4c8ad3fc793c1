// Deferred frees in the order in which they were asked for. Each waits for a token of its own;
// tokens grow, so the queue is due from its head on and looking at the head is enough.
#include "vswitch/rcu.h"

#include <stdlib.h>

#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

struct deferred {
	struct deferred *next;
	uint64_t token;
	void (*f)(void *obj);
	void *obj;
};

struct rcu {
	struct rte_rcu_qsbr *qsbr; // workers: rw, control: rw
	struct deferred *head; // control
	struct deferred **tail; // control: where the next entry is linked in
	uint32_t n_waiting; // control
};

struct rcu *rcu_new(uint16_t n_workers)
{
	struct rcu *r = calloc(1, sizeof(*r));
	if (r == NULL)
		return NULL;

	r->tail = &r->head;
	r->qsbr = rte_zmalloc("rcu", rte_rcu_qsbr_get_memsize(n_workers), RTE_CACHE_LINE_SIZE);
	if (r->qsbr == NULL) {
		free(r);
		return NULL;
	}
	(void)rte_rcu_qsbr_init(r->qsbr, n_workers);
	// Registered threads that are offline do not hold up a grace period.
	for (uint16_t i = 0; i < n_workers; i++)
		(void)rte_rcu_qsbr_thread_register(r->qsbr, i);
	return r;
}

void rcu_free(struct rcu *r)
{
	if (r == NULL)
		return;
	rcu_flush(r);
	rte_free(r->qsbr);
	free(r);
}

void rcu_defer(struct rcu *r, void (*f)(void *obj), void *obj)
{
	struct deferred *d = malloc(sizeof(*d));
	if (d == NULL) {
		rte_rcu_qsbr_synchronize(r->qsbr, RTE_QSBR_THRID_INVALID);
		f(obj);
		return;
	}

	d->next = NULL;
	d->token = rte_rcu_qsbr_start(r->qsbr);
	d->f = f;
	d->obj = obj;
	*r->tail = d;
	r->tail = &d->next;
	r->n_waiting++;
}

// Takes the head off the queue before it calls it, since f may defer more.
static void run_head(struct rcu *r)
{
	struct deferred *d = r->head;

	r->head = d->next;
	if (r->head == NULL)
		r->tail = &r->head;
	r->n_waiting--;
	d->f(d->obj);
	free(d);
}

uint32_t rcu_poll(struct rcu *r)
{
	while (r->head != NULL && rte_rcu_qsbr_check(r->qsbr, r->head->token, false) == 1)
		run_head(r);
	return r->n_waiting;
}

void rcu_flush(struct rcu *r)
{
	while (r->head != NULL)
		run_head(r);
}

void rcu_online(struct rcu *r, uint16_t worker)
{
	rte_rcu_qsbr_thread_online(r->qsbr, worker);
}

void rcu_offline(struct rcu *r, uint16_t worker)
{
	rte_rcu_qsbr_thread_offline(r->qsbr, worker);
}

void rcu_quiescent(struct rcu *r, uint16_t worker)
{
	rte_rcu_qsbr_quiescent(r->qsbr, worker);
}
