// AdmissionReviews in and out.
#include "ctrl/manager/review.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/base64.h"
#include "ctrl/model/field.h"

#define EXTRA_NODE_NAME "authentication.kubernetes.io/node-name"
#define EXTRA_POD_NAME "authentication.kubernetes.io/pod-name"
// Stands in for a name that the API server has not made yet (metadata.generateName).
#define UNNAMED "unnamed"

static const cJSON *member(const cJSON *obj, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(obj, name);
}

// ── In ─────────────────────────────────────────────────────────────────────────────────────────

const char *review_operation_word(enum review_operation operation)
{
	static const char *const words[] = {
		[REVIEW_CREATE] = "CREATE", [REVIEW_UPDATE] = "UPDATE", [REVIEW_DELETE] = "DELETE"};

	return operation < REVIEW_OTHER ? words[operation] : "";
}

static enum review_operation operation_of(const char *word)
{
	enum review_operation operation = REVIEW_CREATE;

	while (operation < REVIEW_OTHER && strcmp(review_operation_word(operation), word) != 0)
		operation++;
	return operation;
}

// By group, version and plural, as the rules of the configuration name it.
static enum kind kind_of(const cJSON *resource)
{
	char api_version[NAME_MAX_LEN];
	const char *group = field_string(resource, "group");

	(void)snprintf(api_version, sizeof(api_version), "%s%s%s", group,
		group[0] != '\0' ? "/" : "", field_string(resource, "version"));
	for (enum kind k = 0; k < KIND_COUNT; k++) {
		if (strcmp(kind_plural(k), field_string(resource, "resource")) == 0 &&
			strcmp(kind_api_version(k), api_version) == 0)
			return k;
	}
	return KIND_COUNT;
}

static const char *extra(const cJSON *user, const char *key)
{
	return cJSON_GetStringValue(cJSON_GetArrayItem(member(member(user, "extra"), key), 0));
}

static bool set_text(cJSON *obj, const char *name, const char *value)
{
	cJSON *item = cJSON_CreateString(value);

	if (item == NULL)
		return false;
	cJSON_DeleteItemFromObjectCaseSensitive(obj, name);
	return cJSON_AddItemToObject(obj, name, item) != 0;
}

// A new object may have neither name (generateName) nor namespace yet, which decoding wants.
static bool complete(const struct review *r, cJSON *obj)
{
	cJSON *meta = cJSON_GetObjectItemCaseSensitive(obj, "metadata");
	const char *name = r->name[0] != '\0' ? r->name : UNNAMED;

	if (!cJSON_IsObject(meta))
		return true;
	if (field_string(meta, "name")[0] == '\0' && !set_text(meta, "name", name))
		return false;
	return !kind_namespaced(r->kind) || field_string(meta, "namespace")[0] != '\0' ||
	       r->namespace[0] == '\0' || set_text(meta, "namespace", r->namespace);
}

// The request's member, decoded: only if it is of the kind that the request is about.
static int object_of(const struct review *r, const cJSON *request, const char *name,
	struct object **ret, char error[MODEL_ERROR_MAX])
{
	cJSON *obj = cJSON_GetObjectItemCaseSensitive(request, name);
	enum kind kind;

	if (!cJSON_IsObject(obj))
		return 0;
	if (!complete(r, obj))
		return -ENOMEM;
	int ret_kind = kind_of_object(obj, &kind);
	if (ret_kind < 0 || kind != r->kind) {
		(void)snprintf(error, MODEL_ERROR_MAX, "%s is not a %s", name, kind_name(r->kind));
		return -EINVAL;
	}
	return object_decode(obj, ret, error);
}

static int objects_decode(struct review *r, const cJSON *request)
{
	char ignored[MODEL_ERROR_MAX];

	r->raw = member(request, "object");
	if (!cJSON_IsObject(r->raw))
		r->raw = NULL;
	if (r->kind == KIND_COUNT)
		return 0;
	if (r->raw == NULL)
		(void)snprintf(r->malformed, sizeof(r->malformed), "there is no object");
	int ret = object_of(r, request, "object", &r->object, r->malformed);
	if (ret == -ENOMEM)
		return ret;
	if (r->object != NULL)
		r->malformed[0] = '\0';
	else if (r->malformed[0] == '\0')
		(void)snprintf(r->malformed, sizeof(r->malformed), "malformed object");
	// The old one is what is stored: it may be of a time when nobody looked.
	return object_of(r, request, "oldObject", &r->old, ignored) == -ENOMEM ? -ENOMEM : 0;
}

