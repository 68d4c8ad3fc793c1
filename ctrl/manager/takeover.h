// Taking over: a cache may be behind the API server when its program becomes the leader, and what
// the leader before wrote last would be done a second time. So what is there now is listed once
// more, past every cache, and the cache is waited for until it has all of that.
#pragma once

#include <uv.h>

#include "ctrl/store/cache.h"
#include "ctrl/store/kube_client.h"

struct takeover;

// Lists IPInstances, then Pods (so that a Pod is there for every IPInstance, or is gone), and calls
// done, once, when the cache has every one of them in that version or a later one. As often as it
// takes: without an API server there is nothing to lead.
// 0 or -ENOMEM.
int takeover_start(uv_loop_t *loop, struct store *store, struct cache *cache,
	void (*done)(void *arg), void *arg, struct takeover **ret_takeover);
// Gives up; done is not called any more. Its store's client may be closed before. NULL is fine.
void takeover_close(struct takeover *t);

// Whether version a of an object is b or a later one: a number without leading zeros, as etcd's
// revisions are (Kubernetes KEP-5504 makes that a rule).
bool version_is_since(const char *a, const char *b);
