// Open addressing with linear probing; what is deleted leaves no mark, its followers move up.
#include "ctrl/store/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_FIRST 64

// Where the search for a key begins. The multiplications spread the hash over all bits, then over the
// slots, of which there may be any number.
static size_t home_of(const struct table *t, const struct table_type *type, const void *key)
{
	uint64_t h = type->hash(key) * 0x9e3779b97f4a7c15;

	return (size_t)((unsigned __int128)h * t->size >> 64);
}

static size_t after(const struct table *t, size_t at)
{
	return at + 1 < t->size ? at + 1 : 0;
}

static size_t distance(const struct table *t, size_t from, size_t to)
{
	return to >= from ? to - from : to + t->size - from;
}

// Where an element with that key is, or the free slot where it would be.
static size_t place_of(const struct table *t, const struct table_type *type, const void *key)
{
	size_t at = home_of(t, type, key);

	while (t->slot[at] != NULL && !type->equal(type->key(t->slot[at]), key))
		at = after(t, at);
	return at;
}

void *table_find(const struct table *t, const struct table_type *type, const void *key)
{
	return t->n > 0 ? t->slot[place_of(t, type, key)] : NULL;
}

// By half: twice would leave more slots free than it saves moves.
static int grow(struct table *t, const struct table_type *type)
{
	struct table more = {.size = t->size > 0 ? t->size + t->size / 2 : SIZE_FIRST, .n = t->n};
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
	size_t hole = t->n > 0 ? place_of(t, type, type->key(element)) : 0;

	if (t->n == 0 || t->slot[hole] == NULL)
		return;
	// An element after the hole moves into it unless its home lies behind the hole.
	for (size_t at = after(t, hole); t->slot[at] != NULL; at = after(t, at)) {
		size_t home = home_of(t, type, type->key(t->slot[at]));

		if (distance(t, home, at) < distance(t, hole, at))
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
