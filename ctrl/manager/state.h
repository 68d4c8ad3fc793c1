// The manager from the inside. manager.c is elected and hands out events; pods.c decides what a pod
// needs; requests.c changes objects and comes back when that is done; status.c and condition.c
// write down what is; ipinstance.c builds the objects. Everything here can be rebuilt from the cache.
#pragma once

#include <uthash.h>

#include "ctrl/ipam/ipam.h"
#include "ctrl/manager/manager.h"
#include "ctrl/model/ipinstance.h"
#include "ctrl/model/nodeinfo.h"
#include "ctrl/model/pod.h"

#define FINALIZER_IP_ALLOCATED ANNOTATION_PREFIX "ip-allocated"
#define POD_KEY_MAX (64 + NAME_MAX_LEN)
// How long changes of objects may gather before statuses are written.
#define STATUS_DELAY_MS 100
#define RETRY_MS 1000
// How long a created IPInstance may take to come back through the watch.
#define SETTLE_MS 3000

// What is known of a pod, alive or not, that is not in its object.
struct pod_state {
	char key[POD_KEY_MAX]; // "namespace/name"
	char (*instances)[64]; // owned; names of its IPInstances in the cache
	size_t n_instances;
	unsigned int n_requests; // that have not come back
	size_t n_expected; // IPInstances that were created, until they are in the cache
	uint64_t expected_until; // loop time
	bool checked; // whether all families are there
	bool failed; // no address; tried again when some may be free
	bool retry; // something went wrong; tried again in a while
	UT_hash_handle hh;
};

struct bad_object { // as the cache reported it
	char key[POD_KEY_MAX + 2]; // "1/name": the kind's number first
	enum kind kind;
	char *message; // owned
	bool written; // its condition
	UT_hash_handle hh;
};

struct request; // requests.c
struct mac_use; // macs.c

struct manager {
	uv_loop_t *loop;
	struct store *store;
	struct cache *cache;
	struct cache_subscriber sub;
	char *network_type, *ip_family, *stateful_kinds, *lock_path; // owned
	bool ip_retain, create_defaults;

	int lock_fd; // -1: not tried yet
	bool locked, active;
	uv_timer_t elect_timer, work_timer, retry_timer;
	unsigned int n_handles;

	struct ipam *ipam; // owned; NULL unless active
	struct pod_state *pods; // owned
	struct mac_use *macs; // owned
	struct bad_object *bads; // owned
	struct request *requests; // owned, until they come back
	bool capacity_changed; // failed pods may find an address now
};

// ── Pods ───────────────────────────────────────────────────────────────────────────────────────
// Does the next step for a pod: allocates, reserves, releases. Idempotent.
void pod_reconcile(struct manager *m, const char *key);
struct pod_state *pod_state_get(struct manager *m, const char *key); // never NULL
void pod_state_add_instance(struct pod_state *s, const char *name);
void pod_state_del_instance(struct pod_state *s, const char *name);
void pod_states_clear(struct manager *m);
// All pods that have no address because there was none, oldest first.
void pods_retry(struct manager *m, bool failed);
// "namespace/pod" an IPInstance is bound to, or reserved for; false if it is nobody's.
bool ipinstance_pod_key(const struct ipinstance *i, char key[POD_KEY_MAX]);
bool ipinstance_is_ours(const struct ipinstance *i); // made by a manager, so its to delete
void split_key(const char *key, char namespace[64], char name[NAME_MAX_LEN]);

// ── MAC addresses ──────────────────────────────────────────────────────────────────────────────
bool macs_has(const struct manager *m, const uint8_t mac[6]);
void macs_add(struct manager *m, const uint8_t mac[6]);
void macs_del(struct manager *m, const uint8_t mac[6]);
void macs_clear(struct manager *m);

// ── Requests ───────────────────────────────────────────────────────────────────────────────────
struct request_address { // to give back if the create fails
	char subnet[NAME_MAX_LEN];
	struct in6_addr ip;
	uint8_t mac[6];
	bool used; // there is one
};
// Each belongs to a pod (key, NULL for none), which is reconciled when all its requests are back.
void request_create(struct manager *m, const char *pod, cJSON *obj,
	const struct request_address *a); // takes obj
void request_update(struct manager *m, const char *pod, cJSON *obj); // takes obj
void request_update_status(struct manager *m, const char *pod, cJSON *obj); // takes obj
void request_delete(struct manager *m, const char *pod, enum kind kind, const char *namespace,
	const char *name);
void requests_forget(struct manager *m); // their ends find no manager

// ── IPInstances ────────────────────────────────────────────────────────────────────────────────
struct pod_owner {
	const char *api_version, *kind, *name, *uid; // borrowed from the pod
	bool stateful; // one of the kinds that keep their addresses
};
struct pod_owner pod_owner_of(const struct manager *m, const struct pod *pod);
// The object for an address that pod got. NULL: no memory.
cJSON *ipinstance_make(const struct pod *pod, const struct pod_owner *owner, const char *network,
	const struct ipam_address *a, const uint8_t mac[6]);
// Binds a reserved IPInstance to a pod (again), or takes it from it, keeping it for its next life.
void ipinstance_bind(cJSON *obj, const struct pod *pod);
void ipinstance_reserve(cJSON *obj);
// A copy of the object in the cache, without or with a finalizer of ours. NULL if absent.
cJSON *object_copy(
	const struct manager *m, enum kind kind, const char *namespace, const char *name);
void object_set_finalizer(cJSON *obj, bool present);
bool object_has_finalizer(const struct object *obj);

// ── Statuses ───────────────────────────────────────────────────────────────────────────────────
// Has statuses written after a while; one write for all that happens until then.
void status_schedule(struct manager *m);
void status_write_all(struct manager *m);
// Writes again what was removed while in use, and deletes it when it is not used any more.
void kept_tend(struct manager *m);
bool object_is_kept(const struct object *obj);
// Whether a Network takes pods of that node.
bool network_has_node(const struct network *n, const struct nodeinfo *node);

// Puts the condition into status (made if NULL is in *status), keeping its time if it does not
// change. Returns whether anything changed.
bool condition_set(
	cJSON *status, const char *type, bool ok, const char *reason, const char *message);
// -1 absent, 0 False, 1 True.
int condition_get(const cJSON *status, const char *type);
// The skeleton for update_status: apiVersion, kind, name, namespace, and a copy of status (or {}).
cJSON *status_object(enum kind kind, const char *namespace, const char *name, const cJSON *status);
