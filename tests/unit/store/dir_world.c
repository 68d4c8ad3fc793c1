#include "dir_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "loop.h"

static void on_event(
	void *arg, enum kind kind, enum store_event event, const cJSON *obj, const char *message)
{
	static const char *const names[] = {"PUT", "DELETED", "SYNCED", "BROKEN"};
	struct seen *s = arg;
	size_t at = strlen(s->log);

	s->n_put += event == STORE_PUT;
	s->n_synced += event == STORE_SYNCED;
	if (event == STORE_SYNCED)
		return;
	(void)snprintf(s->log + at, sizeof(s->log) - at, "%s %s %s\n", names[event],
		event == STORE_BROKEN ? "" : kind_name(kind),
		event == STORE_BROKEN ? message : meta(obj, "name"));
}

static bool is_synced(void *arg)
{
	return ((struct seen *)arg)->n_synced == KIND_COUNT;
}

void open_store(struct seen *s)
{
	char message[MODEL_ERROR_MAX];

	memset(s, 0, sizeof(*s));
	assert_int_equal(store_dir_open(&loop, loop_dir, &s->store, message), 0);
	assert_int_equal(s->store->ops->watch(
				 s->store, &(struct store_watcher){.event = on_event, .arg = s}),
		0);
	assert_int_equal(s->n_synced, 0);
	assert_true(loop_until(is_synced, s));
}

void close_store(struct seen *s)
{
	s->store->ops->close(s->store);
	s->store = NULL;
}

struct wanted {
	const struct seen *seen;
	const char *text;
};

static bool has_text(void *arg)
{
	const struct wanted *w = arg;
	return strstr(w->seen->log, w->text) != NULL;
}

void expect_log(struct seen *s, const char *text)
{
	if (!loop_until(has_text, &(struct wanted){.seen = s, .text = text}))
		fail_msg("no '%s' in:\n%s", text, s->log);
}

const char *meta(const cJSON *obj, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(
		cJSON_GetObjectItemCaseSensitive(obj, "metadata"), name));
}
