// Takes a list's answer apart as it arrives, in chunks of any size: its items one at a time as text, so that
// a list of any length costs the memory of one item, and all that is around them. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#define KUBE_ITEM_MAX (8 * 1024 * 1024) // bytes; an object is at most 1.5 MiB in etcd
#define KUBE_ITEMS_REST_MAX 65536 // bytes of all that is around the items

enum kube_items_state {
	ITEMS_AROUND, // outside the array of items
	ITEMS_FIRST, // an item, or the array's end
	ITEMS_MORE, // an item, after a comma
	ITEMS_WITHIN, // one
	ITEMS_AFTER, // one: a comma, or the array's end
};

struct kube_text {
	char *buf; // owned
	size_t len, size;
};

struct kube_items {
	enum kube_items_state state;
	struct kube_text item; // what has come of an item that is in several chunks
	struct kube_text rest; // what is around the items, with an empty array for them
	size_t key, key_len; // in rest: the last text within the outermost brackets
	bool valued; // a colon has come after it
	bool found; // the array of items
	bool in_string, escaped;
	size_t depth; // of brackets
};

// Calls item for each item that is complete; it may write to text, which is not NUL-terminated, and may
// still turn out not to be JSON; false from it stops. 0; -EPROTO if that is no list; -EMSGSIZE for an item
// or a rest that is too long; -ENOMEM; -ECANCELED if item said so. data is written to.
int kube_items_feed(struct kube_items *l, char *data, size_t len,
	bool (*item)(void *arg, char *text, size_t len), void *arg);
// At the answer's end: the list without its items, to be deleted by the caller. -EPROTO if it is none.
int kube_items_end(const struct kube_items *l, cJSON **ret_list);
void kube_items_reset(struct kube_items *l); // for another answer
