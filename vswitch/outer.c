#include "vswitch/outer.h"

#include "vswitch/addr.h"
#include "vswitch/packet.h"

#define VXLAN_FLAGS 0x08 // a VNI is there

static uint8_t put_ether(
	uint8_t *at, const struct node *node, const struct tunnel_to *to, uint16_t type)
{
	struct rte_ether_hdr *eth = (void *)at;

	eth->dst_addr = *to->mac;
	eth->src_addr = node->uplink_mac;
	eth->ether_type = rte_cpu_to_be_16(to->vlan != 0 ? RTE_ETHER_TYPE_VLAN : type);
	if (to->vlan == 0)
		return RTE_ETHER_HDR_LEN;
	struct rte_vlan_hdr *tag = (void *)(eth + 1);
	tag->vlan_tci = rte_cpu_to_be_16(to->vlan);
	tag->eth_proto = rte_cpu_to_be_16(type);
	return OUTER_TAGGED_LEN;
}

static struct rte_udp_hdr udp_header(const struct node *node)
{
	return (struct rte_udp_hdr){.dst_port = rte_cpu_to_be_16(node->vxlan_port)};
}

static struct rte_vxlan_hdr vxlan_header(const struct node *node)
{
	return (struct rte_vxlan_hdr){
		.vx_flags = RTE_BE32(VXLAN_FLAGS << 24),
		.vx_vni = rte_cpu_to_be_32(node->vni << 8),
	};
}

static void put4(struct outer *o, const struct node *node, const struct in6_addr *remote)
{
	struct outer4 *h = (void *)&o->bytes[o->l3_off];

	*h = (struct outer4){
		.ip.version_ihl = RTE_IPV4_VHL_DEF,
		.ip.fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG),
		.ip.time_to_live = TTL_DEFAULT,
		.ip.next_proto_id = IPPROTO_UDP,
		.ip.src_addr = addr_ip4(&node->vtep4),
		.ip.dst_addr = addr_ip4(remote),
		.udp = udp_header(node),
		.vxlan = vxlan_header(node),
	};
	o->sum = sum_fold32(ip4_sum(&h->ip));
	o->len = (uint8_t)(o->l3_off + sizeof(*h));
}

static void put6(struct outer *o, const struct node *node, const struct in6_addr *remote)
{
	struct outer6 *h = (void *)&o->bytes[o->l3_off];

	*h = (struct outer6){
		.ip.vtc_flow = RTE_BE32(6u << 28),
		.ip.proto = IPPROTO_UDP,
		.ip.hop_limits = TTL_DEFAULT,
		.udp = udp_header(node),
		.vxlan = vxlan_header(node),
	};
	memcpy(h->ip.src_addr, &node->vtep6, sizeof(h->ip.src_addr));
	memcpy(h->ip.dst_addr, remote, sizeof(h->ip.dst_addr));
	o->len = (uint8_t)(o->l3_off + sizeof(*h));
}

void outer_make(struct outer *o, const struct node *node, const struct tunnel_to *to)
{
	*o = (struct outer){.is_ip4 = addr_is_ip4(to->remote)};
	if (!node->has_vni || addr_is_unspecified(o->is_ip4 ? &node->vtep4 : &node->vtep6))
		return;
	o->l3_off = put_ether(
		o->bytes, node, to, o->is_ip4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
	if (o->is_ip4)
		put4(o, node, to->remote);
	else
		put6(o, node, to->remote);
	if (to->inner_mac != NULL) {
		struct rte_ether_hdr *inner = (void *)&o->bytes[o->len];
		inner->dst_addr = *to->inner_mac;
		inner->src_addr = node->vtep_mac;
	}
}

bool outer_is_same(const struct node *a, const struct node *b)
{
	return a->has_vni == b->has_vni && a->vni == b->vni && a->vxlan_port == b->vxlan_port &&
	       addr_equal(&a->vtep4, &b->vtep4) && addr_equal(&a->vtep6, &b->vtep6) &&
	       rte_is_same_ether_addr(&a->vtep_mac, &b->vtep_mac) &&
	       rte_is_same_ether_addr(&a->uplink_mac, &b->uplink_mac);
}
