// The kube back end: opening, watching, closing.
#include "ctrl/store/kube.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int kube_watch(struct store *s, const struct store_watcher *w)
{
	struct kube_store *k = (struct kube_store *)s;

	if (k->watcher.event != NULL)
		return -EBUSY;
	k->watcher = *w;
	for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
		if (k->kinds & 1U << kind)
			kube_reflector_start(&k->reflectors[kind]);
	}
	return 0;
}

static void store_free(struct kube_store *k)
{
	for (enum kind kind = 0; kind < KIND_COUNT; kind++)
		kube_reflector_fini(&k->reflectors[kind]);
	kube_event_log_free(k->event_log);
	free(k->component);
	free(k->node_name);
	free(k);
}

static void on_closed(uv_handle_t *h)
{
	struct kube_store *k = h->data;

	if (--k->n_handles == 0)
		store_free(k);
}

// May be called from within a call-back: what that one stands on is freed when the handles are
// closed.
static void kube_close(struct store *s)
{
	struct kube_store *k = (struct kube_store *)s;

	k->closing = true;
	kube_client_close(k->client);
	k->client = NULL;
	kube_ops_clear(k);
	kube_events_clear(k);
	k->n_handles = KIND_COUNT + 1;
	k->ops_timer.data = k;
	uv_close((uv_handle_t *)&k->ops_timer, on_closed);
	for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
		k->reflectors[kind].timer.data = k;
		uv_close((uv_handle_t *)&k->reflectors[kind].timer, on_closed);
	}
}

static const struct store_ops kube_ops = {
	.watch = kube_watch,
	.create = kube_create,
	.update = kube_update,
	.update_status = kube_update_status,
	.delete = kube_delete,
	.delete_version = kube_delete_version,
	.patch = kube_patch,
	.get = kube_get,
	.event = kube_event,
	.close = kube_close,
};

const struct kube_store *kube_store_of(const struct store *s)
{
	return s->ops == &kube_ops ? (const struct kube_store *)s : NULL;
}

struct kube_client *store_kube_client(struct store *s)
{
	const struct kube_store *k = kube_store_of(s);

	return k != NULL ? k->client : NULL;
}

static int init(struct kube_store *k, const struct store_kube_conf *conf)
{
	k->component = strdup(conf->component);
	k->event_log = kube_event_log_new();
	if (conf->node_name != NULL)
		k->node_name = strdup(conf->node_name);
	bool whole = k->component != NULL && k->event_log != NULL &&
		     (conf->node_name == NULL || k->node_name != NULL);
	return whole ? 0 : -ENOMEM;
}

int store_kube_open(uv_loop_t *loop, const struct store_kube_conf *conf, struct store **ret_store,
	char message[MODEL_ERROR_MAX])
{
	const struct kube_conf client = {.kubeconfig = conf->kubeconfig,
		.component = conf->component,
		.allow_insecure = conf->allow_insecure,
		.qps = conf->qps,
		.burst = conf->burst};
	struct kube_store *k = calloc(1, sizeof(*k));
	int ret = k != NULL ? init(k, conf) : -ENOMEM;

	if (ret < 0)
		(void)snprintf(message, MODEL_ERROR_MAX, "out of memory");
	else
		ret = kube_client_open(loop, &client, &k->client, message);
	if (ret < 0) {
		if (k != NULL)
			store_free(k);
		return ret;
	}
	k->store.ops = &kube_ops;
	k->store.backend = "kube";
	k->loop = loop;
	k->kinds = conf->kinds;
	k->from_cache = conf->from_cache;
	(void)uv_timer_init(loop, &k->ops_timer);
	k->ops_timer.data = k;
	for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
		struct kube_reflector *r = &k->reflectors[kind];

		r->store = k;
		r->kind = kind;
		(void)uv_timer_init(loop, &r->timer);
		r->timer.data = r;
	}
	*ret_store = &k->store;
	return 0;
}
