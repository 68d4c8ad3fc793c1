#include "port.h"

#include <rte_dev.h>
#include <rte_ethdev.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define N_DESC 1024

// Moves this thread to a namespace. Returns 0 or -errno.
static int enter(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = setns(fd, CLONE_NEWNET) < 0 ? -errno : 0;
	(void)close(fd);
	return ret;
}

static int start(uint16_t id, struct rte_mempool *pool, const char **ret_why)
{
	const struct rte_eth_conf conf = {0};
	uint16_t n_rxd = N_DESC, n_txd = N_DESC;
	int ret;

	*ret_why = "it cannot be configured";
	ret = rte_eth_dev_configure(id, 1, 1, &conf);
	if (ret < 0)
		return ret;
	ret = rte_eth_dev_adjust_nb_rx_tx_desc(id, &n_rxd, &n_txd);
	if (ret < 0)
		return ret;
	ret = rte_eth_rx_queue_setup(id, 0, n_rxd, 0, NULL, pool);
	if (ret < 0)
		return ret;
	ret = rte_eth_tx_queue_setup(id, 0, n_txd, 0, NULL);
	if (ret < 0)
		return ret;
	*ret_why = "it does not start";
	ret = rte_eth_dev_start(id);
	if (ret == 0)
		(void)rte_eth_promiscuous_enable(id);
	return ret;
}

static int open_here(
	const char *device, struct rte_mempool *pool, uint16_t *ret_id, const char **ret_why)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	int ret;

	*ret_why = "no driver takes it";
	ret = rte_dev_probe(device);
	if (ret < 0)
		return ret;
	(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(device, ","), device);
	ret = rte_eth_dev_get_port_by_name(name, ret_id);
	if (ret < 0)
		return ret;
	return start(*ret_id, pool, ret_why);
}

int port_open(const char *device, struct rte_mempool *pool, uint16_t *ret_id, const char **ret_why)
{
	char ns[128];
	const char *colon = device[0] == '/' ? strchr(device, ':') : NULL;
	int ret;

	if (colon == NULL)
		return open_here(device, pool, ret_id, ret_why);
	*ret_why = "its network namespace cannot be entered";
	(void)snprintf(ns, sizeof(ns), "%.*s", (int)(colon - device), device);
	ret = enter(ns);
	if (ret < 0)
		return ret;
	ret = open_here(colon + 1, pool, ret_id, ret_why);
	(void)enter("/proc/1/ns/net");
	return ret;
}
