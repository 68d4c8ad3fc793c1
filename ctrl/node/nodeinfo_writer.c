// One write at a time: compare, create or update, then the time stamp in the status. A conflict
// is another writer's doing; the watch brings its version, and that is compared anew.
#include "ctrl/node/nodeinfo_writer.h"

#include "ctrl/log.h"
#include "ctrl/model/nodeinfo.h"
#include "ctrl/model/timestamp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The least time between two writes, so that two daemons with the same node name, each putting
// its own truth in place, are a nuisance and not a storm.
#define PAUSE_MS 5000
#define RETRY_MS 1000

struct nodeinfo_writer {
	struct nodeinfo_writer_conf conf;
	struct cache_subscriber subscriber;
	uv_timer_t timer;
	bool synced, writing, closing, failed;
	uint64_t last; // when the last write ended, 0: never
};

// ── What it should say ─────────────────────────────────────────────────────────────────────────

static int by_address(const void *a, const void *b)
{
	return ip_cmp(a, b);
}

static cJSON *vtep_of(const struct nodeinfo_facts *facts)
{
	char text[IP_TEXT_MAX], mac[MAC_TEXT_MAX];
	cJSON *vtep = cJSON_CreateObject();
	struct in6_addr *sorted = calloc(facts->n_addresses + 1, sizeof(*sorted));

	if (sorted == NULL) {
		cJSON_Delete(vtep);
		return NULL;
	}
	for (size_t i = 0; i < facts->n_addresses; i++)
		sorted[i] = facts->addresses[i];
	qsort(sorted, facts->n_addresses, sizeof(*sorted), by_address);

	(void)cJSON_AddStringToObject(vtep, "ip", ip_text(&facts->vtep_ip, text));
	(void)cJSON_AddStringToObject(vtep, "mac", mac_text(facts->vtep_mac, mac));
	cJSON *ips = cJSON_AddArrayToObject(vtep, "localIPs");
	for (size_t i = 0; i < facts->n_addresses; i++)
		(void)cJSON_AddItemToArray(ips, cJSON_CreateString(ip_text(&sorted[i], text)));
	free(sorted);
	return vtep;
}

static cJSON *child(cJSON *parent, const char *name)
{
	cJSON *item = cJSON_GetObjectItemCaseSensitive(parent, name);

	if (cJSON_IsObject(item))
		return item;
	cJSON_DeleteItemFromObjectCaseSensitive(parent, name);
	return cJSON_AddObjectToObject(parent, name);
}

// Labels of the API group are other controllers' marks; all others are the configuration's.
static void set_labels(cJSON *meta, const struct key_values *labels)
{
	const cJSON *old = cJSON_GetObjectItemCaseSensitive(meta, "labels");
	cJSON *new = cJSON_CreateObject();
	const cJSON *label;

	cJSON_ArrayForEach (label, old) {
		bool foreign = strncmp(label->string, API_GROUP "/", strlen(API_GROUP "/")) == 0;
		if (foreign && key_values_get(labels, label->string) == NULL)
			(void)cJSON_AddItemToObject(new, label->string, cJSON_Duplicate(label, 1));
	}
	for (size_t i = 0; i < labels->n; i++)
		(void)cJSON_AddStringToObject(new, labels->kv[i].key, labels->kv[i].value);
	cJSON_DeleteItemFromObjectCaseSensitive(meta, "labels");
	if (new != NULL &&new->child == NULL) {
		cJSON_Delete(new);
		return;
	}
	(void)cJSON_AddItemToObject(meta, "labels", new);
}

