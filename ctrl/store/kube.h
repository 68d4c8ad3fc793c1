// The kube back end from the inside. kube_watch.c follows each kind by list and watch, kube_ops.c
// carries out mutations, kube_event.c says Events; all by the client of kube_client.h.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "ctrl/store/kube_backoff.h"
#include "ctrl/store/kube_event_log.h"
#include "ctrl/store/kube_items.h"
#include "ctrl/store/kube_known.h"
#include "ctrl/store/kube_lines.h"
#include "ctrl/store/kube_path.h"
#include "ctrl/store/kube_transfer.h"
#include "ctrl/store/store.h"

#define KUBE_PAGE 500 // objects of a list's answer
#define KUBE_WATCH_MIN_S 300 // a watch is asked anew after a random time from this
#define KUBE_WATCH_MAX_S 600 // to this, so that servers share watches anew
#define KUBE_PULSE_MS 5000 // a watch is looked at so often
#define KUBE_LINE_S 20 // an object that has not arrived whole by then is given up with its watch
#define KUBE_STUCK_MAX 5 // tries of a watch that get nowhere before a list is made instead
#define KUBE_EVENTS_MAX 256 // Events that wait to be sent; more are lost

struct kube_store;

enum kube_phase {
	PHASE_LIST,
	PHASE_WATCH,
};

// Follows one kind.
struct kube_reflector {
	struct kube_store *store;
	enum kind kind;
	enum kube_phase phase; // under way, or next after the wait
	struct kube_transfer *transfer; // under way; NULL: the timer runs
	uv_timer_t timer; // the wait before the next try, or the pulse of a watch
	struct kube_backoff backoff; // of failures; a list or a live watch ends them
	struct kube_backoff
		relist; // of lists that a watch asked for; a watch that brings something does
	struct kube_known known;
	// List.
	char *more; // owned; the token of the page to ask for; NULL: the first
	bool whole; // no pages, but all that the server's cache has
	bool waits_for_nodes; // the first list, for those whose parts it is made of
	bool parted; // it was asked for in parts
	struct kube_parts *parts; // owned; under way
	struct kube_items items;
	bool synced; // the first list is complete
	uint64_t n_lists; // complete ones
	uint64_t last_news; // ms of the loop; a complete list, or a line of a watch; 0: none yet
	// Watch.
	char version[64]; // what was seen last
	struct kube_lines lines;
	uint64_t since, line_since; // ms of the loop; the watch, the line that is pending began
	bool progress; // the watch under way has brought something
	bool alive; // the watch under way has been well for a while
	bool gone; // the server has forgotten version
	unsigned int n_stuck;
	bool broken; // was reported, nothing good has come since
	// What the log knows.
	bool lost; // the server did not answer the last time
	char complaint[MODEL_ERROR_MAX]; // logged; "": all is well
	uint64_t complain_again; // ms of the loop; not before, if it is something else
};

struct kube_op; // kube_ops.c: a mutation under way
struct kube_event; // kube_event.c: an Event that waits

struct kube_store {
	struct store store;
	uv_loop_t *loop;
	struct kube_client *client;
	char *component, *node_name; // owned; node_name may be NULL
	uint32_t kinds; // to watch
	bool from_cache; // first lists
	struct store_watcher watcher;
	struct kube_reflector reflectors[KIND_COUNT];
	struct kube_op *ops; // owned
	uv_timer_t ops_timer; // for those that failed at once
	struct kube_event_log *event_log; // owned
	struct kube_event *events; // owned; the first is under way
	unsigned int n_events;
	unsigned int n_handles; // that are not closed yet
	bool closing;
	// What the log knows of the server.
	bool lost, untrusted; // it does not answer; because its certificate is not trusted, or so
	uint64_t complain_again; // ms of the loop
};

// kube.c. NULL for another back end.
const struct kube_store *kube_store_of(const struct store *s);

// ── kube_watch.c ───────────────────────────────────────────────────────────────────────────────
void kube_reflector_start(struct kube_reflector *r);
void kube_reflector_fini(struct kube_reflector *r); // after its handles are closed
// Tries the phase again after a wait, and says why once. status: as of kube_done, 0 for what is wrong with
// a good answer.
void kube_reflector_failed(struct kube_reflector *r, int status, const char *message);
void kube_reflector_go(struct kube_reflector *r, enum kube_phase phase); // now
void kube_reflector_wait(struct kube_reflector *r, enum kube_phase phase); // after a wait
void kube_reflector_relist(struct kube_reflector *r); // a list from its beginning, after a wait
// The collection's path with what both list and watch ask. -EMSGSIZE.
int kube_reflector_path(const struct kube_reflector *r, char path[KUBE_PATH_MAX]);
// Hands an object to the watcher unless that was told of it. obj is stripped. False: the store is
// closing.
bool kube_reflector_put(struct kube_reflector *r, cJSON *obj);
bool kube_reflector_tell(
	struct kube_reflector *r, enum store_event event, const cJSON *obj, const char *message);

// ── kube_complaint.c ───────────────────────────────────────────────────────────────────────────
bool kube_is_lost(int status); // whether that means that there is no server
void kube_reflector_lost(struct kube_reflector *r, int status, const char *message);
void kube_reflector_complain(struct kube_reflector *r, const char *message);
void kube_reflector_well(struct kube_reflector *r); // the server gives what it is asked for

// ── kube_list.c, kube_stream.c ─────────────────────────────────────────────────────────────────
void kube_list(struct kube_reflector *r);
void kube_stream(struct kube_reflector *r);
bool kube_list_item(void *reflector, char *text, size_t len); // of kube_items_feed()
void kube_list_complete(struct kube_reflector *r); // all was told
const char *kube_list_meta(const cJSON *list, const char *name); // NULL: it has none
const char *kube_list_error(int err); // of kube_items.h, for people

// ── kube_parts.c ───────────────────────────────────────────────────────────────────────────────
// Whether the reflector's list may come in parts, once the nodes are known.
bool kube_parts_wanted(const struct kube_reflector *r);
void kube_parts_nodes_known(struct kube_store *k); // the list that waits for them begins
bool kube_parts_list(struct kube_reflector *r); // false: the list is to be made as others are
void kube_parts_free(struct kube_parts *p); // accepts NULL

// ── kube_ops.c ─────────────────────────────────────────────────────────────────────────────────
void kube_create(struct store *s, const cJSON *obj, store_done *done, void *arg);
void kube_update(struct store *s, const cJSON *obj, store_done *done, void *arg);
void kube_update_status(struct store *s, const cJSON *obj, store_done *done, void *arg);
void kube_delete(struct store *s, enum kind kind, const char *namespace, const char *name,
	store_done *done, void *arg);
void kube_delete_version(struct store *s, const struct store_name *name, const char *uid,
	const char *resource_version, store_done *done, void *arg);
void kube_patch(struct store *s, const struct store_name *name, const cJSON *merge_patch,
	bool status, store_done *done, void *arg);
void kube_get(struct store *s, const struct store_name *name, store_done *done, void *arg);
void kube_ops_clear(struct kube_store *k);

// ── kube_event.c ───────────────────────────────────────────────────────────────────────────────
void kube_event(struct store *s, const struct store_event_record *r);
void kube_events_clear(struct kube_store *k);
