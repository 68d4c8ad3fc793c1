#include "vswitch/near.h"

#include <rte_lcore.h>
#include <rte_malloc.h>

void *near_alloc(size_t size)
{
	unsigned worker = rte_get_next_lcore(-1, 1, 0);
	int socket = worker < RTE_MAX_LCORE ? (int)rte_lcore_to_socket_id(worker) : SOCKET_ID_ANY;

	void *at = rte_zmalloc_socket(NULL, size, RTE_CACHE_LINE_SIZE, socket);
	if (at == NULL)
		at = rte_zmalloc_socket(NULL, size, RTE_CACHE_LINE_SIZE, SOCKET_ID_ANY);
	return at;
}
