#include "bench/guest.h"

#include <rte_dev.h>
#include <rte_ethdev.h>

#include <errno.h>
#include <stdio.h>

#include "vswitch/counter.h"

#define NAME "net_virtio_user0"
#define N_BUFFERS 8191
#define BURST 32 // what its driver likes

static int queues_start(struct guest *g)
{
	const struct rte_eth_conf conf = {0};

	int ret = rte_eth_dev_configure(g->id, g->n_queues, g->n_queues, &conf);
	for (uint16_t q = 0; q < g->n_queues && ret == 0; q++) {
		rte_spinlock_init(&g->queue[q].lock);
		ret = rte_eth_rx_queue_setup(g->id, q, GUEST_RING, 0, NULL, g->pool);
		if (ret == 0)
			ret = rte_eth_tx_queue_setup(g->id, q, GUEST_RING, 0, NULL);
	}
	return ret < 0 ? ret : rte_eth_dev_start(g->id);
}

int guest_open(struct guest *g, const char *path, uint16_t n_queues)
{
	char args[256];

	(void)snprintf(args, sizeof(args), "path=%s,queues=%u,queue_size=%u,mac=02:00:00:00:00:01",
		path, n_queues, GUEST_RING);
	g->n_queues = n_queues;
	g->pool = rte_pktmbuf_pool_create(
		"guest", N_BUFFERS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (g->pool == NULL)
		return -ENOMEM;
	int ret = rte_eal_hotplug_add("vdev", NAME, args);
	if (ret == 0)
		ret = rte_eth_dev_get_port_by_name(NAME, &g->id);
	return ret < 0 ? ret : queues_start(g);
}

void guest_close(struct guest *g)
{
	(void)rte_eth_dev_stop(g->id);
	(void)rte_eal_hotplug_remove("vdev", NAME);
	rte_mempool_free(g->pool);
}

void guest_drain(struct guest *g)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t n;

	for (uint16_t q = 0; q < g->n_queues; q++) {
		if (!rte_spinlock_trylock(&g->queue[q].lock))
			continue;
		do {
			n = rte_eth_rx_burst(g->id, q, pkts, BURST);
			rte_pktmbuf_free_bulk(pkts, n);
			counter_add(&g->queue[q].n_received, n);
		} while (n == BURST);
		rte_spinlock_unlock(&g->queue[q].lock);
	}
}

void guest_sent(struct guest *g, uint32_t sender, uint16_t n)
{
	counter_add(&g->sender[sender].n_sent, n);
}

int64_t guest_behind(const struct guest *g)
{
	uint64_t behind = 0;

	for (uint32_t i = 0; i < GUEST_SENDERS_MAX; i++)
		behind += counter_read(&g->sender[i].n_sent);
	for (uint16_t q = 0; q < g->n_queues; q++)
		behind -= counter_read(&g->queue[q].n_received);
	return (int64_t)behind;
}

void guest_forget(struct guest *g)
{
	for (uint32_t i = 0; i < GUEST_SENDERS_MAX; i++)
		atomic_store_explicit(&g->sender[i].n_sent, 0, memory_order_relaxed);
	for (uint16_t q = 0; q < g->n_queues; q++)
		atomic_store_explicit(&g->queue[q].n_received, 0, memory_order_relaxed);
}
