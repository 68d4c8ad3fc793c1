// The table of pointers against an array that is searched from its beginning: random additions, removals and
// looks, with keys that meet often.
#include "ctrl/store/table.h"

#include "random.h"

#define N_KEYS 512
#define N_ROUNDS 20
#define N_STEPS 20000 // of a round
#define HOMES 24 // few: long runs of neighbours, over the table's end, too

struct element {
	uint32_t key;
	bool present;
};

static struct element elements[N_KEYS];
static uint32_t spread; // where the homes are, in each round elsewhere

static const void *key_of(const void *element)
{
	return &((const struct element *)element)->key;
}

static uint64_t hash(const void *key)
{
	return *(const uint32_t *)key % HOMES * spread;
}

static bool equal(const void *a, const void *b)
{
	return *(const uint32_t *)a == *(const uint32_t *)b;
}

static const struct table_type type = {.key = key_of, .hash = hash, .equal = equal};

static void check_all(const struct table *t)
{
	size_t n = 0, seen = 0;
	struct element *e;

	for (uint32_t i = 0; i < N_KEYS; i++) {
		bool right =
			table_find(t, &type, &i) == (elements[i].present ? &elements[i] : NULL);

		if (!right)
			abort();
		n += elements[i].present;
	}
	TABLE_FOREACH(t, i, e)
	seen += e->present;
	if (t->n != n || seen != n)
		abort();
}

static void round_of(uint64_t *random)
{
	struct table t = {0};

	for (uint32_t i = 0; i < N_KEYS; i++)
		elements[i] = (struct element){.key = i};
	check_all(&t);
	for (unsigned int step = 0; step < N_STEPS; step++) {
		// Grows for a while, then shrinks, and so on.
		bool grows = step / 2000 % 2 == 0;
		struct element *e = &elements[random_below(random, N_KEYS)];

		if (e->present && (!grows || random_below(random, 4) == 0)) {
			table_del(&t, &type, e);
			e->present = false;
		} else if (!e->present && (grows || random_below(random, 4) == 0)) {
			if (table_add(&t, &type, e) < 0)
				abort();
			e->present = true;
		} else {
			table_del(&t, &type, &(struct element){.key = N_KEYS + step}); // no such
		}
		if (step % 97 == 0)
			check_all(&t);
	}
	check_all(&t);
	table_fini(&t);
}

int main(int argc, char **argv)
{
	uint64_t random = random_seed(argc, argv);

	for (int i = 0; i < N_ROUNDS; i++) {
		spread = (uint32_t)random_below(&random, UINT16_MAX) + 1;
		round_of(&random);
	}
	return 0;
}
