// A reflector: keeps a watcher's picture of one kind like the server's. A list first
// (kube_list.c), then a watch from where the list was (kube_stream.c); when the server has forgotten
// that place, a list again, after which what has vanished is told as deleted. A server that is away
// changes nothing of what was told.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/store/kube.h"
#include "ctrl/store/kube_strip.h"

void kube_reflector_failed(struct kube_reflector *r, int status, const char *message)
{
	if (kube_is_lost(status))
		kube_reflector_lost(r, status, message);
	else
		kube_reflector_complain(r, message);
	kube_reflector_wait(r, r->phase);
}

void kube_reflector_go(struct kube_reflector *r, enum kube_phase phase)
{
	(void)uv_timer_stop(&r->timer);
	r->phase = phase;
	if (phase == PHASE_LIST)
		kube_list(r);
	else
		kube_stream(r);
}

static void on_waited(uv_timer_t *timer)
{
	struct kube_reflector *r = timer->data;

	kube_reflector_go(r, r->phase);
}

void kube_reflector_wait(struct kube_reflector *r, enum kube_phase phase)
{
	r->phase = phase;
	(void)uv_timer_start(
		&r->timer, on_waited, kube_backoff_next(&r->backoff, kube_random()), 0);
}

void kube_reflector_relist(struct kube_reflector *r)
{
	free(r->more);
	r->more = NULL;
	r->phase = PHASE_LIST;
	(void)uv_timer_start(&r->timer, on_waited, kube_backoff_next(&r->relist, kube_random()), 0);
}

int kube_reflector_path(const struct kube_reflector *r, char path[KUBE_PATH_MAX])
{
	char selector[NAME_MAX_LEN + 32];
	const char *node = r->store->node_name;
	int ret = kube_path_collection(r->kind, NULL, path);

	if (ret < 0 || node == NULL || (r->kind != KIND_POD && r->kind != KIND_NODE))
		return ret;
	(void)snprintf(selector, sizeof(selector), "%s=%s",
		r->kind == KIND_POD ? "spec.nodeName" : "metadata.name", node);
	return kube_path_query(path, "fieldSelector", selector);
}

bool kube_reflector_tell(
	struct kube_reflector *r, enum store_event event, const cJSON *obj, const char *message)
{
	const struct store_watcher *w = &r->store->watcher;

	w->event(w->arg, r->kind, event, obj, message);
	return !r->store->closing;
}

bool kube_reflector_put(struct kube_reflector *r, cJSON *obj)
{
	char message[MODEL_ERROR_MAX];
	bool news;

	kube_strip(r->kind, obj);
	int ret = kube_known_put(&r->known, obj, &news);
	if (ret == 0)
		return news ? kube_reflector_tell(r, STORE_PUT, obj, NULL) : true;
	(void)snprintf(message, sizeof(message),
		"the API server sent one of %s that is no object: %s", kind_plural(r->kind),
		ret == -EINVAL ? "it has no name" : strerror(-ret));
	return kube_reflector_tell(r, STORE_BROKEN, NULL, message);
}

void kube_reflector_start(struct kube_reflector *r)
{
	r->whole = r->store->from_cache;
	r->waits_for_nodes = kube_parts_wanted(r);
	if (!r->waits_for_nodes)
		kube_reflector_go(r, PHASE_LIST);
}

void kube_reflector_fini(struct kube_reflector *r)
{
	kube_known_clear(&r->known);
	kube_lines_reset(&r->lines);
	kube_items_reset(&r->items);
	kube_parts_free(r->parts);
	r->parts = NULL;
	free(r->more);
	r->more = NULL;
}
