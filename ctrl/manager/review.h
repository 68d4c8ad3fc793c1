// AdmissionReview (admission.k8s.io/v1 and v1beta1, which are alike): the question of an API server
// and our answer. Pure; trusts nothing.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include "ctrl/model/admission.h"
#include "ctrl/model/object.h"

enum review_operation {
	REVIEW_CREATE,
	REVIEW_UPDATE,
	REVIEW_DELETE,
	REVIEW_OTHER, // CONNECT, or what is still to come
};
// As the API says it; "" for another one.
const char *review_operation_word(enum review_operation operation);

struct review {
	cJSON *json; // owned; what the texts below are borrowed from
	const char *api_version, *uid;
	enum review_operation operation;
	enum kind kind; // KIND_COUNT: none that we know
	const char *subresource; // "" for the object itself
	const char *namespace, *name; // "" where there is none (yet)
	bool dry_run;
	const char *user; // userInfo.username
	// What the token of a Pod's account says of it; NULL if it says nothing.
	const char *user_node, *user_pod;
	const cJSON *raw; // request.object; NULL: none
	// The objects, decoded; owned; NULL if there is none, or it is malformed.
	struct object *object, *old;
	char malformed[MODEL_ERROR_MAX]; // what is wrong with the new object; "" if nothing is
};

// 0; -EINVAL if the bytes are no AdmissionReview with a request (error says what is wrong), -ENOMEM.
int review_decode(
	const char *data, size_t len, struct review *ret_review, char error[MODEL_ERROR_MAX]);
void review_fini(struct review *r);
// The name of the object that is stored, or is to be. Borrowed.
const char *review_name(const struct review *r);

// What is answered. Status codes are HTTP's, as in meta/v1 Status.
struct review_answer {
	bool allowed;
	int code; // of a refusal: 403 by a rule, 400, 500, …
	char message[ADMISSION_MESSAGE_MAX];
	cJSON *patch; // owned; JSON patch (RFC 6902), NULL for none
};

// The AdmissionReview with the answer, as text: malloc'ed, NULL without memory.
char *review_encode(const struct review *r, const struct review_answer *a);

// Fills a refusal, and returns false.
bool review_refuse(struct review_answer *a, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
