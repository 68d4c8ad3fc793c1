// Keeps this node's NodeInfo true: its tunnel end point, its addresses and its labels, so that
// the other nodes can reach it and the manager can place pods on it. Writes only when the store
// holds something else, and never more often than every few seconds.
#pragma once

#include <uv.h>

#include "ctrl/node/config.h"
#include "ctrl/node/fib.h"
#include "ctrl/store/cache.h"
#include "ctrl/store/store.h"

struct nodeinfo_writer;

struct nodeinfo_writer_conf {
	uv_loop_t *loop;
	struct store *store; // all borrowed
	struct cache *cache;
	const struct config *config;
	const struct fib *fib;
};

// Subscribes to the cache (so before cache_start) and begins once NodeInfos are synced.
int nodeinfo_writer_new(const struct nodeinfo_writer_conf *conf, struct nodeinfo_writer **ret_w);
// In the same turn of the loop as the store is closed, so that no answer of it is under way any
// more. The NodeInfo stays: the node's pods outlive its daemon.
void nodeinfo_writer_free(struct nodeinfo_writer *w);

// Pure, for tests: the NodeInfo that is to be, made of the one that is (NULL: none). NULL if that
// is right already, or if memory is short; otherwise the caller's.
struct nodeinfo_facts {
	const char *name;
	const char *node_uid; // of the Node, which owns it; NULL: there is none, or not yet
	const struct key_values *labels;
	bool has_vtep;
	struct in6_addr vtep_ip;
	uint8_t vtep_mac[6];
	const struct in6_addr *addresses;
	size_t n_addresses;
};
cJSON *nodeinfo_wanted(const struct nodeinfo_facts *facts, const cJSON *now);
