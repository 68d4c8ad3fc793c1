// A reflector's list: page by page, told as it comes; at its end what was not in it is gone.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/store/kube.h"
#include "ctrl/store/kube_page.h"

#define PAGE_MIN 10 // objects
#define NO_LIST "the API server's answer to a list is none"

static const char *list_meta(const cJSON *list, const char *name)
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

// The last page was told: the list is complete.
static void complete(struct kube_reflector *r)
{
	free(r->more);
	r->more = NULL;
	r->n_stuck = 0;
	r->n_lists++;
	r->last_news = uv_now(r->store->loop);
	r->gone = false;
	kube_backoff_reset(&r->backoff);
	kube_known_sweep(&r->known, tell_gone, r);
	if (r->store->closing)
		return;
	if (!r->synced) {
		r->synced = true;
		if (!kube_reflector_tell(r, STORE_SYNCED, NULL, NULL))
			return;
	}
	kube_reflector_go(r, PHASE_WATCH);
}

// Tells all objects of a page; false if the store is closing.
static bool take_items(struct kube_reflector *r, const struct kube_page *page)
{
	bool more = true;

	for (size_t i = 0; i < page->n && more; i++) {
		cJSON *obj = cJSON_ParseWithLength(page->item[i].text, page->item[i].len);

		more = kube_reflector_put(r, obj);
		cJSON_Delete(obj);
	}
	return more;
}

static void take_page(struct kube_reflector *r, const struct kube_page *page)
{
	const char *version = list_meta(page->list, "resourceVersion");
	const char *more = list_meta(page->list, "continue");

	if (version == NULL || strlen(version) >= sizeof(r->version)) {
		kube_reflector_failed(r, 0, NO_LIST);
		return;
	}
	kube_reflector_well(r);
	if (r->more == NULL)
		kube_known_begin(&r->known);
	if (!take_items(r, page))
		return;
	(void)snprintf(r->version, sizeof(r->version), "%s", version);
	if (more == NULL) {
		complete(r);
		return;
	}
	free(r->more);
	r->more = strdup(more);
	if (r->more == NULL)
		kube_reflector_failed(r, -ENOMEM, "out of memory");
	else
		kube_reflector_go(r, PHASE_LIST);
}

static void on_page(void *arg, char *text, size_t len)
{
	struct kube_reflector *r = arg;
	struct kube_page page;

	r->transfer = NULL;
	int ret = kube_page_split(text, len, &page);
	if (ret < 0) {
		kube_reflector_failed(r, 0, ret == -EPROTO ? NO_LIST : strerror(-ret));
		return;
	}
	take_page(r, &page);
	kube_page_fini(&page);
}

static void restart(struct kube_reflector *r)
{
	free(r->more);
	r->more = NULL;
}

static void on_failed(void *arg, int status, cJSON *, const char *message)
{
	struct kube_reflector *r = arg;
	char text[MODEL_ERROR_MAX];

	r->transfer = NULL;
	if (status == -EMSGSIZE && r->page > PAGE_MIN) {
		r->page /= 2; // large objects
		kube_reflector_go(r, PHASE_LIST);
	} else if (status == 410) {
		// The rest of the list is not there any more: from the beginning, but not in a hurry.
		kube_reflector_relist(r);
	} else if (status == 404) {
		restart(r);
		(void)snprintf(text, sizeof(text),
			"the API server does not know %s of %s: is the CRD installed?",
			kind_plural(r->kind), kind_api_version(r->kind));
		kube_reflector_failed(r, status, text);
	} else {
		// A good status other than 200 comes without a message.
		kube_reflector_failed(r, status, message != NULL ? message : NO_LIST);
	}
}

void kube_list(struct kube_reflector *r)
{
	char path[KUBE_PATH_MAX], limit[16];
	struct kube_call call = {
		.method = "GET",
		.path = path,
		.timeout_ms = KUBE_LIST_MS,
		.whole = on_page,
		.answered = on_failed,
		.arg = r,
	};

	(void)snprintf(limit, sizeof(limit), "%u", r->page);
	int ret = kube_reflector_path(r, path);
	if (ret == 0)
		ret = kube_path_query(path, "limit", limit);
	if (ret == 0 && r->more != NULL)
		ret = kube_path_query(path, "continue", r->more);
	if (ret == 0) {
		r->transfer = kube_start(r->store->client, &call);
		ret = r->transfer != NULL ? 0 : -ENOMEM;
	}
	if (ret < 0) {
		restart(r);
		kube_reflector_failed(r, -ENOMEM, strerror(-ret));
	}
}
