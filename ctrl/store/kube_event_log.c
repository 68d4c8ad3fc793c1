#include "ctrl/store/kube_event_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

// What is known under one id: of a message, of a reason with its different messages, or of an object
// with what it may still say.
struct entry {
	uint64_t id;
	int64_t first, last; // s
	uint32_t count;
	uint32_t tokens_s; // what has been saved up, in seconds of EVENT_REFILL_S each
	uint64_t similar[EVENT_SIMILAR_MAX]; // hashes of messages
	unsigned int n_similar;
	UT_hash_handle hh; // in the order of use
};

struct kube_event_log {
	struct entry *entries; // owned
};

static uint64_t mix(uint64_t h, const char *text) // FNV-1a, the end of the text included
{
	if (text == NULL)
		text = "";
	do
		h = (h ^ (unsigned char)*text) * 0x100000001b3;
	while (*text++ != '\0');
	return h;
}

static void entry_drop(struct kube_event_log *l, struct entry *e)
{
	HASH_DEL(l->entries, e);
	free(e);
}

static struct entry *entry_get(struct kube_event_log *l, uint64_t id, int64_t now)
{
	struct entry *e;

	HASH_FIND(hh, l->entries, &id, sizeof(id), e);
	if (e != NULL) {
		HASH_DEL(l->entries, e);
	} else {
		if (HASH_COUNT(l->entries) >= EVENT_LOG_MAX)
			entry_drop(l, l->entries);
		e = calloc(1, sizeof(*e));
		if (e == NULL)
			return NULL;
		e->id = id;
		e->first = e->last = now;
		e->tokens_s = EVENT_BURST * EVENT_REFILL_S;
	}
	HASH_ADD(hh, l->entries, id, sizeof(e->id), e);
	return e;
}

static bool take_token(struct entry *e, int64_t now)
{
	int64_t saved = e->tokens_s + (now > e->last ? now - e->last : 0);
	int64_t most = EVENT_BURST * EVENT_REFILL_S;

	e->last = now;
	e->tokens_s = (uint32_t)(saved < most ? saved : most);
	if (e->tokens_s < EVENT_REFILL_S)
		return false;
	e->tokens_s -= EVENT_REFILL_S;
	return true;
}

// Whether so many different messages of this reason came that they are one from here on.
static bool is_too_varied(struct entry *e, uint64_t message, int64_t now)
{
	if (now - e->last > EVENT_SIMILAR_S)
		e->n_similar = 0;
	e->last = now;
	for (unsigned int i = 0; i < e->n_similar; i++) {
		if (e->similar[i] == message)
			return false;
	}
	if (e->n_similar == EVENT_SIMILAR_MAX)
		return true;
	e->similar[e->n_similar++] = message;
	return false;
}

bool kube_event_admit(struct kube_event_log *l, const struct store_event_record *r, int64_t now,
	struct event_plan *ret_plan)
{
	uint64_t object = mix(0xcbf29ce484222325, kind_name(r->about.kind));

	object = mix(object, r->about.namespace);
	object = mix(object, r->about.name);
	object = mix(object, r->uid);
	uint64_t reason = mix(mix(object, r->warning ? "Warning" : "Normal"), r->reason);
	uint64_t id = mix(mix(reason, "message"), r->message);

	struct entry *e = entry_get(l, reason, now);
	if (e == NULL)
		return false;
	bool varied = is_too_varied(e, id, now);
	if (varied)
		id = mix(reason, "combined");
	e = entry_get(l, object, now);
	if (e == NULL || !take_token(e, now))
		return false;
	e = entry_get(l, id, now);
	if (e == NULL)
		return false;
	e->last = now;
	e->count++;
	ret_plan->id = id;
	ret_plan->count = e->count;
	ret_plan->first = e->first;
	ret_plan->last = now;
	(void)snprintf(ret_plan->message, sizeof(ret_plan->message), "%s%s",
		varied ? "(combined from similar events): " : "", r->message);
	return true;
}

void kube_event_counted(struct kube_event_log *l, uint64_t id, uint32_t count)
{
	struct entry *e;

	HASH_FIND(hh, l->entries, &id, sizeof(id), e);
	if (e != NULL)
		e->count = count;
}

struct kube_event_log *kube_event_log_new(void)
{
	return calloc(1, sizeof(struct kube_event_log));
}

void kube_event_log_free(struct kube_event_log *l)
{
	struct entry *e, *next;

	if (l == NULL)
		return;
	HASH_ITER (hh, l->entries, e, next)
		entry_drop(l, e);
	free(l);
}
