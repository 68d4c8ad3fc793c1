#include "loop.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

uv_loop_t loop;
char loop_dir[64];
struct outcome last;

int loop_setup(void **)
{
	(void)snprintf(loop_dir, sizeof(loop_dir), "/tmp/store-test-XXXXXX");
	return mkdtemp(loop_dir) != NULL && uv_loop_init(&loop) == 0 ? 0 : 1;
}

static int remove_one(const char *path, const struct stat *, int, struct FTW *)
{
	return remove(path);
}

int loop_teardown(void **)
{
	outcome_fini(&last);
	(void)uv_run(&loop, UV_RUN_NOWAIT);
	(void)uv_run(&loop, UV_RUN_NOWAIT);
	int ret = uv_loop_close(&loop);
	(void)nftw(loop_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	if (ret < 0)
		fprintf(stderr, "a handle was left open\n");
	return ret;
}

static void on_timer(uv_timer_t *t)
{
	*(bool *)t->data = true;
}

static bool run_until(bool (*done)(void *arg), void *arg, unsigned int ms)
{
	uv_timer_t timer;
	bool up = false, ok = false;

	(void)uv_timer_init(&loop, &timer);
	timer.data = &up;
	(void)uv_timer_start(&timer, on_timer, ms, 0);
	while (!up && !ok) {
		ok = done != NULL && done(arg);
		if (!ok)
			(void)uv_run(&loop, UV_RUN_ONCE);
	}
	uv_close((uv_handle_t *)&timer, NULL);
	while (uv_is_active((uv_handle_t *)&timer))
		(void)uv_run(&loop, UV_RUN_NOWAIT);
	(void)uv_run(&loop, UV_RUN_NOWAIT); // timer is on this stack: its closing must be over
	return ok;
}

bool loop_until(bool (*done)(void *arg), void *arg)
{
	return run_until(done, arg, LOOP_TIMEOUT_MS);
}

void loop_for(unsigned int ms)
{
	(void)run_until(NULL, NULL, ms);
}

static void full_path(char full[512], const char *path)
{
	(void)snprintf(full, 512, "%s/%s", loop_dir, path);
}

void put_file(const char *path, const char *format, ...)
{
	char full[512];
	va_list ap;

	full_path(full, path);
	for (char *slash = strchr(full + strlen(loop_dir) + 1, '/'); slash != NULL;
		slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(full, 0755);
		*slash = '/';
	}
	FILE *f = fopen(full, "w");
	assert_non_null(f);
	va_start(ap, format);
	(void)vfprintf(f, format, ap);
	va_end(ap);
	assert_int_equal(fclose(f), 0);
}

char *get_file(const char *path)
{
	char full[512];

	full_path(full, path);
	FILE *f = fopen(full, "r");
	if (f == NULL)
		return NULL;
	char *text = calloc(1, 65536);
	assert_non_null(text);
	(void)fread(text, 1, 65535, f);
	(void)fclose(f);
	return text;
}

bool has_file(const char *path)
{
	char full[512];

	full_path(full, path);
	return access(full, F_OK) == 0;
}

void remove_file(const char *path)
{
	char full[512];

	full_path(full, path);
	assert_int_equal(unlink(full), 0);
}

void outcome_done(void *arg, int err, const cJSON *obj, const char *message)
{
	struct outcome *o = arg;

	o->done = true;
	o->err = err;
	o->obj = obj != NULL ? cJSON_Duplicate(obj, true) : NULL;
	(void)snprintf(o->message, sizeof(o->message), "%s", message != NULL ? message : "");
}

static bool is_done(void *arg)
{
	return ((struct outcome *)arg)->done;
}

int outcome_wait(struct outcome *o)
{
	assert_true(loop_until(is_done, o));
	return o->err;
}

void outcome_fini(struct outcome *o)
{
	cJSON_Delete(o->obj);
	*o = (struct outcome){0};
}

static int do_object(struct store *s, const char *json,
	void (*f)(struct store *s, const cJSON *obj, store_done *done, void *arg))
{
	cJSON *obj = cJSON_Parse(json);

	assert_non_null(obj);
	outcome_fini(&last);
	f(s, obj, outcome_done, &last);
	cJSON_Delete(obj);
	assert_false(last.done); // never from within the call
	return outcome_wait(&last);
}

int do_create(struct store *s, const char *json)
{
	return do_object(s, json, s->ops->create);
}

int do_update(struct store *s, const char *json)
{
	return do_object(s, json, s->ops->update);
}

int do_update_status(struct store *s, const char *json)
{
	return do_object(s, json, s->ops->update_status);
}

int do_delete(struct store *s, enum kind kind, const char *namespace, const char *name)
{
	outcome_fini(&last);
	s->ops->delete (s, kind, namespace, name, outcome_done, &last);
	assert_false(last.done);
	return outcome_wait(&last);
}

int do_delete_version(
	struct store *s, const struct store_name *name, const char *uid, const char *version)
{
	outcome_fini(&last);
	s->ops->delete_version(s, name, uid, version, outcome_done, &last);
	assert_false(last.done);
	return outcome_wait(&last);
}

int do_patch(struct store *s, const struct store_name *name, const char *json, bool status)
{
	cJSON *patch = cJSON_Parse(json);

	assert_non_null(patch);
	outcome_fini(&last);
	s->ops->patch(s, name, patch, status, outcome_done, &last);
	cJSON_Delete(patch);
	assert_false(last.done);
	return outcome_wait(&last);
}

int do_get(struct store *s, const struct store_name *name)
{
	outcome_fini(&last);
	s->ops->get(s, name, outcome_done, &last);
	assert_false(last.done);
	return outcome_wait(&last);
}
