// Lines that are not in use are a list; blocks are kept until the slab goes.
#include "vswitch/slab.h"

#include "vswitch/near.h"

#include <rte_common.h>
#include <rte_malloc.h>

#include <string.h>

#define BLOCK_LINES 1024

union line {
	union line *next; // of the unused, or of the blocks
	char room[RTE_CACHE_LINE_SIZE];
};

struct slab {
	union line *unused;
	union line *blocks; // the first line of each
};

struct slab *slab_new(void)
{
	return rte_zmalloc(NULL, sizeof(struct slab), 0);
}

void slab_free(struct slab *s)
{
	if (s == NULL)
		return;
	while (s->blocks != NULL) {
		union line *next = s->blocks->next;

		rte_free(s->blocks);
		s->blocks = next;
	}
	rte_free(s);
}

void *slab_get(struct slab *s)
{
	if (s->unused == NULL) {
		union line *block = near_alloc(BLOCK_LINES * sizeof(*block));

		if (block == NULL)
			return NULL;
		block[0].next = s->blocks;
		s->blocks = block;
		for (unsigned int i = BLOCK_LINES - 1; i > 0; i--)
			slab_put(s, &block[i]);
	}
	union line *line = s->unused;
	s->unused = line->next;
	memset(line, 0, sizeof(*line));
	return line;
}

void slab_put(struct slab *s, void *line)
{
	union line *l = line;

	l->next = s->unused;
	s->unused = l;
}
