// A reflector's list, told as it comes, item by item; at its end what was not in it is gone. It is asked for
// page by page, or whole and from the server's cache: for a hundred thousand objects that is twice as fast,
// but a server that is short of time may not manage it.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/store/kube.h"
#include "ctrl/store/kube_managed_fields.h"

#define NO_LIST "the API server's answer to a list is none"

const char *kube_list_meta(const cJSON *list, const char *name)
{
	const cJSON *meta = cJSON_GetObjectItemCaseSensitive(list, "metadata");
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, name));

	return text != NULL && text[0] != '\0' ? text : NULL;
}

static bool tell_gone(void *arg, const char *namespace, const char *name)
{
	struct kube_reflector *r = arg;
	cJSON *obj = cJSON_CreateObject();

	(void)cJSON_AddStringToObject(obj, "apiVersion", kind_api_version(r->kind));
	(void)cJSON_AddStringToObject(obj, "kind", kind_name(r->kind));
	cJSON *meta = cJSON_AddObjectToObject(obj, "metadata");
	(void)cJSON_AddStringToObject(meta, "name", name);
	if (namespace[0] != '\0')
		(void)cJSON_AddStringToObject(meta, "namespace", namespace);
	bool more = kube_reflector_tell(r, STORE_DELETED, obj, NULL);
	cJSON_Delete(obj);
	return more;
}

const char *kube_list_error(int err)
{
	return err == -EPROTO     ? NO_LIST
	       : err == -EMSGSIZE ? "the API server's list has an object without end"
				  : strerror(-err);
}

void kube_list_complete(struct kube_reflector *r)
{
	free(r->more);
	r->more = NULL;
	r->n_stuck = 0;
	r->n_lists++;
	r->last_news = uv_now(r->store->loop);
	r->gone = r->whole = false;
	kube_backoff_reset(&r->backoff);
	kube_known_sweep(&r->known, tell_gone, r);
	if (r->store->closing)
		return;
	bool first = !r->synced;
	r->synced = true;
	if (first && !kube_reflector_tell(r, STORE_SYNCED, NULL, NULL))
		return;
	kube_reflector_go(r, PHASE_WATCH);
	if (first && r->kind == KIND_NODEINFO)
		kube_parts_nodes_known(r->store);
}

bool kube_list_item(void *reflector, char *text, size_t len)
{
	struct kube_reflector *r = reflector;

	kube_blank_managed_fields(text, len);
	cJSON *obj = cJSON_ParseWithLength(text, len);
	bool more = kube_reflector_put(r, obj);
	cJSON_Delete(obj);
	return more;
}

static void on_data(void *arg, char *data, size_t len)
{
	struct kube_reflector *r = arg;
	int ret = kube_items_feed(&r->items, data, len, kube_list_item, r);

	if (ret == 0 || r->store->closing)
		return;
	kube_cancel(r->transfer);
	r->transfer = NULL;
	kube_items_reset(&r->items);
	kube_reflector_failed(r, 0, kube_list_error(ret));
}

// The answer has come to its end.
static void take_rest(struct kube_reflector *r, const cJSON *list)
{
	const char *version = kube_list_meta(list, "resourceVersion");
	const char *more = kube_list_meta(list, "continue");

	if (version == NULL || strlen(version) >= sizeof(r->version)) {
		kube_reflector_failed(r, 0, NO_LIST);
		return;
	}
	kube_reflector_well(r);
	(void)snprintf(r->version, sizeof(r->version), "%s", version);
	if (more == NULL) {
		kube_list_complete(r);
		return;
	}
	free(r->more);
	r->more = strdup(more);
	if (r->more == NULL)
		kube_reflector_failed(r, -ENOMEM, "out of memory");
	else
		kube_reflector_go(r, PHASE_LIST);
}

static void on_whole(struct kube_reflector *r)
{
	cJSON *list;
	int ret = kube_items_end(&r->items, &list);

	kube_items_reset(&r->items);
	if (ret < 0) {
		kube_reflector_failed(r, 0, NO_LIST);
		return;
	}
	take_rest(r, list);
	cJSON_Delete(list);
}

static void restart(struct kube_reflector *r)
{
	free(r->more);
	r->more = NULL;
}

static void on_ended(void *arg, int status, cJSON *, const char *message)
{
	struct kube_reflector *r = arg;
	char text[MODEL_ERROR_MAX];

	r->transfer = NULL;
	if (status == 200) {
		on_whole(r);
		return;
	}
	kube_items_reset(&r->items);
	if (status == 410) {
		// The rest of the list is not there any more: from the beginning, but not in a hurry.
		kube_reflector_relist(r);
	} else if (status == 404) {
		restart(r);
		(void)snprintf(text, sizeof(text),
			"the API server does not know %s of %s: is the CRD installed?",
			kind_plural(r->kind), kind_api_version(r->kind));
		kube_reflector_failed(r, status, text);
	} else {
		// One that cannot make the whole list in time, or breaks off, is asked for pages.
		if (status == -ETIMEDOUT || status == -ECONNRESET || status == 504)
			r->whole = false;
		// A good status other than 200 comes without a message.
		kube_reflector_failed(r, status, message != NULL ? message : NO_LIST);
	}
}

static int list_path(const struct kube_reflector *r, char path[KUBE_PATH_MAX])
{
	char limit[16];
	int ret = kube_reflector_path(r, path);

	(void)snprintf(limit, sizeof(limit), "%u", KUBE_PAGE);
	if (ret == 0)
		ret = r->whole ? kube_path_query(path, "resourceVersion", "0")
			       : kube_path_query(path, "limit", limit);
	if (ret == 0 && r->more != NULL)
		ret = kube_path_query(path, "continue", r->more);
	return ret;
}

void kube_list(struct kube_reflector *r)
{
	char path[KUBE_PATH_MAX];
	const struct kube_call call = {
		.method = "GET",
		.path = path,
		.stall_s = r->whole ? KUBE_SLOW_LIST_S : 0,
		.data = on_data,
		.answered = on_ended,
		.arg = r,
	};

	if (kube_parts_wanted(r) && kube_parts_list(r))
		return;
	int ret = list_path(r, path);
	if (r->more == NULL)
		kube_known_begin(&r->known);
	if (ret == 0) {
		r->transfer = kube_start(r->store->client, &call);
		ret = r->transfer != NULL ? 0 : -ENOMEM;
	}
	if (ret < 0) {
		restart(r);
		kube_reflector_failed(r, -ENOMEM, strerror(-ret));
	}
}
