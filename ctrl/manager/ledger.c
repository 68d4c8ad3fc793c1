// An entry is {"at": ms, "operation": "CREATE", "kind": "Network", "name": "…", "object": {…}}, the
// object with those fields of its spec that rules about other objects look at.
#include "ctrl/manager/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/model/field.h"

static bool is_of(const cJSON *entry, enum review_operation operation)
{
	return strcmp(field_string(entry, "operation"), review_operation_word(operation)) == 0;
}

bool ledger_takes(const struct review *r)
{
	return (r->kind == KIND_NETWORK || r->kind == KIND_SUBNET) && r->subresource[0] == '\0' &&
	       r->operation != REVIEW_OTHER && !r->dry_run;
}

// The entries that still count; an owned array.
static cJSON *entries_of(const cJSON *lease, uint64_t now_ms)
{
	const cJSON *annotations = cJSON_GetObjectItemCaseSensitive(
		cJSON_GetObjectItemCaseSensitive(lease, "metadata"), "annotations");
	cJSON *entries = cJSON_Parse(field_string(annotations, LEDGER_ANNOTATION));
	cJSON *entry, *next;

	// Somebody wrote into it, or it is new.
	if (!cJSON_IsArray(entries)) {
		cJSON_Delete(entries);
		return cJSON_CreateArray();
	}
	for (entry = entries->child; entry != NULL; entry = next) {
		double at = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(entry, "at"));

		next = entry->next;
		// Also what is from the future: clocks of replicas differ, but not by so much.
		if (at + LEDGER_KEEP_MS > (double)now_ms && at < (double)now_ms + LEDGER_KEEP_MS)
			continue;
		cJSON_Delete(cJSON_DetachItemViaPointer(entries, entry));
	}
	return entries;
}

// ── What was admitted ──────────────────────────────────────────────────────────────────────────

static int apply(const cJSON *entry, const struct review *r, struct facts *f)
{
	const char *name = field_string(entry, "name");
	const cJSON *object = cJSON_GetObjectItemCaseSensitive(entry, "object");
	enum kind kind = strcmp(field_string(entry, "kind"), kind_name(KIND_NETWORK)) == 0
				 ? KIND_NETWORK
				 : KIND_SUBNET;

	if (is_of(entry, REVIEW_DELETE)) {
		if (kind == KIND_NETWORK && r->kind == KIND_SUBNET && r->operation == REVIEW_CREATE)
			facts_remove(f, kind, NULL, name);
		return 0;
	}
	if (!cJSON_IsObject(object))
		return 0;
	// What is listed may be the state before an update, or after it: both are minded.
	if (is_of(entry, REVIEW_CREATE) && facts_find(f, kind, NULL, name) != NULL)
		return 0;
	return facts_add(f, kind, object);
}

int ledger_apply(const cJSON *lease, const struct review *r, uint64_t now_ms, struct facts *f)
{
	cJSON *entries = entries_of(lease, now_ms), *entry;
	int ret = entries != NULL ? 0 : -ENOMEM;

	cJSON_ArrayForEach (entry, entries) {
		ret = apply(entry, r, f);
		if (ret < 0)
			break;
	}
	cJSON_Delete(entries);
	return ret;
}

// ── What is admitted ───────────────────────────────────────────────────────────────────────────

static void copy_member(const cJSON *from, cJSON *to, const char *name)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(from, name);

	if (value != NULL)
		(void)cJSON_AddItemToObject(to, name, cJSON_Duplicate(value, true));
}

// The object with what others are judged by. Without the excluded addresses, if they are many, a
// Subnet beside it may be refused for a while that could be admitted, never the reverse.
static cJSON *essence(const struct review *r)
{
	static const char *const network[] = {"nodeSelector", "type", "mode", "netID"};
	static const char *const range[] = {"version", "cidr", "start", "end", "gateway"};
	const cJSON *spec = cJSON_GetObjectItemCaseSensitive(r->raw, "spec");
	const cJSON *of = cJSON_GetObjectItemCaseSensitive(spec, "range");
	cJSON *obj = cJSON_CreateObject();

	(void)cJSON_AddStringToObject(obj, "apiVersion", API_VERSION);
	(void)cJSON_AddStringToObject(obj, "kind", kind_name(r->kind));
	(void)cJSON_AddStringToObject(
		cJSON_AddObjectToObject(obj, "metadata"), "name", review_name(r));
	cJSON *to = cJSON_AddObjectToObject(obj, "spec");
	if (r->kind == KIND_NETWORK) {
		for (size_t i = 0; i < sizeof(network) / sizeof(network[0]); i++)
			copy_member(spec, to, network[i]);
		return obj;
	}
	copy_member(spec, to, "network");
	to = cJSON_AddObjectToObject(to, "range");
	for (size_t i = 0; i < sizeof(range) / sizeof(range[0]); i++)
		copy_member(of, to, range[i]);
	char *excluded = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(of, "excludeIPs"));
	if (excluded != NULL && strlen(excluded) < LEDGER_ENTRY_MAX)
		copy_member(of, to, "excludeIPs");
	cJSON_free(excluded);
	return obj;
}

