#include "review_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "ctrl/base64.h"
#include "ctrl/manager/ledger.h"

#define TEXT_MAX 16384

void world_init(struct world *w)
{
	*w = (struct world){
		.objects = cJSON_CreateArray(),
		.conf = {.selection = {.network_type = "Underlay",
				 .ip_family = "IPv4",
				 .stateful_kinds = "StatefulSet",
				 .ip_retain = true},
			.namespace = "kube-system",
			.manager_account = "system:serviceaccount:kube-system:strata-manager",
			.node_account = "system:serviceaccount:kube-system:strata-node"},
		.user = "admin",
		.now_ms = 1700000000000,
	};
}

void world_fini(struct world *w)
{
	cJSON_Delete(w->objects);
	cJSON_Delete(w->patch);
	cJSON_Delete(w->ledger);
	memset(w, 0, sizeof(*w));
}

static enum kind kind_by_name(const char *kind)
{
	for (enum kind k = 0; k < KIND_COUNT; k++) {
		if (strcmp(kind_name(k), kind) == 0)
			return k;
	}
	fail_msg("no such kind: %s", kind);
	return KIND_COUNT;
}

static void object_text(
	char text[TEXT_MAX], const char *kind, const char *name, const char *more, const char *rest)
{
	(void)snprintf(text, TEXT_MAX,
		"{\"apiVersion\":\"%s\",\"kind\":\"%s\",\"metadata\":{\"name\":\"%s\"%s%s}%s%s}",
		kind_api_version(kind_by_name(kind)), kind, name, more[0] != '\0' ? "," : "", more,
		rest[0] != '\0' ? "," : "", rest);
}

void world_add(
	struct world *w, const char *kind, const char *name, const char *more, const char *rest)
{
	char text[TEXT_MAX];

	object_text(text, kind, name, more, rest);
	cJSON *json = cJSON_Parse(text);
	assert_non_null(json);
	(void)cJSON_AddItemToArray(w->objects, json);
}

// ── The API server's part ──────────────────────────────────────────────────────────────────────

static const char *text_at(const cJSON *obj, const char *a, const char *b)
{
	const char *value = cJSON_GetStringValue(
		cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(obj, a), b));

	return value != NULL ? value : "";
}

// Whether every pair of "a%3Db%2Cc%3Dd" is a label of obj. Slashes are escaped, other characters plain.
static bool is_selected(const cJSON *obj, const char *selector)
{
	const cJSON *labels = cJSON_GetObjectItemCaseSensitive(
		cJSON_GetObjectItemCaseSensitive(obj, "metadata"), "labels");
	char text[FACTS_PATH_MAX], *save = NULL;
	size_t n = 0;

	for (const char *c = selector; *c != '\0' && *c != '&'; c++) {
		unsigned int value = (unsigned char)*c;
		if (*c == '%' && sscanf(c + 1, "%2x", &value) == 1)
			c += 2;
		text[n++] = (char)value;
	}
	text[n] = '\0';
	for (char *pair = strtok_r(text, ",", &save); pair != NULL;
		pair = strtok_r(NULL, ",", &save)) {
		char *value = strchr(pair, '=');
		assert_non_null(value);
		*value++ = '\0';
		const char *has =
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(labels, pair));
		if (has == NULL || strcmp(has, value) != 0)
			return false;
	}
	return true;
}

static bool is_of_path(const cJSON *obj, enum kind kind, const char *path, bool single)
{
	char part[FACTS_PATH_MAX];
	const char *namespace = text_at(obj, "metadata", "namespace");
	const char *selector = strstr(path, "labelSelector=");

	if (strcmp(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(obj, "kind")),
		    kind_name(kind)) != 0)
		return false;
	if (strstr(path, "/namespaces/") != NULL && kind != KIND_NAMESPACE) {
		(void)snprintf(part, sizeof(part), "/namespaces/%s/", namespace);
		if (strstr(path, part) == NULL)
			return false;
	}
	if (single) {
		(void)snprintf(part, sizeof(part), "%s/%s", kind_plural(kind),
			text_at(obj, "metadata", "name"));
		const char *at = strstr(path, part);
		return at != NULL && (at[strlen(part)] == '\0' || at[strlen(part)] == '?');
	}
	return selector == NULL || is_selected(obj, selector + strlen("labelSelector="));
}

static void serve(struct world *w, const struct facts_request *request, struct facts *f)
{
	cJSON *answer = cJSON_CreateObject(), *items = cJSON_AddArrayToObject(answer, "items");
	const char *more;
	const cJSON *obj, *found = NULL;

	assert_true(w->n_paths < WORLD_PATHS_MAX);
	strcpy(w->paths[w->n_paths++], request->path);
	cJSON_ArrayForEach (obj, w->objects) {
		if (!is_of_path(obj, request->kind, request->path, request->single))
			continue;
		found = obj;
		(void)cJSON_AddItemToArray(items, cJSON_Duplicate(obj, true));
	}
	if (request->single)
		assert_int_equal(
			facts_take(f, request, found != NULL ? 200 : 404, found, &more), 0);
	else
		assert_int_equal(facts_take(f, request, 200, answer, &more), 0);
	assert_null(more);
	cJSON_Delete(answer);
}

// ── Reviews ────────────────────────────────────────────────────────────────────────────────────

