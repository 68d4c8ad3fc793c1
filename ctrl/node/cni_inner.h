// The CNI server from the inside: slots, operations and their steps.
//
// A slot is a container id and interface: the port it has, if any, and the operations that want
// it, the first of which is under way. Each operation is a chain of steps; a step that blocks runs
// in the thread pool on data that the loop leaves alone meanwhile.
#pragma once

#include <uthash.h>

#include "ctrl/model/ipinstance.h"
#include "ctrl/model/pod.h"
#include "ctrl/node/attachment.h"
#include "ctrl/node/bindings.h"
#include "ctrl/node/cni.h"
#include "ctrl/node/cni_request.h"
#include "ctrl/store/kube_backoff.h"

// Marks Pod objects that an ADD made: whose they are.
#define ANNOTATION_CONTAINER "strata.networking.alibaba.com/container-id"

struct op {
	struct cni *cni;
	struct slot *slot;
	struct conn *conn; // NULL: nobody waits for an answer
	struct cni_request request; // owned
	uint64_t began; // uv_hrtime
	struct add *add; // owned; of an ADD under way
	void (*done)(void *arg); // for an operation of our own (GC), instead of an answer
	void *done_arg;
	struct op *prev, *next;
};

struct slot {
	char key[ATTACHMENT_KEY_MAX];
	struct attachment a; // of the port, or of the one that the operation under way makes
	bool attached; // the ADD succeeded, or an earlier process's did
	bool on_disk; // there is an attachment file
	bool made; // there is a link, or a vhost-user directory
	bool status_due; // the store does not know yet who has the addresses
	struct status_job *status_job; // that tells it, if one is under way; cni's
	struct port *dev; // open and not published; owned
	uint16_t port; // its number once published, else VPORT_NONE
	struct op *ops; // owned; the first is under way
	UT_hash_handle hh;
};

struct cni {
	struct cni_conf conf;
	struct cache_subscriber subscriber;
	struct slot *slots; // owned
	struct bindings *bindings; // owned
	struct add *waiting; // ADDs that wait for an object; not owned
	uv_timer_t timer; // their deadlines
	struct status_job *status_jobs; // owned
	struct take_back *take_backs; // owned
	uv_timer_t status_timer; // until statuses are tried again
	struct kube_backoff status_backoff;
	bool serving; // the ports of before are back
	bool stopping;
};

// What to do about objects that are not read yet.
const char *unread_remedy(const struct cni *cni);

// ── Slots and operations (cni.c) ───────────────────────────────────────────────────────────────
// Ends the slot's operation under way with an answer (taken), or an error; begins the next one.
void op_reply(struct op *op, cJSON *answer);
void op_fail(struct op *op, const struct cni_failure *f);
struct slot *slot_get(struct cni *cni, const char *container_id, const char *ifname);
struct slot *slot_find(const struct cni *cni, const char *key);
void slot_forget(struct cni *cni, struct slot *s); // if it holds nothing
// Queues a DEL of our own.
int op_delete(struct cni *cni, struct slot *s, void (*done)(void *arg), void *arg);

// Runs f in the thread pool, then done in the loop.
int pool_run(uv_loop_t *loop, void (*f)(void *arg), void (*done)(void *arg), void *arg);

// ── ADD (add.c, add_family.c, add_pod.c, add_kube.c, add_wait.c, add_port.c) ─────────────────────
enum add_wait {
	WAIT_NOTHING,
	WAIT_POD, // for a change of the Pod object
	WAIT_ADDRESS, // for its IPInstances
};

// The parts of an ADD's time, in their order. All but the wait are the daemon's own.
enum add_lap {
	LAP_WAIT, // until the addresses are known
	LAP_CHECK, // of an underlay pod's gateway and of duplicates
	LAP_QUEUE, // for a thread of the pool
	LAP_LINK, // veth and everything in the pod's namespace, or the vhost-user directory
	LAP_DEVICE, // the driver: AF_XDP socket and program, or the vhost-user port
	LAP_FILE, // what a restart needs
	LAP_PUBLISH, // into the switch's tables
	LAP_COUNT
};

struct add {
	struct op *op;
	uint64_t lap_began; // uv_hrtime
	uint64_t lap[LAP_COUNT]; // ns
	enum add_wait wait;
	uint64_t deadline; // uv_now
	bool failing; // undoes what it did
	bool cancelled; // by a DEL, or at the end of the process
	bool moot; // nobody need hear that it failed: the pod, or the daemon, is going
	bool pod_created; // by this ADD
	bool pod_replaced; // a stale one was deleted
	size_t n_expected, n_found; // addresses
	bool held_before; // this node was the last that held the addresses
	struct cni_failure failure; // why it fails, while it undoes what it did
	int err; // of the steps in the thread pool
	const char *step; // the last of them
	bool made, saved; // by them
	char why[ATTACHMENT_WHY_MAX];
	struct add *prev, *next; // cni->waiting
};

