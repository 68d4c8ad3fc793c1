// The cache from the inside: cache.c keeps items and tells subscribers, cache_admit.c judges,
// cache_look.c shows them.
#pragma once

#include <uthash.h>

#include "ctrl/model/timestamp.h"
#include "ctrl/store/cache.h"

#define CACHE_MESSAGE_MAX (ADMISSION_MESSAGE_MAX + MODEL_ERROR_MAX)

#define CACHE_KEY_MAX (NAME_MAX_LEN + 64 + 1)

// An object of the store: what is in force of it, and what waits to be.
struct cache_item {
	enum kind kind;
	struct object *obj; // owned; in force, NULL if no version ever was good
	// As text, a fifth of the memory of a tree: few are ever asked for theirs.
	char *json; // owned; obj's JSON
	char *next; // owned; that of the store's version if it is not in force: waiting or bad
	cJSON *tree; // json parsed, if somebody asked in this turn; in a grave
	uint64_t tree_turn;
	char version[64]; // resourceVersion of what the store has
	char created[TIMESTAMP_MAX]; // and its creationTimestamp; "": none
	char *reported; // owned; what subscribers were told last
	bool removed; // the store has it no more, its users keep it in force
	size_t index; // in its kind's list, if in force
	UT_hash_handle hh; // by key
	UT_hash_handle hh_ip; // IPInstances in force, by address
	char key[]; // "namespace/name" or "name"
};

struct cache_list { // objects in force, in no order
	const struct object **obj;
	size_t n, max;
};

struct cache {
	struct store *store;
	struct cache_subscriber *subscribers; // in order; the callers'
	struct cache_item *items[KIND_COUNT]; // owned, by key
	bool sorted[KIND_COUNT];
	struct cache_list list[KIND_COUNT];
	struct cache_item *by_ip;
	bool kind_synced[KIND_COUNT];
	bool synced;
	size_t n_unsettled[KIND_COUNT]; // items with a next
	size_t n_removed;
	// What was replaced or deleted, until the next event: somebody up the stack may be looking.
	struct grave *graves;
	uint64_t turn; // events so far
};

// Takes obj and json (either may be NULL) until the next event.
void cache_bury(struct cache *c, struct object *obj, cJSON *json);
struct cache_item *cache_item_find(const struct cache *c, enum kind kind, const char *key);

// Whose labels the selectors of Networks are about: Nodes, or where there are none the NodeInfos.
static inline enum kind cache_node_kind(const struct cache *c)
{
	return c->list[KIND_NODE].n > 0 ? KIND_NODE : KIND_NODEINFO;
}

enum verdict {
	VERDICT_GOOD,
	VERDICT_BAD,
	VERDICT_WAIT, // for its parent
};

// Whether item's next, parsed, may come into force, decoded into *ret_obj if so. message says why
// not. next is changed and restored.
enum verdict cache_judge(const struct cache *c, const struct cache_item *item, cJSON *next,
	struct object **ret_obj, char message[CACHE_MESSAGE_MAX]);
// Whether something in force needs item; message then says what.
bool cache_in_use(
	const struct cache *c, const struct cache_item *item, char message[CACHE_MESSAGE_MAX]);