// The Node controls it, so that it ends with the Node; other owners are left alone. A Node that was
// made anew has another uid.
static void set_owner(cJSON *meta, const char *name, const char *uid)
{
	cJSON *owners = cJSON_GetObjectItemCaseSensitive(meta, "ownerReferences");
	cJSON *owner, *next;

	if (uid == NULL)
		return;
	if (!cJSON_IsArray(owners)) {
		cJSON_DeleteItemFromObjectCaseSensitive(meta, "ownerReferences");
		owners = cJSON_AddArrayToObject(meta, "ownerReferences");
	}
	for (owner = owners->child; owner != NULL; owner = next) {
		const char *kind =
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(owner, "kind"));
		const char *old =
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(owner, "uid"));

		next = owner->next;
		if (kind == NULL || strcmp(kind, kind_name(KIND_NODE)) != 0)
			continue;
		if (old != NULL && strcmp(old, uid) == 0)
			return;
		cJSON_Delete(cJSON_DetachItemViaPointer(owners, owner));
	}
	owner = cJSON_CreateObject();
	(void)cJSON_AddStringToObject(owner, "apiVersion", kind_api_version(KIND_NODE));
	(void)cJSON_AddStringToObject(owner, "kind", kind_name(KIND_NODE));
	(void)cJSON_AddStringToObject(owner, "name", name);
	(void)cJSON_AddStringToObject(owner, "uid", uid);
	(void)cJSON_AddBoolToObject(owner, "controller", true);
	(void)cJSON_AddItemToArray(owners, owner);
}

// Whether the parts that are ours say the same. An absent map is an empty one.
static bool same_part(const cJSON *a, const cJSON *b, const char *parent, const char *name)
{
	const cJSON *pa =
		cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(a, parent), name);
	const cJSON *pb =
		cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(b, parent), name);
	bool empty_a = pa == NULL || pa->child == NULL;
	bool empty_b = pb == NULL || pb->child == NULL;

	return (empty_a && empty_b) || cJSON_Compare(pa, pb, true);
}

cJSON *nodeinfo_wanted(const struct nodeinfo_facts *facts, const cJSON *now)
{
	cJSON *want = now != NULL ? cJSON_Duplicate(now, 1) : cJSON_CreateObject();

	if (want == NULL)
		return NULL;
	if (now == NULL) {
		(void)cJSON_AddStringToObject(want, "apiVersion", API_VERSION);
		(void)cJSON_AddStringToObject(want, "kind", kind_name(KIND_NODEINFO));
		(void)cJSON_AddStringToObject(child(want, "metadata"), "name", facts->name);
	}
	set_labels(child(want, "metadata"), facts->labels);
	set_owner(child(want, "metadata"), facts->name, facts->node_uid);
	cJSON *spec = child(want, "spec");
	cJSON_DeleteItemFromObjectCaseSensitive(spec, "vtepInfo");
	if (facts->has_vtep)
		(void)cJSON_AddItemToObject(spec, "vtepInfo", vtep_of(facts));

	if (now != NULL && same_part(want, now, "metadata", "labels") &&
		same_part(want, now, "metadata", "ownerReferences") &&
		same_part(want, now, "spec", "vtepInfo")) {
		cJSON_Delete(want);
		return NULL;
	}
	return want;
}

// ── Writing it ─────────────────────────────────────────────────────────────────────────────────

static void on_timer(uv_timer_t *timer);

static void again(struct nodeinfo_writer *w, uint64_t after)
{
	if (!w->closing)
		(void)uv_timer_start(&w->timer, on_timer, after, 0);
}

static void on_status(void *arg, int err, const cJSON *, const char *message)
{
	struct nodeinfo_writer *w = arg;

	w->writing = false;
	w->last = uv_now(w->conf.loop);
	if (err < 0) // only a time stamp: the next write brings a new one
		log_debug("the time stamp of nodeinfo '%s' is not written: %s",
			w->conf.config->node_name, message != NULL ? message : strerror(-err));
	again(w, 0); // something may have changed meanwhile
}

static void write_status(struct nodeinfo_writer *w, const cJSON *obj)
{
	cJSON *with_status = cJSON_Duplicate(obj, 1);
	char text[TIMESTAMP_MAX];

	cJSON *status = with_status != NULL ? child(with_status, "status") : NULL;
	cJSON_DeleteItemFromObjectCaseSensitive(status, "updateTimestamp");
	(void)cJSON_AddStringToObject(status, "updateTimestamp", timestamp(time(NULL), text));
	w->conf.store->ops->update_status(w->conf.store, with_status, on_status, w);
	cJSON_Delete(with_status);
}

