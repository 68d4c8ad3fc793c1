#include "bench/made_port.h"

#include <rte_malloc.h>

#include <stdio.h>

struct port *made_port_new(size_t size, const struct port_ops *ops, struct rte_mempool *pool)
{
	struct port *p = rte_zmalloc(ops->kind, size, RTE_CACHE_LINE_SIZE);
	if (p == NULL)
		return NULL;

	p->ops = ops;
	p->pool = pool;
	p->n_rxq = 1;
	p->mtu = UINT16_MAX;
	(void)snprintf(p->name, sizeof(p->name), "%s", ops->kind);
	return p;
}

int made_port_rx_fd(struct port *, uint16_t)
{
	return -1;
}

void made_port_stats(const struct port *, struct port_stats *ret_stats)
{
	*ret_stats = (struct port_stats){0};
}

bool made_port_link_up(const struct port *)
{
	return true;
}

void made_port_close(struct port *p)
{
	rte_free(p);
}
