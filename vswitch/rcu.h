// Read-copy-update: who is still looking at what. Workers report a quiescent state once per poll
// round and go offline when they sleep; the control thread defers frees until all have moved on
// and never waits. A thin layer over rte_rcu_qsbr.
#pragma once

#include <stdint.h>

struct rcu;

// For workers 0 … n_workers-1, all of them offline. NULL if memory is short. Control thread only,
// as all below that are not marked "worker".
struct rcu *rcu_new(uint16_t n_workers);
// Runs everything still deferred and frees r. No worker may be running.
void rcu_free(struct rcu *r);

// Calls f(obj) once every worker has passed a quiescent state or is offline. If memory for the
// entry is short it waits for that instead (the one place where control does).
void rcu_defer(struct rcu *r, void (*f)(void *obj), void *obj);
// Runs what has become due. Call regularly. Returns how many are still waiting.
uint32_t rcu_poll(struct rcu *r);
// Runs everything still deferred, due or not. No worker may be running.
void rcu_flush(struct rcu *r);

void rcu_online(struct rcu *r, uint16_t worker); // worker: before it reads tables
void rcu_offline(struct rcu *r, uint16_t worker); // worker: before it sleeps
void rcu_quiescent(struct rcu *r, uint16_t worker); // worker: holds no reference now
