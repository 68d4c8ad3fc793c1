#include "port.h"

#include <rte_dev.h>
#include <rte_ethdev.h>

#include <stdio.h>
#include <string.h>

#define N_DESC 1024

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

int port_open(const char *device, struct rte_mempool *pool, uint16_t *ret_id, const char **ret_why)
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
