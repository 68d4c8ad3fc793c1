// The cache from the inside: cache.c takes the store's events and tells subscribers, cache_item.c keeps
// the items, cache_admit.c judges, cache_look.c shows them.
#pragma once

#include "ctrl/store/cache.h"
#include "ctrl/store/table.h"

#define CACHE_MESSAGE_MAX (ADMISSION_MESSAGE_MAX + MODEL_ERROR_MAX)

#define CACHE_KEY_MAX (NAME_MAX_LEN + 64 + 1)

// What few objects of a large cluster have: those that are kept whole, and those with a trouble.
struct cache_rest {
	// As text, a fifth of the memory of a tree: few are ever asked for theirs.
	char *json; // owned; that of the version in force; NULL: kept lean
	char *next; // owned; that of the version that waits; NULL: kept lean
	char *wrong; // owned; why next cannot be decoded
	char *wrong_version; // owned; the resourceVersion of one that cannot be decoded
	char *reported; // owned; what subscribers were told last
	cJSON *tree; // json parsed, if somebody asked in this turn; in a grave
	uint64_t tree_turn;
};

// An object of the store: what is in force of it, and what waits to be. There may be a hundred thousand:
// small.
struct cache_item {
	struct object *obj; // owned; in force, NULL if no version ever was good
	struct object *next; // owned; the store's version if it is not in force: waiting or bad
	struct cache_rest *rest; // owned; NULL: nothing of it
	uint32_t index; // in its kind's list, if in force
	uint8_t kind;
	bool removed; // the store has it no more, its users keep it in force
	char key[]; // "namespace/name" or "name"
};

struct cache_list { // objects in force, in no order
	const struct object **obj;
	size_t n, max;
};

struct cache {
	struct store *store;
	struct cache_subscriber *subscribers; // in order; the callers'
	cache_is_lean *is_lean; // NULL: none
	void *is_lean_arg;
	struct table items[KIND_COUNT]; // owned, by key
	struct cache_item **order[KIND_COUNT]; // owned; items in key order; NULL: not made yet
	struct cache_list list[KIND_COUNT];
	struct table by_ip; // the IPInstances in force
	// The items with a version that waits, once all is synced: few. Before that they are all the items.
	struct table waiting[KIND_COUNT];
	bool kind_synced[KIND_COUNT];
	bool synced;
	size_t n_unsettled[KIND_COUNT]; // items with a version that waits
	size_t n_removed;
	// What was replaced or deleted, until the next event: somebody up the stack may be looking.
	struct grave *graves;
	uint64_t turn; // events so far
};

// ── cache_item.c ───────────────────────────────────────────────────────────────────────────────
// Takes obj and json (either may be NULL) until the next event.
void cache_bury(struct cache *c, struct object *obj, cJSON *json);
void cache_empty_graves(struct cache *c);
struct cache_item *cache_item_find(const struct cache *c, enum kind kind, const char *key);
struct cache_item *cache_item_get(struct cache *c, enum kind kind, const char *key); // or a new one
void cache_item_free(struct cache *c, struct cache_item *item); // one that is not in force
void cache_items_free(struct cache *c, enum kind kind); // all, at the cache's end
// Whether a version of it waits.
bool cache_item_waits(const struct cache_item *item);
// From here on those that wait are found without a look at the others. -ENOMEM: some are not.
int cache_items_sort_out(struct cache *c, enum kind kind);
// Where those that wait are; not all that are there do.
const struct table *cache_items_waiting(const struct cache *c, enum kind kind);
struct cache_rest *cache_item_rest(
	struct cache_item *item); // that it may have; NULL without memory
void cache_item_trim(struct cache_item *item); // gives back a rest of nothing
// Takes a version that waits; what waited before is forgotten. -ENOMEM: none waits.
int cache_item_put(struct cache *c, struct cache_item *item, const cJSON *json);
void cache_item_forget(struct cache *c, struct cache_item *item); // the version that waits
void cache_item_set_removed(struct cache *c, struct cache_item *item, bool removed);
// The version that waits comes into force in place of what was, which is returned, in its grave. -ENOMEM.
int cache_item_enforce(struct cache *c, struct cache_item *item, const struct object **ret_old);
void cache_item_withdraw(struct cache *c, struct cache_item *item); // takes it out of force
const struct cache_item *cache_item_at(const struct cache *c, const struct in6_addr *ip);
// The items of a kind in key order; NULL without memory or if there are none.
struct cache_item **cache_items_sorted(struct cache *c, enum kind kind);

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

// ── cache_admit.c ──────────────────────────────────────────────────────────────────────────────
// 0; -EINVAL, -ENOMEM with a message.
int cache_decode(const cJSON *json, struct object **ret_obj, char message[CACHE_MESSAGE_MAX]);
// Whether the version that waits may come into force. message says why not.
enum verdict cache_judge(
	const struct cache *c, const struct cache_item *item, char message[CACHE_MESSAGE_MAX]);
// Whether something in force needs item; message then says what.
bool cache_in_use(
	const struct cache *c, const struct cache_item *item, char message[CACHE_MESSAGE_MAX]);
