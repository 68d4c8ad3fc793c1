// The cache: decoded objects of every kind by key, kept current from a store's watch. Several
// subscribers learn of changes: the node's state, the manager, the CLI's watches.
//
// An object that cannot be decoded, or that breaks a rule of admission (a file nobody checked),
// is not in the cache; it is reported to subscribers as bad, once per version, and the version
// before it stays in force.
#pragma once

#include "ctrl/model/admission.h"
#include "ctrl/model/object.h"
#include "ctrl/store/store.h"

struct cache;

enum cache_event {
	CACHE_PUT, // old is NULL for a new object
	CACHE_DELETED, // obj is the last version
	CACHE_SYNCED, // the kind's first list is complete (obj is NULL)
};

struct cache_subscriber {
	void (*event)(void *arg, enum kind kind, enum cache_event event, const struct object *obj,
		const struct object *old);
	// A bad object or file: key is "namespace/name" or the file; message names the trouble.
	void (*bad)(void *arg, enum kind kind, const char *key, const char *message); // may be NULL
	void *arg;
	struct cache_subscriber *next; // the cache's
};

struct cache *cache_new(struct store *store);
// Which kinds the store brings, as 1U << KIND_…; before cache_start. Without it: all.
void cache_set_kinds(struct cache *c, uint32_t kinds);
// Which objects are kept lean, before cache_start: without their JSON and all that object_shed() gives
// back. For IPInstances, of which there may be a hundred thousand. Without it: none.
typedef bool cache_is_lean(const struct object *obj, void *arg);
void cache_set_lean(struct cache *c, cache_is_lean *is_lean, void *arg);
void cache_free(struct cache *c);
// Subscribers are called in the order of subscription; before cache_start.
void cache_subscribe(struct cache *c, struct cache_subscriber *s);
void cache_unsubscribe(struct cache *c, struct cache_subscriber *s); // not from within an event
int cache_start(struct cache *c);
bool cache_synced(const struct cache *c);

// NULL if absent. Borrowed until the next event loop turn. namespace is NULL or "" for cluster-scoped kinds.
const struct object *cache_get(
	const struct cache *c, enum kind kind, const char *namespace, const char *name);
// The object's JSON as the store has it; of one that is kept lean, what is left of that. Borrowed until
// the store's next event.
const cJSON *cache_get_json(
	const struct cache *c, enum kind kind, const char *namespace, const char *name);
// The same of an object of the cache, to be deleted by the caller: for whoever would copy it, or asks
// for many. NULL without memory.
cJSON *cache_copy_json(const struct cache *c, const struct object *obj);
// The resourceVersion of what the store has, whether it is in force or not; NULL if it has nothing.
const char *cache_version(
	const struct cache *c, enum kind kind, const char *namespace, const char *name);
// How many objects of a kind the store has in a version that is not in force.
size_t cache_count_refused(const struct cache *c, enum kind kind);
// What the store has of a kind that is not in force, in no order, and why not ("" if nobody knows
// yet); f returns false to stop.
void cache_each_refused(const struct cache *c, enum kind kind,
	bool (*f)(const cJSON *json, const char *why, void *arg), void *arg);
// The version that is not in force, of an object by its key ("namespace/name"); NULL if there is none.
// To be deleted by the caller.
cJSON *cache_copy_refused(const struct cache *c, enum kind kind, const char *key);
// The IPInstance of the cache that has the address; NULL if none has. Borrowed as by cache_get.
const struct ipinstance *cache_ipinstance_at(const struct cache *c, const struct in6_addr *ip);
// How many objects of a kind are in the cache.
size_t cache_count(const struct cache *c, enum kind kind);
// All objects of a kind in key order; f returns false to stop.
void cache_each(const struct cache *c, enum kind kind,
	bool (*f)(const struct object *obj, void *arg), void *arg);
// Whether the store has an object of the cache no more: it was removed while in use.
bool cache_is_removed(
	const struct cache *c, enum kind kind, const char *namespace, const char *name);
// Whether an object of the cache needs this one: a Network its Subnets, a Subnet its IPInstances.
bool cache_is_used(const struct cache *c, enum kind kind, const char *namespace, const char *name);
// A view for admission over what is in the cache now; free with admission_view_free.
void cache_view(const struct cache *c, struct admission_view *ret_view);
void admission_view_free(struct admission_view *view);
