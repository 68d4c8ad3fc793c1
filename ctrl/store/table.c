// Open addressing with linear probing; what is deleted leaves no mark, its followers move up.
#include "ctrl/store/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_FIRST 64

static size_t home_of(const struct table *t, const struct table_type *type, const void *element)
{
	return type->hash(type->key(element)) & (t->size - 1);
}

// Where an element with that key is, or the free slot where it would be.
static size_t place_of(const struct table *t, const struct table_type *type, const void *key)
{
	size_t at = type->hash(key) & (t->size - 1);

	while (t->slot[at] != NULL && !type->equal(type->key(t->slot[at]), key))
		at = (at + 1) & (t->size - 1);
	return at;
}

void *table_find(const struct table *t, const struct table_type *type, const void *key)
{
	return t->n > 0 ? t->slot[place_of(t, type, key)] : NULL;
}

static int grow(struct table *t, const struct table_type *type)
{
	struct table more = {.size = t->size > 0 ? 2 * t->size : SIZE_FIRST, .n = t->n};
	void *element;

	more.slot = calloc(more.size, sizeof(void *));
	if (more.slot == NULL)
		return -ENOMEM;
	TABLE_FOREACH(t, i, element)
	more.slot[place_of(&more, type, type->key(element))] = element;
	free(t->slot);
	*t = more;
	return 0;
}

int table_reserve(struct table *t, const struct table_type *type)
{
	// Three quarters at most.
	return t->n >= t->size - t->size / 4 ? grow(t, type) : 0;
}

int table_add(struct table *t, const struct table_type *type, void *element)
{
	int ret = table_reserve(t, type);

	if (ret < 0)
		return ret;
	t->slot[place_of(t, type, type->key(element))] = element;
	t->n++;
	return 0;
}

void table_del(struct table *t, const struct table_type *type, const void *element)
{
	size_t mask = t->size - 1, hole = t->n > 0 ? place_of(t, type, type->key(element)) : 0;

	if (t->n == 0 || t->slot[hole] == NULL)
		return;
	// An element after the hole moves into it unless its home lies behind the hole.
	for (size_t at = (hole + 1) & mask; t->slot[at] != NULL; at = (at + 1) & mask) {
		size_t home = home_of(t, type, t->slot[at]);

		if (((at - home) & mask) < ((at - hole) & mask))
			continue;
		t->slot[hole] = t->slot[at];
		hole = at;
	}
	t->slot[hole] = NULL;
	t->n--;
}

void table_fini(struct table *t)
{
	free(t->slot);
	*t = (struct table){0};
}

// ── Keys ───────────────────────────────────────────────────────────────────────────────────────

uint64_t table_hash_bytes(
	const void *bytes, size_t len) // FNV-1a, and its high bits into the low ones
{
	const unsigned char *b = bytes;
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < len; i++)
		h = (h ^ b[i]) * 0x100000001b3;
	return h ^ h >> 32;
}

uint64_t table_hash_text(const void *text)
{
	return table_hash_bytes(text, strlen(text));
}

bool table_equal_text(const void *a, const void *b)
{
	return strcmp(a, b) == 0;
}