static void read_answer(struct world *w, const char *text)
{
	cJSON *json = cJSON_Parse(text);
	const cJSON *response = cJSON_GetObjectItemCaseSensitive(json, "response");
	const cJSON *status = cJSON_GetObjectItemCaseSensitive(response, "status");
	const char *patch =
		cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(response, "patch"));
	size_t len;

	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "kind")),
		"AdmissionReview");
	assert_string_equal(text_at(json, "response", "uid"), "u-1");
	bool allowed = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(response, "allowed"));
	assert_true(allowed != (status != NULL));
	(void)snprintf(
		w->message, sizeof(w->message), "%s", text_at(response, "status", "message"));
	w->code = allowed ? 0
			  : (int)cJSON_GetNumberValue(
				    cJSON_GetObjectItemCaseSensitive(status, "code"));
	cJSON_Delete(w->patch);
	w->patch = NULL;
	if (patch != NULL) {
		assert_string_equal(text_at(json, "response", "patchType"), "JSONPatch");
		char *decoded = base64_decode(patch, &len);
		w->patch = cJSON_Parse(decoded);
		assert_non_null(w->patch);
		free(decoded);
	}
	cJSON_Delete(json);
}

static void judge(struct world *w, bool mutates, bool notes, const char *text)
{
	char error[MODEL_ERROR_MAX];
	struct facts_request request;
	struct review_answer a;
	struct facts f = {0};
	struct review r;

	if (review_decode(text, strlen(text), &r, error) < 0)
		fail_msg("%s: %s", error, text);
	w->n_paths = 0;
	while (facts_next(&w->conf, &r, &f, true, &request))
		serve(w, &request, &f);
	if (notes)
		assert_int_equal(ledger_apply(w->ledger, &r, w->now_ms, &f), 0);
	if (mutates)
		judge_mutate(&w->conf, &r, &f, &a);
	else
		judge_validate(&w->conf, &r, &f, &a);
	char *answer = review_encode(&r, &a);
	read_answer(w, answer);
	if (notes && a.allowed && ledger_takes(&r)) {
		cJSON *lease;
		assert_int_equal(ledger_note(w->ledger, "kube-system", &r, w->now_ms, &lease), 0);
		cJSON_Delete(w->ledger);
		w->ledger = lease;
	}
	cJSON_free(answer);
	cJSON_Delete(a.patch);
	facts_fini(&f);
	review_fini(&r);
}

// The name and namespace in the request are those of the objects, as the API server has it.
static void review_text(struct world *w, char *text, const char *operation, const char *plural,
	const char *subresource, const char *object, const char *old)
{
	cJSON *json = cJSON_Parse(object != NULL ? object : old);
	const char *group = "", *name = text_at(json, "metadata", "name");
	const char *namespace = text_at(json, "metadata", "namespace");

	assert_non_null(json);
	if (strcmp(plural, "pods") != 0 && strcmp(plural, "services") != 0)
		group = API_GROUP;
	(void)snprintf(text, 2 * TEXT_MAX,
		"{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"request\":{"
		"\"uid\":\"u-1\",\"operation\":\"%s\",\"resource\":{\"group\":\"%s\",\"version\":"
		"\"v1\","
		"\"resource\":\"%s\"},\"subResource\":\"%s\",\"name\":\"%s\",\"namespace\":\"%s\","
		"\"userInfo\":{\"username\":\"%s\",\"extra\":%s},\"object\":%s,\"oldObject\":%s}}",
		operation, group, plural, subresource, name, namespace, w->user,
		w->extra != NULL ? w->extra : "null", object != NULL ? object : "null",
		old != NULL ? old : "null");
	cJSON_Delete(json);
}

const char *world_review(struct world *w, bool mutates, const char *operation, const char *plural,
	const char *subresource, const char *object, const char *old)
{
	char text[2 * TEXT_MAX];

	review_text(w, text, operation, plural, subresource, object, old);
	judge(w, mutates, false, text);
	return w->message;
}

static char *stored(const struct world *w, const char *kind, const char *name)
{
	const cJSON *obj;

	cJSON_ArrayForEach (obj, w->objects) {
		if (strcmp(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(obj, "kind")),
			    kind) == 0 &&
			strcmp(text_at(obj, "metadata", "name"), name) == 0)
			return cJSON_PrintUnformatted(obj);
	}
	fail_msg("no %s %s", kind, name);
	return NULL;
}

static const char *change(struct world *w, bool notes, const char *operation, const char *kind,
	const char *name, const char *spec)
{
	char text[2 * TEXT_MAX], object[TEXT_MAX], rest[TEXT_MAX];
	char *old = strcmp(operation, "CREATE") != 0 ? stored(w, kind, name) : NULL;

	(void)snprintf(rest, sizeof(rest), "\"spec\":{%s}", spec);
	object_text(object, kind, name, "", rest);
	review_text(w, text, operation, kind_plural(kind_by_name(kind)), "",
		strcmp(operation, "DELETE") != 0 ? object : NULL, old);
	judge(w, false, notes, text);
	cJSON_free(old);
	return w->message;
}

const char *world_create(struct world *w, const char *kind, const char *name, const char *spec)
{
	return change(w, false, "CREATE", kind, name, spec);
}

const char *world_update(struct world *w, const char *kind, const char *name, const char *spec)
{
	return change(w, false, "UPDATE", kind, name, spec);
}

const char *world_delete(struct world *w, const char *kind, const char *name)
{
	return change(w, false, "DELETE", kind, name, "");
}

const char *world_admit(struct world *w, const char *operation, const char *kind, const char *name,
	const char *spec)
{
	return change(w, true, operation, kind, name, spec);
}

const char *world_pod(struct world *w, bool mutates, const char *metadata, const char *spec)
{
	char object[TEXT_MAX], rest[TEXT_MAX], more[TEXT_MAX];

	(void)snprintf(rest, sizeof(rest), "\"spec\":{%s}", spec);
	(void)snprintf(more, sizeof(more), "\"namespace\":\"default\"%s%s",
		metadata[0] != '\0' ? "," : "", metadata);
	object_text(object, "Pod", "pod", more, rest);
	return world_review(w, mutates, "CREATE", "pods", "", object, NULL);
}
