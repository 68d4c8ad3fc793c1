// A temporary directory of objects and an event loop to turn, for the tests of store and manager.
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include <cjson/cJSON.h>
#include <uv.h>

#include "ctrl/store/store.h"

// Long enough for a busy machine; a test that fails waits so long.
#define LOOP_TIMEOUT_MS 20000

extern uv_loop_t loop;
extern char loop_dir[64];

int loop_setup(void **state); // cmocka's: makes loop and loop_dir
int loop_teardown(void **state); // closes what is left, fails on a handle that nobody closes

// Turns the loop until done(arg), or the time is up.
bool loop_until(bool (*done)(void *arg), void *arg);
void loop_for(unsigned int ms);

// A file of loop_dir, whole.
void put_file(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));
// malloc'ed; NULL if there is none.
char *get_file(const char *path);
bool has_file(const char *path);
void remove_file(const char *path);

// The outcome of a mutation that has come to its end.
struct outcome {
	bool done;
	int err;
	cJSON *obj;
	char message[512];
};
void outcome_done(void *arg, int err, const cJSON *obj, const char *message); // store_done
int outcome_wait(struct outcome *o); // its err
void outcome_fini(struct outcome *o);

int do_create(struct store *s, const char *json);
int do_update(struct store *s, const char *json);
int do_update_status(struct store *s, const char *json);
int do_delete(struct store *s, enum kind kind, const char *namespace, const char *name);
int do_delete_version(
	struct store *s, const struct store_name *name, const char *uid, const char *version);
int do_patch(struct store *s, const struct store_name *name, const char *json, bool status);
int do_get(struct store *s, const struct store_name *name);
extern struct outcome last; // of the do_ functions