static cJSON *entry_of(const struct review *r, uint64_t now_ms)
{
	cJSON *entry = cJSON_CreateObject();

	if (cJSON_AddNumberToObject(entry, "at", (double)now_ms) == NULL ||
		cJSON_AddStringToObject(entry, "operation", review_operation_word(r->operation)) ==
			NULL ||
		cJSON_AddStringToObject(entry, "kind", kind_name(r->kind)) == NULL ||
		cJSON_AddStringToObject(entry, "name", review_name(r)) == NULL) {
		cJSON_Delete(entry);
		return NULL;
	}
	if (r->operation != REVIEW_DELETE)
		(void)cJSON_AddItemToObject(entry, "object", essence(r));
	return entry;
}

// An object's last change is the one that counts.
static void forget(cJSON *entries, const struct review *r)
{
	cJSON *entry, *next;

	for (entry = entries->child; entry != NULL; entry = next) {
		next = entry->next;
		if (strcmp(field_string(entry, "kind"), kind_name(r->kind)) == 0 &&
			strcmp(field_string(entry, "name"), review_name(r)) == 0)
			cJSON_Delete(cJSON_DetachItemViaPointer(entries, entry));
	}
}

static cJSON *lease_of(const cJSON *lease, const char *namespace, const char *entries)
{
	cJSON *obj = lease != NULL ? cJSON_Duplicate(lease, true) : cJSON_CreateObject();
	cJSON *meta = cJSON_GetObjectItemCaseSensitive(obj, "metadata");

	if (meta == NULL) {
		(void)cJSON_AddStringToObject(obj, "apiVersion", "coordination.k8s.io/v1");
		(void)cJSON_AddStringToObject(obj, "kind", "Lease");
		meta = cJSON_AddObjectToObject(obj, "metadata");
		(void)cJSON_AddStringToObject(meta, "name", LEDGER_NAME);
		(void)cJSON_AddStringToObject(meta, "namespace", namespace);
	}
	cJSON *annotations = cJSON_GetObjectItemCaseSensitive(meta, "annotations");
	if (!cJSON_IsObject(annotations)) {
		cJSON_DeleteItemFromObjectCaseSensitive(meta, "annotations");
		annotations = cJSON_AddObjectToObject(meta, "annotations");
	}
	cJSON_DeleteItemFromObjectCaseSensitive(annotations, LEDGER_ANNOTATION);
	if (cJSON_AddStringToObject(annotations, LEDGER_ANNOTATION, entries) == NULL) {
		cJSON_Delete(obj);
		return NULL;
	}
	return obj;
}

int ledger_note(const cJSON *lease, const char *namespace, const struct review *r, uint64_t now_ms,
	cJSON **ret_lease)
{
	cJSON *entries = entries_of(lease, now_ms), *entry = entry_of(r, now_ms);
	char *printed = NULL;
	cJSON *obj = NULL;
	int ret = -ENOMEM;

	if (entries != NULL && entry != NULL) {
		forget(entries, r);
		(void)cJSON_AddItemToArray(entries, entry);
		entry = NULL;
		printed = cJSON_PrintUnformatted(entries);
	}
	if (printed != NULL && (cJSON_GetArraySize(entries) > LEDGER_ENTRIES_MAX ||
				       strlen(printed) > LEDGER_TEXT_MAX))
		ret = -ENOSPC;
	else if (printed != NULL)
		obj = lease_of(lease, namespace, printed);
	if (obj != NULL) {
		*ret_lease = obj;
		ret = 0;
	}
	cJSON_free(printed);
	cJSON_Delete(entry);
	cJSON_Delete(entries);
	return ret;
}
