// A packet generator: sends a stream of UDP frames into a switch on one port, and counts and times what
// comes out of it on another. One thread does both.
//   generate [EAL options] -- DEVICE DEVICE …
// It opens the devices (virtio-user ones in server mode wait for the switch) and says {"ready": true, …}; then
// it reads orders from standard input, one a line, such as
//   tx=0 rx=1 seconds=1 frame=60 flows=1000 src_mac=… dst_mac=… src=100.64.0.2 dst=100.64.0.3
// and answers each by one line of JSON. order.h has all keys. It ends with its input.
#include "port.h"
#include "run.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORTS_MAX 8
#define N_BUFFERS 16383
#define CACHE 256
#define DATA_ROOM (2048 + RTE_PKTMBUF_HEADROOM)

static double microseconds(const struct histogram *h, double part)
{
	return (double)histogram_percentile(h, part) * 1e6 / (double)rte_get_tsc_hz();
}

static void print_result(const struct result *r)
{
	const struct histogram *h = &r->latency;

	printf("{\"seconds\": %.6f, \"sent\": %lu, \"received\": %lu, \"lost\": %lu, "
	       "\"refused\": %lu, \"skipped\": %lu, \"reordered\": %lu, \"foreign\": %lu, "
	       "\"frame\": %.1f, \"tsc_hz\": %lu, \"mpps\": %.6f, "
	       "\"latency_us\": {\"p50\": %.2f, \"p99\": %.2f, \"p999\": %.2f, \"max\": %.2f}}\n",
		r->seconds, r->sent, r->received, r->lost, r->refused, r->skipped, r->reordered,
		r->foreign, r->frame, rte_get_tsc_hz(), (double)r->received / r->seconds / 1e6,
		microseconds(h, 0.5), microseconds(h, 0.99), microseconds(h, 0.999),
		(double)h->max * 1e6 / (double)rte_get_tsc_hz());
}

static void print_error(const char *what, const char *why)
{
	printf("{\"error\": \"%s: %s\"}\n", what, why);
}

static void obey(char *line, const uint16_t *ports, uint16_t n_ports, struct rte_mempool *pool)
{
	static struct result result;
	struct order o;
	const char *why;
	int ret;

	if (order_parse(line, &o, &why) < 0) {
		print_error("what is meant by", why);
		return;
	}
	if (o.tx >= n_ports || o.rx >= n_ports) {
		print_error("tx, rx", "there are fewer ports");
		return;
	}
	ret = run_order(&o, ports, pool, &result);
	if (ret < 0)
		print_error(o.pcap[0] != '\0' ? o.pcap : "frame", strerror(-ret));
	else
		print_result(&result);
}

static void read_orders(const uint16_t *ports, uint16_t n_ports, struct rte_mempool *pool)
{
	char *line = NULL;
	size_t size = 0;

	printf("{\"ready\": true, \"tsc_hz\": %lu}\n", rte_get_tsc_hz());
	(void)fflush(stdout);
	while (getline(&line, &size, stdin) > 0) {
		obey(line, ports, n_ports, pool);
		(void)fflush(stdout);
	}
	free(line);
}

int main(int argc, char **argv)
{
	uint16_t ports[PORTS_MAX];
	uint16_t n_ports = 0;
	struct rte_mempool *pool;
	int n_eal = rte_eal_init(argc, argv);

	if (n_eal < 0) {
		print_error("EAL", "does not start");
		return 1;
	}
	pool = rte_pktmbuf_pool_create("buffers", N_BUFFERS, CACHE, 0, DATA_ROOM, 0);
	if (pool == NULL) {
		print_error("buffers", "out of memory");
		return 1;
	}
	for (int i = n_eal + 1; i < argc && n_ports < PORTS_MAX; i++) {
		const char *why;

		if (port_open(argv[i], pool, &ports[n_ports], &why) < 0) {
			print_error(argv[i], why);
			return 1;
		}
		n_ports++;
	}
	read_orders(ports, n_ports, pool);
	for (uint16_t i = 0; i < n_ports; i++) {
		(void)rte_eth_dev_stop(ports[i]);
		(void)rte_eth_dev_close(ports[i]);
	}
	(void)rte_eal_cleanup();
	return 0;
}
