// A cluster that reviews are judged in: objects as an API server would list them, and AdmissionReviews
// about more.
#pragma once

#include "ctrl/manager/judge.h"

#define WORLD_PATHS_MAX 16

struct world {
	cJSON *objects; // owned; of all kinds
	struct judge_conf conf;
	const char *user, *extra; // userInfo; extra: JSON, NULL for none
	char paths[WORLD_PATHS_MAX][FACTS_PATH_MAX]; // what the last review asked for
	size_t n_paths;
	char message[ADMISSION_MESSAGE_MAX]; // of the last answer; "" if allowed
	int code; // of a refusal
	cJSON *patch; // owned; the last answer's, decoded; NULL if it had none
	cJSON *ledger; // owned; the Lease, NULL for none
	uint64_t now_ms;
};

void world_init(struct world *w);
void world_fini(struct world *w);
// Adds an object. more: the members behind metadata.name, inside metadata; rest: those behind metadata.
void world_add(
	struct world *w, const char *kind, const char *name, const char *more, const char *rest);

// Has a review judged: the message, "" if it is allowed. object, old: whole objects, NULL for none.
const char *world_review(struct world *w, bool mutates, const char *operation, const char *plural,
	const char *subresource, const char *object, const char *old);
// The same for one of our cluster-scoped kinds, by the text of spec: the old one is the world's.
const char *world_create(struct world *w, const char *kind, const char *name, const char *spec);
const char *world_update(struct world *w, const char *kind, const char *name, const char *spec);
const char *world_delete(struct world *w, const char *kind, const char *name);
// A Pod "pod" in namespace "default", by members of metadata and of spec ("" for none).
const char *world_pod(struct world *w, bool mutates, const char *metadata, const char *spec);
// As world_create, noting what is admitted in the ledger; the object is not added.
const char *world_admit(struct world *w, const char *operation, const char *kind, const char *name,
	const char *spec);
