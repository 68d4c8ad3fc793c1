// Overlay pods on a data plane, and short frames between them.
#pragma once

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>

#include "vswitch/dataplane.h"

#define POD_FRAME_LEN 60
#define POD_FLOWS 64

struct pod {
	struct port *dev; // the data plane's
	uint16_t index;
	uint32_t addr; // IPv4, host order
	struct rte_ether_addr mac;
};

// What a frame begins with; zeros follow.
struct pod_headers {
	struct rte_ether_hdr eth;
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
} __attribute__((packed, aligned(2)));

// Publishes a port and a route to it. `number` is the pod's, from 1. Ends the program on failure.
struct pod pod_add(struct dataplane *dp, struct port *dev, uint32_t number);

struct pod_headers pod_headers(const struct pod *from, const struct pod *to);
// A frame of flow i out of the pool, NULL if there is none.
struct rte_mbuf *pod_packet(struct rte_mempool *pool, const struct pod_headers *h, uint16_t i);

// Makes m, which was a frame before, a fresh one of flow i.
static inline void pod_rewrite(struct rte_mbuf *m, const struct pod_headers *h, uint16_t i)
{
	struct pod_headers *to = rte_pktmbuf_mtod(m, struct pod_headers *);

	*to = *h;
	to->udp.src_port = rte_cpu_to_be_16((uint16_t)(1024 + i % POD_FLOWS));
}
