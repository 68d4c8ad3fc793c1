// A packet generator: sends a stream of UDP frames into a switch on one port, and counts and times what
// comes out of it on another. One thread does both.
//   generate [EAL options] -- DEVICE DEVICE …
// It opens the devices (virtio-user ones in server mode wait for the switch) and says {"ready": true, …}; then
// it reads orders from standard input, one a line, such as
//   tx=0 rx=1 seconds=1 frame=60 flows=1000 src_mac=… dst_mac=… src=100.64.0.2 dst=100.64.0.3
// and answers each by one line of JSON. order.h has all keys. It ends with its input.
#include "port.h"
#include "talk.h"

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <errno.h>

#define PORTS_MAX 8
// Full rings both ways and little more: what is in use stays in the CPU's cache.
#define PORT_BUFFERS 2048
#define CACHE 256
#define DATA_ROOM (2048 + RTE_PKTMBUF_HEADROOM)

struct ports {
	uint16_t ids[PORTS_MAX];
	uint16_t n;
	struct rte_mempool *pool;
};

static int obey(void *arg, const struct order *o, struct result *ret_result)
{
	const struct ports *p = arg;

	if (o->tx >= p->n || o->rx >= p->n)
		return -ENODEV;
	return run_order(o, p->ids, p->pool, ret_result);
}

int main(int argc, char **argv)
{
	struct ports ports = {0};
	int n_eal = rte_eal_init(argc, argv);

	if (n_eal < 0) {
		talk_error("EAL", "does not start");
		return 1;
	}
	unsigned n_ports = (unsigned)RTE_MAX(argc - n_eal - 1, 1);
	ports.pool =
		rte_pktmbuf_pool_create("buffers", n_ports * PORT_BUFFERS, CACHE, 0, DATA_ROOM, 0);
	if (ports.pool == NULL) {
		talk_error("buffers", "out of memory");
		return 1;
	}
	for (int i = n_eal + 1; i < argc && ports.n < PORTS_MAX; i++) {
		const char *why;

		if (port_open(argv[i], ports.pool, &ports.ids[ports.n], &why) < 0) {
			talk_error(argv[i], why);
			return 1;
		}
		ports.n++;
	}
	talk(obey, &ports);
	for (uint16_t i = 0; i < ports.n; i++) {
		(void)rte_eth_dev_stop(ports.ids[i]);
		(void)rte_eth_dev_close(ports.ids[i]);
	}
	(void)rte_eal_cleanup();
	return 0;
}
