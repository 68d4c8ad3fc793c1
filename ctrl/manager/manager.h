// The manager: address management and object life cycle for the whole cluster. One is active at a
// time; it holds nothing that is not in the objects.
//
// Controllers: pod (allocates, reserves and releases IPInstances), network and subnet (statuses),
// node (labels, under an API server), defaults (first start), and a sweeper for what was lost. In a
// daemon with the dir store it runs in-process, elected by a file lock; strata-manager runs it under
// an API server, elected by a Lease.
#pragma once

#include <stdbool.h>

#include <uv.h>

#include "ctrl/http/metrics.h"
#include "ctrl/store/cache.h"
#include "ctrl/store/store.h"

struct manager;

struct manager_conf {
	const char *default_network_type; // "Overlay" or "Underlay" (DEFAULT_NETWORK_TYPE)
	const char *default_ip_family; // "IPv4", "IPv6", "DualStack"
	const char *stateful_kinds; // comma list, "StatefulSet"
	const char
		*pod_selector; // only such pods get addresses; NULL: all (ctrl/ipam/pod_selector.h)
	bool default_ip_retain;
	bool create_defaults; // make network-0 and subnet-0-network-0 when there is no Network at all
	const char *lock_path; // file lock that elects the active one; NULL: always active, unless
	bool await_election; // it waits for manager_elected
	bool vm_ip_retain; // addresses of KubeVirt's virtual machines outlive their pods (kube)
	struct metrics *metrics; // to register in; outlives the manager; NULL: none
};

// Subscribes to the cache (so before cache_start) and begins once it is synced and elected.
int manager_new(uv_loop_t *loop, struct store *store, struct cache *cache,
	const struct manager_conf *conf, struct manager **ret_manager);
// It leads: it takes over. Whoever leads no more frees it, and ends whatever its store still sends.
void manager_elected(struct manager *m);
void manager_free(struct manager *m);
bool manager_active(const struct manager *m);
