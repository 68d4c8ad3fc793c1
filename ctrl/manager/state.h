// The manager from the inside. manager.c is elected and keeps time; events.c keeps the books from
// what the cache tells; pods.c and pod_*.c decide what a pod needs; requests.c changes objects and
// comes back when that is done, blocked.c remembers what it could not have; status.c, node_labels.c
// and report.c write down what is; members.c says which node is in which Network, ipinstance.c builds
// the objects; sweep.c looks for what all of them missed, and doubled.c decides whose a doubled address
// is. Everything here can be rebuilt from the cache.
#pragma once

#include <uthash.h>

#include "ctrl/ipam/ipam.h"
#include "ctrl/ipam/selection.h"
#include "ctrl/manager/manager.h"
#include "ctrl/manager/takeover.h"
#include "ctrl/model/condition.h"
#include "ctrl/model/ipinstance.h"
#include "ctrl/model/nodeinfo.h"
#include "ctrl/model/pod.h"

#define FINALIZER_IP_ALLOCATED ANNOTATION_PREFIX "ip-allocated"
// hybridnet's, on Networks and Subnets; nobody else takes it away once its manager is gone.
#define FINALIZER_METRICS ANNOTATION_PREFIX "metrics-registered"
// On an IPInstance: that the pod gets one of each family. So a manager that finds one of two knows.
#define ANNOTATION_FAMILY "strata.networking.alibaba.com/ip-family"
#define POD_KEY_MAX (64 + NAME_MAX_LEN)
// How long changes of objects may gather before statuses are written.
#define STATUS_DELAY_MS 100
#define RETRY_MS 1000
// What was written and does not come back through the watch for so long is asked for.
#define SETTLE_MS 3000

// An object that was changed for a pod and whose new version is yet to come through the watch.
struct pod_wait {
	enum kind kind;
	char name[NAME_MAX_LEN]; // in the pod's namespace
	char version[64]; // before the change; "" when there was none
	uint64_t since; // loop time
	bool asking;
};

enum pod_fresh { // what the pod is yet to be told
	POD_FRESH_NOT,
	POD_FRESH_ALLOCATED,
	POD_FRESH_ASSIGNED,
};

// What is known of a pod, alive or not, that is not in its object.
struct pod_state {
	char key[POD_KEY_MAX]; // "namespace/name"
	char (*instances)[64]; // owned; names of its IPInstances in the cache
	size_t n_instances;
	unsigned int n_requests; // that have not come back
	struct pod_wait *waits; // owned
	size_t n_waits;
	uint64_t began; // loop time when it was first seen without an address, 0: has one
	uint64_t over; // loop time when it was first seen over, its port still there; 0: not
	char *told; // owned; the last failure that was said of it
	enum pod_fresh fresh;
	bool gone; // its object was seen to be deleted, or asked for and not there
	bool asking; // whether it is gone
	bool checked; // whether all families are there
	bool failed; // no address; tried again when some may be free
	bool retry; // something went wrong; tried again in a while
	struct vm_state *vm; // owned; vm.c: NULL until it was looked for
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
struct blocked; // blocked.c
struct report; // report.c
struct sweep; // sweep.c

struct manager {
	uv_loop_t *loop;
	struct store *store;
	struct cache *cache;
	struct cache_subscriber sub;
	char *network_type, *ip_family, *stateful_kinds, *pod_selector, *lock_path; // owned
	struct selection_conf selection; // of them
	bool create_defaults;
	bool defaults_due; // they are to be made and not all are there
	bool vm_retain;
	bool remote; // the store is an API server: it may answer late or not at all
	enum kind node_kind; // whose labels the selectors are about

	int lock_fd; // -1: not tried yet
	bool locked, active;
	struct takeover *takeover; // owned; while it lasts
	uv_timer_t elect_timer, work_timer, retry_timer, sweep_timer;
	unsigned int n_handles;

