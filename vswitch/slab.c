// Lines that are not in use are a list; blocks are kept until the slab goes.
#include "vswitch/slab.h"

#include <rte_lcore.h>
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

// Near the workers, if that can be had.
static union line *block_new(void)
{
	unsigned worker = rte_get_next_lcore(-1, 1, 0);
	int socket = worker < RTE_MAX_LCORE ? (int)rte_lcore_to_socket_id(worker) : SOCKET_ID_ANY;
	size_t size = BLOCK_LINES * sizeof(union line);
	union line *block = rte_malloc_socket(NULL, size, RTE_CACHE_LINE_SIZE, socket);

	return block != NULL ? block
			     : rte_malloc_socket(NULL, size, RTE_CACHE_LINE_SIZE, SOCKET_ID_ANY);
}

void *slab_get(struct slab *s)
{
	if (s->unused == NULL) {
		union line *block = block_new();

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
