#include "bench/pods.h"

#include <string.h>

#include "bench/fail.h"
#include "vswitch/addr.h"

struct pod pod_add(struct dataplane *dp, struct port *dev, uint32_t number)
{
	struct pod pod = {
		.dev = dev,
		.addr = 0x64400000 + number,
		.mac = {{0x02, 0x12, 0x34, 0, (uint8_t)(number >> 8), (uint8_t)number}},
	};
	struct vport vport = {
		.dev = dev,
		.kind = VPORT_POD,
		.overlay = true,
		.mac = pod.mac,
		.ip4 = addr_of_ip4(rte_cpu_to_be_32(pod.addr)),
		.subnet4 = SUBNET_NONE,
		.subnet6 = SUBNET_NONE,
	};
	struct nexthop nh = {.kind = NEXTHOP_PORT, .mtu = 1450, .dst = pod.mac};
	struct route route = {
		.addr = vport.ip4, .kind = ROUTE_LOCAL_POD, .overlay = true, .subnet = SUBNET_NONE};

	if (dev == NULL || dataplane_add_port(dp, &vport) < 0)
		fail("no port");
	pod.index = nh.port = vport.index;
	if (tables_add_nexthop(dataplane_tables(dp), &nh, &route.nexthop) < 0 ||
		tables_put_route(dataplane_tables(dp), &route) < 0)
		fail("no route");
	return pod;
}

struct pod_headers pod_headers(const struct pod *from, const struct pod *to)
{
	struct pod_headers h = {
		.eth = {.dst_addr = GATEWAY_MAC,
			.src_addr = from->mac,
			.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4)},
		.ip = {.version_ihl = RTE_IPV4_VHL_DEF,
			.time_to_live = 64,
			.next_proto_id = IPPROTO_UDP,
			.total_length = RTE_BE16(POD_FRAME_LEN - sizeof(struct rte_ether_hdr)),
			.src_addr = rte_cpu_to_be_32(from->addr),
			.dst_addr = rte_cpu_to_be_32(to->addr)},
		.udp = {.dst_port = RTE_BE16(7),
			.dgram_len = RTE_BE16(POD_FRAME_LEN - offsetof(struct pod_headers, udp))},
	};
	h.ip.hdr_checksum = rte_ipv4_cksum(&h.ip);
	return h;
}

struct rte_mbuf *pod_packet(struct rte_mempool *pool, const struct pod_headers *h, uint16_t i)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	if (m == NULL)
		return NULL;
	memset(rte_pktmbuf_append(m, POD_FRAME_LEN), 0, POD_FRAME_LEN);
	pod_rewrite(m, h, i);
	return m;
}