	struct ipam *ipam; // owned; NULL unless active
	struct pod_state *pods; // owned
	struct mac_use *macs; // owned
	struct blocked *blocked; // owned
	struct bad_object *bads; // owned
	struct request *requests; // owned, until they come back
	struct report *report; // owned; NULL: nobody asks for metrics
	struct sweep *sweep; // owned
	// Of statuses and of labels of Nodes that have not come back. Until they have, no others are
	// sent: a server that is slow would get more and more of them.
	unsigned int n_status_requests, n_label_requests;
	bool status_again; // there is something new since they were sent
	bool capacity_changed; // failed pods may find an address now
};

// ── Events ─────────────────────────────────────────────────────────────────────────────────────
void on_cache_event(void *arg, enum kind kind, enum cache_event event, const struct object *obj,
	const struct object *old);
void on_cache_bad(void *arg, enum kind kind, const char *key, const char *message);
void bads_clear(struct manager *m);
void books_load(struct manager *m); // all that the cache has
void activate_soon(struct manager *m);

// ── Pods ───────────────────────────────────────────────────────────────────────────────────────
// Does the next step for a pod: allocates, reserves, releases. Idempotent.
void pod_reconcile(struct manager *m, const char *key);
// All pods that have no address because there was none, oldest first.
void pods_retry(struct manager *m, bool failed);

struct pod_state *pod_state_get(struct manager *m, const char *key); // never NULL
struct pod_state *pod_state_find(const struct manager *m, const char *key); // NULL if absent
void pod_state_free(struct manager *m, struct pod_state *s);
void pod_states_clear(struct manager *m);
void pod_state_add_instance(struct pod_state *s, const char *name);
void pod_state_del_instance(struct pod_state *s, const char *name);
// The pod is not looked at until the cache has another version of the object than that ("": none).
void pod_wait_for(struct manager *m, struct pod_state *s, enum kind kind, const char *name,
	const char *version);
bool pod_is_waiting(struct manager *m, struct pod_state *s);
// The answer to request_look.
void pod_looked(struct manager *m, struct pod_state *s, enum kind kind, const char *name, int err);

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
// Each belongs to a pod (key, NULL for none), which is reconciled when all its requests are back and
// the watch has brought what they changed.
void request_create(struct manager *m, const char *pod, cJSON *obj,
	const struct request_address *a); // takes obj
// obj (taken) is a changed copy of what is in the cache: only the differences are sent, and they
// fail if the object is another version by then. Nothing is sent if there are none.
void request_update(struct manager *m, const char *pod, cJSON *obj);
// status (taken) is all of what it is to be; see status_copy.
void request_update_status(
	struct manager *m, const char *pod, const struct store_name *name, cJSON *status);
// Only that version of it.
void request_delete(struct manager *m, const char *pod, const struct object *obj);
// Labels of a Node; patch is taken.
void request_label(struct manager *m, const char *node, cJSON *patch);
// Asks whether the object is there; pod_looked() gets the answer.
void request_look(struct manager *m, const char *pod, enum kind kind, const char *name);
bool request_is_pending(const struct manager *m, enum kind kind, const char *name); // a create
void requests_retry(struct manager *m); // those whose outcome nobody knows
void requests_forget(struct manager *m); // their ends find no manager

// ── Blocked addresses ──────────────────────────────────────────────────────────────────────────
// The address stays marked as used until the IPInstance of that name, which exists, is gone again.
void blocked_add(struct manager *m, const char *namespace, const char *name,
	const struct request_address *address);
// An IPInstance in force has the address: it is released when that goes.
void blocked_forget(struct manager *m, const char *subnet, const struct in6_addr *ip);
void blocked_check(struct manager *m); // gives back those whose object is gone
void blocked_clear(struct manager *m);

// ── IPInstances ────────────────────────────────────────────────────────────────────────────────
struct pod_owner {
	const char *api_version, *kind, *name, *uid; // borrowed from the pod
	bool stateful; // one of the kinds that keep their addresses
	bool vm; // a KubeVirt VirtualMachine, whose pods' names change
};
struct pod_owner pod_owner_of(const struct manager *m, const struct pod *pod);
// The object for an address that pod got. both: it is to have another one of the other family.
// NULL: no memory.
cJSON *ipinstance_make(const struct pod *pod, const struct pod_owner *owner, const char *network,
	const struct ipam_address *a, const uint8_t mac[6], bool both);
// Binds a reserved IPInstance to a pod (again), or takes it from it, keeping it for its next life.
void ipinstance_bind(cJSON *obj, const struct pod *pod, const struct pod_owner *owner);
void ipinstance_reserve(cJSON *obj, bool keep_pod);
// A copy of the object in the cache, without or with a finalizer of ours. NULL if absent.
cJSON *object_copy(
	const struct manager *m, enum kind kind, const char *namespace, const char *name);
void object_set_finalizer(cJSON *obj, const char *finalizer, bool present);
bool object_has_finalizer(const struct object *obj, const char *finalizer);

// ── Virtual machines ───────────────────────────────────────────────────────────────────────────
enum vm_answer {
	VM_NONE, // the pod is no virtual machine's
	VM_ASKING, // the pod is reconciled when the answer is there
	VM_OWNED,
};
// Whose virtual machine the pod runs, if it runs one. ret_owner and ret_gone (it is deleted, or being
// deleted) are set for VM_OWNED only; texts are borrowed from s.
enum vm_answer vm_owner(struct manager *m, struct pod_state *s, const struct pod *pod,
	struct pod_owner *ret_owner, bool *ret_gone);
void vm_state_free(struct vm_state *vm); // NULL is fine

// ── Statuses ───────────────────────────────────────────────────────────────────────────────────
// Has statuses written after a while; one write for all that happens until then.
void status_schedule(struct manager *m);
void status_write_all(struct manager *m);
void node_labels_write(struct manager *m);
// Writes again what was removed while in use, and deletes it when it is not used any more.
void kept_tend(struct manager *m);
bool object_is_kept(const struct object *obj);
// Whether a Network takes pods of that node (a Node, or the NodeInfo that stands for it).
bool network_has_node(const struct manager *m, const struct network *n, const struct object *node);

// A copy of the status that the object has in the cache; {} if it has none.
cJSON *status_copy(const struct manager *m, const struct store_name *name);

// ── Reports: events and metrics ────────────────────────────────────────────────────────────────
void report_event(struct manager *m, const struct object *about, bool warning, const char *reason,
	const char *format, ...) __attribute__((format(printf, 5, 6)));
struct report *report_new(struct metrics *metrics);
void report_usage(struct manager *m); // of all Networks and Subnets
void report_gone(struct manager *m, const struct object *obj);
void report_allocation(struct manager *m, bool stateful, bool ok, uint64_t ms);
void report_failure(struct manager *m, const char *verb, enum kind kind);
void report_refused(struct manager *m, enum kind kind);
// An object that is not in force.
void report_bad(struct manager *m, enum kind kind, const char *namespace, const char *name,
	const char *message);
void report_sweep(struct manager *m, size_t n_leaked, size_t n_doubled);
void report_swept(struct manager *m);

// ── The sweeper ────────────────────────────────────────────────────────────────────────────────
void sweep_run(struct manager *m);
void sweep_free(struct sweep *s); // NULL is fine
