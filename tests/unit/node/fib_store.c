// A store in memory: what is put is seen at once, what is written is answered a turn later.
#include "tests/unit/node/fib_world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uthash.h>

struct memory_object {
	char key[512];
	cJSON *json;
	UT_hash_handle hh;
};

// A mutation on its way: answered in the loop's next turn, as the interface wants it.
struct memory_op {
	uv_timer_t timer;
	struct memory_store *s;
	cJSON *obj;
	bool is_create, is_status;
	store_done *done;
	void *arg;
};

struct memory_store {
	struct store store;
	uv_loop_t *loop;
	struct store_watcher watcher;
	struct memory_object *objects;
	uint32_t version, n_writes;
	int fail_next;
	bool closed;
};

static void key_of(const cJSON *obj, char key[512], enum kind *ret_kind)
{
	const cJSON *meta = cJSON_GetObjectItemCaseSensitive(obj, "metadata");
	const char *namespace =
		cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, "namespace"));
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, "name"));

	assert_int_equal(kind_of_object(obj, ret_kind), 0);
	(void)snprintf(key, 512, "%d %s/%s", *ret_kind, namespace != NULL ? namespace : "", name);
}

static struct memory_object *find(const struct memory_store *s, const char *key)
{
	struct memory_object *o;

	HASH_FIND_STR(s->objects, key, o);
	return o;
}

// Takes obj.
static void memory_put(struct memory_store *s, cJSON *obj)
{
	char key[512], version[16];
	enum kind kind;
	key_of(obj, key, &kind);
	struct memory_object *o = find(s, key);

	if (o == NULL) {
		o = calloc(1, sizeof(*o));
		assert_non_null(o);
		memcpy(o->key, key, sizeof(key));
		HASH_ADD_STR(s->objects, key, o);
	}
	cJSON *meta = cJSON_GetObjectItemCaseSensitive(obj, "metadata");
	(void)snprintf(version, sizeof(version), "%u", ++s->version);
	cJSON_DeleteItemFromObjectCaseSensitive(meta, "resourceVersion");
	(void)cJSON_AddStringToObject(meta, "resourceVersion", version);
	cJSON_Delete(o->json);
	o->json = obj;
	s->watcher.event(s->watcher.arg, kind, STORE_PUT, obj, NULL);
}

static void op_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static cJSON *merge_status(const cJSON *old, const cJSON *obj)
{
	cJSON *merged = cJSON_Duplicate(old, true);
	const cJSON *status = cJSON_GetObjectItemCaseSensitive(obj, "status");

	cJSON_DeleteItemFromObjectCaseSensitive(merged, "status");
	(void)cJSON_AddItemToObject(merged, "status", cJSON_Duplicate(status, true));
	return merged;
}

static void op_run(uv_timer_t *timer)
{
	struct memory_op *op = timer->data;
	struct memory_store *s = op->s;
	char key[512];
	enum kind kind;
	key_of(op->obj, key, &kind);
	struct memory_object *o = find(s, key);
	int err = s->fail_next;

	s->fail_next = 0;
	if (err == 0 && op->is_create && o != NULL)
		err = -EEXIST;
	if (err == 0 && !op->is_create && o == NULL)
		err = -ENOENT;
	if (err == 0) {
		s->n_writes += op->is_status ? 0 : 1;
		memory_put(s, op->is_status ? merge_status(o->json, op->obj)
					    : cJSON_Duplicate(op->obj, true));
		o = find(s, key);
	}
	op->done(op->arg, err, err == 0 ? o->json : NULL, err != 0 ? "as the test wants" : NULL);
	cJSON_Delete(op->obj);
	uv_close((uv_handle_t *)timer, op_closed);
}

static void op_start(struct store *store, const cJSON *obj, struct memory_op what)
{
	struct memory_op *op = malloc(sizeof(*op));
	assert_non_null(op);
	*op = what;
	op->s = (struct memory_store *)store;
	op->obj = cJSON_Duplicate(obj, true);
	op->timer.data = op;
	(void)uv_timer_init(op->s->loop, &op->timer);
	(void)uv_timer_start(&op->timer, op_run, 0, 0);
}

static void op_create(struct store *s, const cJSON *obj, store_done *done, void *arg)
{
	op_start(s, obj, (struct memory_op){.is_create = true, .done = done, .arg = arg});
}

static void op_update(struct store *s, const cJSON *obj, store_done *done, void *arg)
{
	op_start(s, obj, (struct memory_op){.done = done, .arg = arg});
}

static void op_update_status(struct store *s, const cJSON *obj, store_done *done, void *arg)
{
	op_start(s, obj, (struct memory_op){.is_status = true, .done = done, .arg = arg});
}

static int op_watch(struct store *store, const struct store_watcher *w)
{
	struct memory_store *s = (struct memory_store *)store;

	s->watcher = *w;
	return 0;
}

static const struct store_ops memory_ops = {
	.watch = op_watch,
	.create = op_create,
	.update = op_update,
	.update_status = op_update_status,
};

void put(struct world *w, const char *format, ...)
{
	char *text;
	va_list ap;

	va_start(ap, format);
	assert_true(vasprintf(&text, format, ap) > 0);
	va_end(ap);
	cJSON *obj = cJSON_Parse(text);
	if (obj == NULL)
		fail_msg("not JSON: %s", text);
	free(text);
	memory_put((struct memory_store *)w->store, obj);
}

void del(struct world *w, enum kind kind, const char *namespace, const char *name)
{
	struct memory_store *s = (struct memory_store *)w->store;
	char key[512];

	(void)snprintf(key, sizeof(key), "%d %s/%s", kind, namespace, name);
	struct memory_object *o = find(s, key);
	assert_non_null(o);
	HASH_DEL(s->objects, o);
	s->watcher.event(s->watcher.arg, kind, STORE_DELETED, o->json, NULL);
	cJSON_Delete(o->json);
	free(o);
}

const cJSON *stored(const struct world *w, enum kind kind, const char *namespace, const char *name)
{
	char key[512];

	(void)snprintf(key, sizeof(key), "%d %s/%s", kind, namespace, name);
	const struct memory_object *o = find((struct memory_store *)w->store, key);
	return o != NULL ? o->json : NULL;
}

uint32_t n_writes(const struct world *w)
{
	return ((struct memory_store *)w->store)->n_writes;
}

void fail_next_write(struct world *w, int err)
{
	((struct memory_store *)w->store)->fail_next = err;
}

struct store *memory_open(uv_loop_t *loop)
{
	struct memory_store *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->store = (struct store){.ops = &memory_ops, .backend = "memory"};
	s->loop = loop;
	return &s->store;
}

void memory_close(struct store *store)
{
	struct memory_store *s = (struct memory_store *)store;
	struct memory_object *o, *tmp;

	HASH_ITER (hh, s->objects, o, tmp) {
		HASH_DEL(s->objects, o);
		cJSON_Delete(o->json);
		free(o);
	}
	free(s);
}

void memory_synced(struct store *store)
{
	struct memory_store *s = (struct memory_store *)store;

	for (int kind = 0; kind < KIND_COUNT; kind++)
		s->watcher.event(s->watcher.arg, kind, STORE_SYNCED, NULL, NULL);
}
