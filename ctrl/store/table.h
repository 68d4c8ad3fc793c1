// A set of pointers that are found by a key. It costs an element some 12 bytes and nothing within it, where
// uthash's handle is 56: for what there is a hundred thousand of. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table {
	void **slot; // owned; NULL: free
	size_t size; // of slot
	size_t n;
};

// How the elements of a table are found. No two have the same key.
struct table_type {
	const void *(*key)(const void *element);
	uint64_t (*hash)(const void *key);
	bool (*equal)(const void *a, const void *b); // keys
};

void *table_find(const struct table *t, const struct table_type *type, const void *key);
// Makes room for one more: 0 or -ENOMEM. The next table_add then cannot fail.
int table_reserve(struct table *t, const struct table_type *type);
// Adds an element whose key the table does not have: 0 or -ENOMEM. The key stays as it is meanwhile.
int table_add(struct table *t, const struct table_type *type, void *element);
void table_del(struct table *t, const struct table_type *type, const void *element);
void table_fini(struct table *t); // not the elements

// Every element, in no order; the table must not change meanwhile.
#define TABLE_FOREACH(t, at, element)             \
	for (size_t at = 0; at < (t)->size; at++) \
		if (((element) = (t)->slot[at]) != NULL)

// For keys of bytes, and of NUL-terminated text.
uint64_t table_hash_bytes(const void *bytes, size_t len);
uint64_t table_hash_text(const void *text);
bool table_equal_text(const void *a, const void *b);