static int fail(char error[MODEL_ERROR_MAX], const char *what)
{
	(void)snprintf(error, MODEL_ERROR_MAX, "%s", what);
	return -EINVAL;
}

int review_decode(
	const char *data, size_t len, struct review *ret_review, char error[MODEL_ERROR_MAX])
{
	struct review r = {.kind = KIND_COUNT};

	r.json = cJSON_ParseWithLength(data, len);
	if (r.json == NULL)
		return fail(error, "the body is not JSON");

	const cJSON *request = member(r.json, "request");
	r.api_version = field_string(r.json, "apiVersion");
	r.uid = field_string(request, "uid");
	if (strcmp(field_string(r.json, "kind"), "AdmissionReview") != 0 ||
		(strcmp(r.api_version, "admission.k8s.io/v1") != 0 &&
			strcmp(r.api_version, "admission.k8s.io/v1beta1") != 0) ||
		!cJSON_IsObject(request) || r.uid[0] == '\0') {
		review_fini(&r);
		return fail(error, "the body is not an AdmissionReview with a request");
	}
	r.operation = operation_of(field_string(request, "operation"));
	r.kind = kind_of(member(request, "resource"));
	r.subresource = field_string(request, "subResource");
	r.namespace = field_string(request, "namespace");
	r.name = field_string(request, "name");
	r.dry_run = cJSON_IsTrue(member(request, "dryRun"));
	r.user = field_string(member(request, "userInfo"), "username");
	r.user_node = extra(member(request, "userInfo"), EXTRA_NODE_NAME);
	r.user_pod = extra(member(request, "userInfo"), EXTRA_POD_NAME);
	if (objects_decode(&r, request) < 0) {
		review_fini(&r);
		return -ENOMEM;
	}
	*ret_review = r;
	return 0;
}

void review_fini(struct review *r)
{
	object_free(r->object);
	object_free(r->old);
	cJSON_Delete(r->json);
	*r = (struct review){.kind = KIND_COUNT};
}

const char *review_name(const struct review *r)
{
	// Of a collection that is deleted, only the objects have names.
	return r->name[0] == '\0' && r->old != NULL ? r->old->meta.name : r->name;
}

// ── Out ────────────────────────────────────────────────────────────────────────────────────────

static bool add_patch(cJSON *response, const cJSON *patch)
{
	char *printed = cJSON_PrintUnformatted(patch);
	char *encoded = printed != NULL ? base64_encode(printed, strlen(printed)) : NULL;
	bool ok = encoded != NULL &&
		  cJSON_AddStringToObject(response, "patchType", "JSONPatch") != NULL &&
		  cJSON_AddStringToObject(response, "patch", encoded) != NULL;

	free(encoded);
	cJSON_free(printed);
	return ok;
}

static const char *reason_of(int code)
{
	switch (code) {
	case 400:
		return "BadRequest";
	case 403:
		return "Forbidden";
	case 503:
		return "ServiceUnavailable";
	default:
		return "InternalError";
	}
}

static bool add_status(cJSON *response, const struct review_answer *a)
{
	cJSON *status = cJSON_AddObjectToObject(response, "status");

	return status != NULL && cJSON_AddNumberToObject(status, "code", a->code) != NULL &&
	       cJSON_AddStringToObject(status, "reason", reason_of(a->code)) != NULL &&
	       cJSON_AddStringToObject(status, "message", a->message) != NULL;
}

char *review_encode(const struct review *r, const struct review_answer *a)
{
	cJSON *out = cJSON_CreateObject();
	char *printed = NULL;

	if (out == NULL)
		return NULL;
	cJSON *response = cJSON_AddObjectToObject(out, "response");
	if (response != NULL &&
		cJSON_AddStringToObject(out, "apiVersion", r->api_version) != NULL &&
		cJSON_AddStringToObject(out, "kind", "AdmissionReview") != NULL &&
		cJSON_AddStringToObject(response, "uid", r->uid) != NULL &&
		cJSON_AddBoolToObject(response, "allowed", a->allowed) != NULL &&
		(a->allowed || add_status(response, a)) &&
		(a->patch == NULL || !a->allowed || add_patch(response, a->patch)))
		printed = cJSON_PrintUnformatted(out);
	cJSON_Delete(out);
	return printed;
}

bool review_refuse(struct review_answer *a, int code, const char *format, ...)
{
	va_list ap;

	a->allowed = false;
	a->code = code;
	va_start(ap, format);
	(void)vsnprintf(a->message, sizeof(a->message), format, ap);
	va_end(ap);
	return false;
}
