// Cache lines for objects that workers read and of which there are many: taken from DPDK's memory in blocks,
// since there each allocation of its own costs two lines more. Control thread only.
#pragma once

struct slab;

struct slab *slab_new(void); // NULL if memory is short
void slab_free(struct slab *s); // and every line; accepts NULL
void *slab_get(struct slab *s); // a line of zeroes; NULL if memory is short
void slab_put(struct slab *s, void *line); // one that no worker looks at any more
