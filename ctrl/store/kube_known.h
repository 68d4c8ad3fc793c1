// What a watcher was told of: which objects, and which version of each. After a new list it says what
// is new to the watcher, and what it must be told is gone. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "ctrl/store/table.h"

struct kube_known {
	struct table items; // owned
	uint32_t round;
};

// A list begins: what kube_known_put() does not name from here on is gone.
void kube_known_begin(struct kube_known *k);
// The object is there. *ret_news: the watcher has not been told of this version. -EINVAL for an object
// without a name; -ENOMEM.
int kube_known_put(struct kube_known *k, const cJSON *obj, bool *ret_news);
void kube_known_del(struct kube_known *k, const cJSON *obj);
// After a whole list: forgets all that were not in it and says each (namespace "" if it has none); f
// returns false to stop.
void kube_known_sweep(struct kube_known *k,
	bool (*f)(void *arg, const char *namespace, const char *name), void *arg);
// The names of all that it knows, in no order.
void kube_known_each(const struct kube_known *k, void (*f)(void *arg, const char *name), void *arg);
size_t kube_known_count(const struct kube_known *k);
void kube_known_clear(struct kube_known *k);
