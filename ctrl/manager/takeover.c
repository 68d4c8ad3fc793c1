// Lists page by page with the raw client: the answers are only looked at.
#include "ctrl/manager/takeover.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "ctrl/log.h"
#include "ctrl/model/field.h"
#include "ctrl/store/kube_path.h"

#define PAGE "200" // objects of a list's page
#define POLL_MS 20
#define RETRY_MS 1000
// An object that has not come by then is asked for: it may be gone again, unseen.
#define PATIENCE_MS 3000
#define CONTINUE_MAX 2560
// However much of it must be escaped.
static_assert(3 * CONTINUE_MAX + 128 <= KUBE_PATH_MAX);

struct missing { // in the list, not in the cache
	struct takeover *t; // NULL: given up while it was asked for
	enum kind kind;
	char namespace[64], name[NAME_MAX_LEN], version[64];
	uint64_t since; // loop time of the list or of the last question
	bool asking;
	struct missing *prev, *next;
};

struct takeover {
	uv_loop_t *loop;
	struct store *store;
	struct cache *cache;
	void (*done)(void *arg);
	void *arg;
	uv_timer_t timer;
	enum kind kind; // that is being listed
	char next_page[CONTINUE_MAX]; // "continue" of the list
	struct missing *missing; // owned, but for those that are being asked for
};

bool version_is_since(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);

	return a_len != b_len ? a_len > b_len : strcmp(a, b) >= 0;
}

static bool has_arrived(const struct takeover *t, const struct missing *m)
{
	const char *version = cache_version(t->cache, m->kind, m->namespace, m->name);

	return version != NULL && version_is_since(version, m->version);
}

// ── Waiting ────────────────────────────────────────────────────────────────────────────────────

static void on_got(void *arg, int err, const cJSON *, const char *)
{
	struct missing *m = arg;

	m->asking = false;
	if (m->t == NULL) {
		free(m);
	} else if (err == -ENOENT) {
		DL_DELETE(m->t->missing, m);
		free(m);
	}
}

static void ask_for(struct takeover *t, struct missing *m)
{
	const struct store_name name = {
		.kind = m->kind, .namespace = m->namespace, .name = m->name};

	m->asking = true;
	m->since = uv_now(t->loop);
	t->store->ops->get(t->store, &name, on_got, m);
}

static void on_poll(uv_timer_t *timer)
{
	struct takeover *t = timer->data;
	struct missing *m, *next;

	DL_FOREACH_SAFE (t->missing, m, next) {
		if (m->asking)
			continue;
		if (has_arrived(t, m)) {
			DL_DELETE(t->missing, m);
			free(m);
		} else if (uv_now(t->loop) - m->since > PATIENCE_MS) {
			ask_for(t, m);
		}
	}
	if (t->missing != NULL)
		return;
	(void)uv_timer_stop(timer);
	t->done(t->arg);
}

// ── Listing ────────────────────────────────────────────────────────────────────────────────────

static void take_item(struct takeover *t, const cJSON *item)
{
	const cJSON *meta = cJSON_GetObjectItemCaseSensitive(item, "metadata");
	struct missing *m = calloc(1, sizeof(*m));

	if (m == NULL)
		abort(); // an address could be given away twice
	m->t = t;
	m->kind = t->kind;
	m->since = uv_now(t->loop);
	(void)snprintf(m->namespace, sizeof(m->namespace), "%s", field_string(meta, "namespace"));
	(void)snprintf(m->name, sizeof(m->name), "%s", field_string(meta, "name"));
	(void)snprintf(m->version, sizeof(m->version), "%s", field_string(meta, "resourceVersion"));
	if (has_arrived(t, m))
		free(m);
	else
		DL_APPEND(t->missing, m);
}

static void list(struct takeover *t);

static void on_retry(uv_timer_t *timer)
{
	list(timer->data);
}

static void on_listed(void *arg, int status, const cJSON *answer, const char *message)
{
	struct takeover *t = arg;
	const cJSON *item;
	int err = kube_error(status, answer);

	if (err < 0) {
		(void)log_warn(err, "cannot list %s before taking over: %s", kind_plural(t->kind),
			message != NULL ? message : "");
		t->next_page[0] = '\0'; // from the start: a page may have outlived its list (410)
		(void)uv_timer_start(&t->timer, on_retry, RETRY_MS, 0);
		return;
	}
	cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(answer, "items"))
		take_item(t, item);
	(void)snprintf(t->next_page, sizeof(t->next_page), "%s",
		field_string(field_get(answer, "metadata"), "continue"));
	if (t->next_page[0] != '\0') {
		list(t);
	} else if (t->kind == KIND_IPINSTANCE) {
		t->kind = KIND_POD;
		list(t);
	} else {
		(void)uv_timer_start(&t->timer, on_poll, 0, POLL_MS);
	}
}

static void list(struct takeover *t)
{
	char path[KUBE_PATH_MAX];

	// Without a resourceVersion the answer is the latest there is, by quorum.
	(void)kube_path_collection(t->kind, NULL, path);
	(void)kube_path_query(path, "limit", PAGE);
	if (t->next_page[0] != '\0')
		(void)kube_path_query(path, "continue", t->next_page);
	kube_request(store_kube_client(t->store), "GET", path, NULL, NULL, on_listed, t);
}

int takeover_start(uv_loop_t *loop, struct store *store, struct cache *cache,
	void (*done)(void *arg), void *arg, struct takeover **ret_takeover)
{
	struct takeover *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	t->loop = loop;
	t->store = store;
	t->cache = cache;
	t->done = done;
	t->arg = arg;
	t->kind = KIND_IPINSTANCE;
	(void)uv_timer_init(loop, &t->timer);
	t->timer.data = t;
	list(t);
	*ret_takeover = t;
	return 0;
}

static void on_closed(uv_handle_t *h)
{
	free(h->data);
}

void takeover_close(struct takeover *t)
{
	struct missing *m, *next;

	if (t == NULL)
		return;
	DL_FOREACH_SAFE (t->missing, m, next) {
		m->t = NULL; // its answer frees it; a closed store has none
		if (!m->asking)
			free(m);
	}
	t->missing = NULL;
	uv_close((uv_handle_t *)&t->timer, on_closed);
}
