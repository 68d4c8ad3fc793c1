// What the manager remembers of pods, by their key.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/manager/state.h"

struct pod_state *pod_state_find(const struct manager *m, const char *key)
{
	struct pod_state *s;

	HASH_FIND_STR(m->pods, key, s);
	return s;
}

struct pod_state *pod_state_get(struct manager *m, const char *key)
{
	struct pod_state *s = pod_state_find(m, key);

	if (s != NULL)
		return s;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		abort(); // an address could be given away twice
	(void)snprintf(s->key, sizeof(s->key), "%s", key);
	HASH_ADD_STR(m->pods, key, s);
	return s;
}

void pod_state_free(struct manager *m, struct pod_state *s)
{
	HASH_DEL(m->pods, s);
	free(s->instances);
	free(s->waits);
	free(s->told);
	vm_state_free(s->vm);
	free(s);
}

void pod_states_clear(struct manager *m)
{
	struct pod_state *s, *next;

	HASH_ITER (hh, m->pods, s, next) {
		pod_state_free(m, s);
	}
}

void pod_state_del_instance(struct pod_state *s, const char *name)
{
	for (size_t i = 0; i < s->n_instances; i++) {
		if (strcmp(s->instances[i], name) != 0)
			continue;
		memmove(s->instances[i], s->instances[s->n_instances - 1], sizeof(s->instances[i]));
		s->n_instances--;
		return;
	}
}

void pod_state_add_instance(struct pod_state *s, const char *name)
{
	pod_state_del_instance(s, name);
	char(*new)[64] = reallocarray(s->instances, s->n_instances + 1, sizeof(*new));
	if (new == NULL)
		abort();
	s->instances = new;
	(void)snprintf(new[s->n_instances++], sizeof(*new), "%s", name);
}

void split_key(const char *key, char namespace[64], char name[NAME_MAX_LEN])
{
	const char *slash = strchr(key, '/');

	(void)snprintf(namespace, 64, "%.*s", slash != NULL ? (int)(slash - key) : 0, key);
	(void)snprintf(name, NAME_MAX_LEN, "%s", slash != NULL ? slash + 1 : key);
}

// ── Waiting for the watch ──────────────────────────────────────────────────────────────────────

// Whether the cache has something else than it had when the object was changed.
static bool has_come(const struct manager *m, const struct pod_state *s, const struct pod_wait *w)
{
	char namespace[64], pod[NAME_MAX_LEN];

	split_key(s->key, namespace, pod);
	const char *version = cache_version(m->cache, w->kind, namespace, w->name);
	return strcmp(version != NULL ? version : "", w->version) != 0;
}

static void forget_wait(struct pod_state *s, size_t i)
{
	s->waits[i] = s->waits[--s->n_waits];
}

void pod_wait_for(struct manager *m, struct pod_state *s, enum kind kind, const char *name,
	const char *version)
{
	struct pod_wait w = {.kind = kind, .since = uv_now(m->loop)};

	(void)snprintf(w.name, sizeof(w.name), "%s", name);
	(void)snprintf(w.version, sizeof(w.version), "%s", version);
	if (has_come(m, s, &w))
		return; // before the answer
	struct pod_wait *waits = reallocarray(s->waits, s->n_waits + 1, sizeof(*waits));
	if (waits == NULL)
		abort();
	s->waits = waits;
	waits[s->n_waits++] = w;
}

bool pod_is_waiting(struct manager *m, struct pod_state *s)
{
	for (size_t i = s->n_waits; i-- > 0;) {
		struct pod_wait *w = &s->waits[i];

		if (has_come(m, s, w)) {
			forget_wait(s, i);
		} else if (!w->asking && uv_now(m->loop) - w->since > SETTLE_MS) {
			// It may have come and gone between two lists.
			w->asking = true;
			request_look(m, s->key, w->kind, w->name);
		}
	}
	s->retry |= s->n_waits > 0;
	return s->n_waits > 0;
}

void pod_looked(struct manager *m, struct pod_state *s, enum kind kind, const char *name, int err)
{
	for (size_t i = s->n_waits; i-- > 0;) {
		struct pod_wait *w = &s->waits[i];

		if (w->kind != kind || strcmp(w->name, name) != 0)
			continue;
		w->asking = false;
		w->since = uv_now(m->loop);
		if (err == -ENOENT)
			forget_wait(s, i);
	}
	if (kind == KIND_POD && s->asking) {
		s->asking = false;
		s->gone = err == -ENOENT;
		s->retry |= !s->gone; // until the watch brings it
	}
	pod_reconcile(m, s->key);
}
