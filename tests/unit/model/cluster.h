// A cluster of objects for tests: what exists, and what admission answers to more.
#pragma once

#include "ctrl/model/admission.h"
#include "tests/unit/model/object.h"

#define CLUSTER_MAX 8 // objects of a kind

struct cluster { // zeroed: empty
	struct object *obj[KIND_COUNT][CLUSTER_MAX]; // owned
	size_t n[KIND_COUNT];
	char message[ADMISSION_MESSAGE_MAX]; // of the last answer
};

void cluster_add(
	struct cluster *c, const char *kind, const char *name, const char *spec, const char *more);
void cluster_fini(struct cluster *c);
struct admission_view cluster_view(const struct cluster *c);

// What admission says: "" when the operation is allowed. For update and delete of an object that
// cluster_add has put there.
const char *create_answer(struct cluster *c, const char *kind, const char *name, const char *spec);
const char *update_answer(struct cluster *c, const char *kind, const char *name, const char *spec);
const char *delete_answer(struct cluster *c, const char *kind, const char *name);
