// The sparse bitmap: a hash of chunks by the number of their first bit.
#include "ctrl/ipam/bitmap.h"

#include <errno.h>
#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define WORD_BITS 64
#define CHUNK_WORDS (BITMAP_CHUNK_BITS / WORD_BITS)

struct bitmap_chunk {
	u128 base; // its first bit
	uint64_t words[CHUNK_WORDS];
	unsigned int n; // bits that are set
	UT_hash_handle hh;
};

static u128 base_of(u128 at)
{
	return at & ~(u128)(BITMAP_CHUNK_BITS - 1);
}

static struct bitmap_chunk *chunk_at(const struct bitmap *b, u128 at)
{
	u128 base = base_of(at);
	struct bitmap_chunk *c;

	HASH_FIND(hh, b->chunks, &base, sizeof(base), c);
	return c;
}

static size_t word_of(u128 at)
{
	return (size_t)(at % BITMAP_CHUNK_BITS) / WORD_BITS;
}

static uint64_t mask_of(u128 at)
{
	return UINT64_C(1) << (unsigned int)(at % WORD_BITS);
}

static struct bitmap_chunk *chunk_add(struct bitmap *b, u128 at)
{
	struct bitmap_chunk *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->base = base_of(at);
	HASH_ADD(hh, b->chunks, base, sizeof(c->base), c);
	if (c->hh.tbl == NULL) {
		free(c);
		return NULL;
	}
	return c;
}

static void chunk_del(struct bitmap *b, struct bitmap_chunk *c)
{
	HASH_DEL(b->chunks, c);
	free(c);
}

void bitmap_fini(struct bitmap *b)
{
	struct bitmap_chunk *c, *next;

	HASH_ITER (hh, b->chunks, c, next)
		chunk_del(b, c);
	b->n = 0;
}

bool bitmap_get(const struct bitmap *b, u128 at)
{
	const struct bitmap_chunk *c = chunk_at(b, at);

	return c != NULL && (c->words[word_of(at)] & mask_of(at)) != 0;
}

int bitmap_set(struct bitmap *b, u128 at)
{
	struct bitmap_chunk *c = chunk_at(b, at);

	if (c == NULL)
		c = chunk_add(b, at);
	if (c == NULL)
		return -ENOMEM;
	uint64_t *word = &c->words[word_of(at)];
	if ((*word & mask_of(at)) == 0) {
		*word |= mask_of(at);
		c->n++;
		b->n++;
	}
	return 0;
}

void bitmap_clear(struct bitmap *b, u128 at)
{
	struct bitmap_chunk *c = chunk_at(b, at);

	if (c == NULL || (c->words[word_of(at)] & mask_of(at)) == 0)
		return;
	c->words[word_of(at)] &= ~mask_of(at);
	c->n--;
	b->n--;
	if (c->n == 0)
		chunk_del(b, c);
}

// The first clear bit of a chunk from `at` on; false if there is none.
static bool clear_in_chunk(const struct bitmap_chunk *c, u128 at, u128 *ret_at)
{
	uint64_t before = mask_of(at) - 1; // bits of the first word that do not count

	for (size_t i = word_of(at); c->n < BITMAP_CHUNK_BITS && i < CHUNK_WORDS; i++) {
		uint64_t clear = ~(c->words[i] | before);

		if (clear != 0) {
			*ret_at = c->base + i * WORD_BITS + (unsigned int)__builtin_ctzll(clear);
			return true;
		}
		before = 0;
	}
	return false;
}

bool bitmap_next_clear(const struct bitmap *b, u128 from, u128 to, u128 *ret_at)
{
	while (from <= to) {
		const struct bitmap_chunk *c = chunk_at(b, from);
		u128 at = from;

		if (c == NULL || clear_in_chunk(c, from, &at)) {
			if (at > to)
				return false;
			*ret_at = at;
			return true;
		}
		from = base_of(from) + BITMAP_CHUNK_BITS;
		if (from == 0) // past the last address there is
			return false;
	}
	return false;
}
