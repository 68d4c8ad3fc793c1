// rte_hash by itself: with what our routes are in, without concurrency, and with a shorter key.
#include "bench/structures/lines.h"

#include <rte_hash.h>
#include <rte_hash_crc.h>

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONCURRENT (RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF | RTE_HASH_EXTRA_FLAGS_EXT_TABLE)

static_assert(BURST_MAX <= RTE_HASH_LOOKUP_BULK_MAX);

struct variant {
	bool is_short; // keys are IPv4 addresses
	uint8_t flags;
};

struct hash {
	struct entries entries;
	struct rte_hash *hash;
	struct line *lines;
	bool is_short; // keys are IPv4 addresses
	bool is_concurrent;
	alignas(8) struct in6_addr
		addr[BURST_MAX]; // reader's; rte_hash_crc() reads 8 bytes at a time
};

static void hash_free(void *arg)
{
	struct hash *s = arg;

	rte_hash_free(s->hash);
	rte_free(s->lines);
	free(s);
}

static void *hash_new(const struct structure *self, const struct entries *e, struct rcu *)
{
	const struct variant *v = self->variant;
	static unsigned serial; // EAL keeps hashes by name
	char name[RTE_HASH_NAMESIZE];
	(void)snprintf(name, sizeof(name), "compared%u", serial++);
	const struct rte_hash_parameters params = {
		.name = name,
		.entries = e->n + N_CHANGING,
		.key_len = v->is_short ? sizeof(rte_be32_t) : sizeof(struct in6_addr),
		.hash_func = rte_hash_crc,
		.socket_id = SOCKET_ID_ANY,
		.extra_flag = v->flags,
	};

	struct hash *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->entries = *e;
	s->is_short = v->is_short;
	s->is_concurrent = (v->flags & CONCURRENT) == CONCURRENT;
	s->lines = lines_new(e);
	s->hash = rte_hash_create(&params);
	if (s->lines == NULL || s->hash == NULL) {
		hash_free(s);
		return NULL;
	}
	return s;
}

static const void *key_of(const struct hash *s, const struct in6_addr *addr)
{
	return s->is_short ? (const void *)&addr->s6_addr32[3] : (const void *)addr;
}

static int hash_put(void *arg, uint32_t i, uint32_t number)
{
	struct hash *s = arg;
	alignas(8) struct in6_addr addr = entry_addr(&s->entries, i);

	return rte_hash_add_key_data(
		s->hash, key_of(s, &addr), &s->lines[line_put(s->lines, &s->entries, i, number)]);
}

// The place in the hash is another's at once. With readers one would wait for them to move on.
static void hash_del(void *arg, uint32_t i)
{
	struct hash *s = arg;
	alignas(8) struct in6_addr addr = entry_addr(&s->entries, i);

	int32_t position = rte_hash_del_key(s->hash, key_of(s, &addr));
	if (s->is_concurrent && position >= 0)
		(void)rte_hash_free_key_with_position(s->hash, position);
}

static void hash_load(void *arg, const uint32_t *i)
{
	struct hash *s = arg;

	for (uint32_t k = 0; k < BURST_MAX; k++)
		s->addr[k] = entry_addr(&s->entries, i[k]);
}

static void hash_find(void *arg, uint32_t *ret_numbers)
{
	struct hash *s = arg;
	const void *keys[BURST_MAX];
	void *lines[BURST_MAX];
	uint64_t hits = 0;

	for (uint32_t k = 0; k < BURST_MAX; k++)
		keys[k] = key_of(s, &s->addr[k]);
	(void)rte_hash_lookup_bulk_data(s->hash, keys, BURST_MAX, &hits, lines);
	for (uint32_t k = 0; k < BURST_MAX; k++)
		ret_numbers[k] =
			(hits >> k & 1) != 0 ? ((const struct line *)lines[k])->route.nexthop : 0;
}

static const struct variant concurrent = {.flags = CONCURRENT},
			    plain = {.flags = RTE_HASH_EXTRA_FLAGS_EXT_TABLE},
			    short_key = {.is_short = true, .flags = CONCURRENT};

#define HASH(name_, ip6_, is_safe_, variant_)                                                   \
	{                                                                                       \
		.name = name_, .ip4 = true, .ip6 = ip6_, .has_addresses = true,                 \
		.is_safe = is_safe_, .n_max = UINT32_MAX, .variant = variant_, .new = hash_new, \
		.free = hash_free, .put = hash_put, .del = hash_del, .load = hash_load,         \
		.find = hash_find                                                               \
	}

const struct structure hash_concurrent = HASH("rte_hash, lock-free", true, true, &concurrent);
const struct structure hash_plain = HASH("rte_hash, one thread", true, false, &plain);
const struct structure hash_short = HASH("rte_hash, 4-byte key", false, true, &short_key);