void add_begin(struct op *op);
// Ends a part of the ADD, and begins the next. Whoever works on the ADD at that moment.
void add_lap(struct add *add, enum add_lap lap);
// A DEL wants the slot: ends the ADD as soon as its step is over.
void add_cancel(struct add *add);
// Undoes all steps and answers with add->failure.
void add_fail(struct add *add);
// Whether the ADD was cancelled; if so it is failing now.
bool add_ended(struct add *add);
void add_wait_for(struct add *add, enum add_wait what);
void add_stop_waiting(struct add *add);
// The Pod object, whichever way its store has it.
void add_object(struct add *add);
// Steps, in order: the Pod object; its addresses; what they must be like; the port.
void add_pod(struct add *add); // dir store: makes it if there is none
void add_kube(struct add *add); // kube store: waits for it
void add_address(struct add *add);
void add_checks(struct add *add);
void add_port(struct add *add);
// How many addresses the pod is to have. False with f if that cannot be said.
bool add_family(
	const struct cni_conf *conf, const struct pod *pod, size_t *ret_n, struct cni_failure *f);
// The cache's events, to those that wait.
void add_pod_event(struct cni *cni, const struct object *pod);
void add_address_event(struct cni *cni, const struct ipinstance *i);

// ── What is told to the cluster (tell.c, take_back.c) ──────────────────────────────────────────
// Writes the status of the slot's IPInstances, again and again until the store has taken it. Nobody
// waits for that: it tells people where the address is, and the next ADD who held it last.
void status_write(struct cni *cni, struct slot *s);
// Whether the store has another one of an attached slot (after a restart).
bool status_is_due(const struct cni *cni, const struct slot *s);
// An Event on the slot's Pod: why its port is not up, or that it is again.
void tell_pod(const struct cni *cni, const struct slot *s, bool warning, const char *reason,
	const char *message);
// The same for an ADD that is refused. s: its slot, NULL if it got none.
void tell_refused_add(const struct cni *cni, const struct slot *s, const struct cni_request *r,
	const struct cni_failure *f);
// A condition on the IPInstances that an ADD had found when it failed.
void tell_conditions(struct cni *cni, const struct slot *s, const struct cni_failure *f);
void status_jobs_free(struct cni *cni);
// The port of a slot is gone, and with it the sandbox that its IPInstances' statuses name: takes that
// name back, unless another sandbox's is there by now. Also after a status_write that is still under way.
void slot_take_back(struct cni *cni, struct slot *s);
// take_back.c: the same of an attachment, at once.
void status_take_back(struct cni *cni, const struct attachment *a);
void take_backs_free(struct cni *cni);

// ── Ports (cni_port.c, release.c) ─────────────────────────────────────────────────────────────
// Makes the link or the vhost-user directory. Blocks. a->host_mac is set.
int port_make(const struct config *c, struct attachment *a, int *ret_ifindex,
	char why[ATTACHMENT_WHY_MAX]);
// Removes what port_make made. Blocks.
int port_unmake(const struct config *c, const struct attachment *a, char why[ATTACHMENT_WHY_MAX]);
// Opens the driver: s->dev. Blocks.
int port_open(struct cni *cni, struct slot *s, int ifindex, char why[ATTACHMENT_WHY_MAX]);
// Publishes s->dev: s->port.
int port_publish(struct cni *cni, struct slot *s);
void fib_pod_of(const struct attachment *a, struct fib_pod *ret_pod);
void link_pod_of(const struct attachment *a, struct link_pod *ret_link);
// runDir/vhost-user/<host_ifname>/sock; -ENAMETOOLONG
int vhost_socket_path(const struct config *c, struct attachment *a);

// Withdraws and closes the port, removes link and files, deletes the Pod object if delete_pod; then
// done(arg) with all of the slot's flags clear.
void slot_release(
	struct cni *cni, struct slot *s, bool delete_pod, void (*done)(void *arg), void *arg);
void del_begin(struct op *op);

// ── The rest (cni_check.c, restore.c, cni_result.c) ────────────────────────────────────────────
void check_begin(struct op *op);
void cni_gc(struct cni *cni, struct conn *conn, const struct cni_request *r);
void cni_status(struct cni *cni, struct conn *conn);
// Whether the address is bound to the attachment's pod on this node.
bool attachment_bound(const struct cni *cni, const struct attachment *a);
// Ports that waited for their IPInstance to return.
void restore_address_event(struct cni *cni, const struct ipinstance *i);
cJSON *cni_result(const struct attachment *a);
