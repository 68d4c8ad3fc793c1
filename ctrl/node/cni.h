// The CNI server: attaches pods to the switch and detaches them. One operation at a time for each
// container id and interface, any number side by side for different ones.
#pragma once

#include <uv.h>

#include "ctrl/node/config.h"
#include "ctrl/node/fib.h"
#include "ctrl/node/server.h"
#include "ctrl/store/cache.h"
#include "ctrl/store/store.h"
#include "vswitch/dataplane.h"

struct cni;

// How a runtime's ADD, CHECK or DEL ended.
struct cni_outcome {
	const char *command; // "ADD"
	int code; // 0, or an enum cni_code
	uint64_t ns; // from its arrival to its answer
	uint64_t wait_ns; // of that, the wait for the pod's addresses
};

struct cni_conf { // all borrowed; ended is told of every outcome
	uv_loop_t *loop;
	const struct config *config;
	struct dataplane *dp;
	struct store *store;
	struct cache *cache;
	struct fib *fib;
	void (*ended)(void *arg, const struct cni_outcome *outcome);
	void *ended_arg;
};

// Subscribes to the cache (so before cache_start, and after the FIB).
int cni_new(const struct cni_conf *conf, struct cni **ret_cni);
// Only after the loop has finished all that cni_stop left to do.
void cni_free(struct cni *cni);

// Brings the ports of an earlier process back from the attachment files. Once, when the cache is
// synced; blocks. 0 or -errno (the directory cannot be read).
int cni_restore(struct cni *cni);
// Answers a request; takes the connection. The request is borrowed.
void cni_handle(struct cni *cni, struct conn *conn, const cJSON *request);
// Ends what is under way: ADDs fail with "try again later".
void cni_stop(struct cni *cni);
// Whether no operation is under way.
bool cni_idle(const struct cni *cni);