static void on_written(void *arg, int err, const cJSON *obj, const char *message)
{
	struct nodeinfo_writer *w = arg;

	if (err == 0 && obj != NULL) {
		w->failed = false;
		write_status(w, obj);
		return;
	}
	w->writing = false;
	w->last = uv_now(w->conf.loop);
	bool conflict = err == -ESTALE || err == -EEXIST || err == -ENOENT;
	if (!conflict && !w->failed) {
		(void)log_err(err, "nodeinfo '%s' cannot be written, trying again: %s",
			w->conf.config->node_name, message != NULL ? message : "");
		w->failed = true;
	}
	again(w, conflict ? RETRY_MS : PAUSE_MS);
}

static void reconcile(struct nodeinfo_writer *w)
{
	const struct config *c = w->conf.config;
	uint64_t now = uv_now(w->conf.loop);
	static const struct key_values none;
	struct nodeinfo_facts facts = {
		.name = c->node_name, .labels = c->store_kube ? &none : &c->node_labels};

	if (!w->synced || w->writing)
		return;
	const struct object *node = cache_get(w->conf.cache, KIND_NODE, NULL, c->node_name);
	facts.node_uid = node != NULL ? node->meta.uid : NULL;
	facts.has_vtep = fib_vtep(w->conf.fib, &facts.vtep_ip, facts.vtep_mac);
	facts.addresses = fib_node_addresses(w->conf.fib, &facts.n_addresses);
	const cJSON *json = cache_get_json(w->conf.cache, KIND_NODEINFO, NULL, c->node_name);
	cJSON *want = nodeinfo_wanted(&facts, json);
	if (want == NULL)
		return;

	if (w->last != 0 && now - w->last < RETRY_MS) {
		again(w, RETRY_MS - (now - w->last));
	} else {
		struct store *s = w->conf.store;
		w->writing = true;
		if (json == NULL)
			s->ops->create(s, want, on_written, w);
		else
			s->ops->update(s, want, on_written, w);
	}
	cJSON_Delete(want);
}

static void on_timer(uv_timer_t *timer)
{
	reconcile(timer->data);
}

static void on_event(void *arg, enum kind kind, enum cache_event event, const struct object *obj,
	const struct object *)
{
	struct nodeinfo_writer *w = arg;

	if (kind != KIND_NODEINFO && kind != KIND_NODE)
		return;
	if (event == CACHE_SYNCED)
		w->synced |= kind == KIND_NODEINFO;
	else if (strcmp(obj->meta.name, w->conf.config->node_name) != 0)
		return;
	// Not at once: within a call-back the cache is in the middle of its change. Somebody else's
	// version is corrected after a pause.
	bool recent = w->last != 0 && uv_now(w->conf.loop) - w->last < PAUSE_MS;
	again(w, recent ? PAUSE_MS : 0);
}

int nodeinfo_writer_new(const struct nodeinfo_writer_conf *conf, struct nodeinfo_writer **ret_w)
{
	struct nodeinfo_writer *w = calloc(1, sizeof(*w));
	if (w == NULL)
		return -ENOMEM;

	w->conf = *conf;
	w->timer.data = w;
	int ret = uv_timer_init(conf->loop, &w->timer);
	if (ret < 0) {
		free(w);
		return ret;
	}
	w->subscriber = (struct cache_subscriber){.event = on_event, .arg = w};
	cache_subscribe(conf->cache, &w->subscriber);
	*ret_w = w;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void nodeinfo_writer_free(struct nodeinfo_writer *w)
{
	if (w == NULL)
		return;
	w->closing = true;
	cache_unsubscribe(w->conf.cache, &w->subscriber);
	uv_close((uv_handle_t *)&w->timer, on_closed);
}
