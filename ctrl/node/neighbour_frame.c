// ARP (RFC 826, RFC 5227) and neighbour discovery (RFC 4861) frames, written field by field.
#include "ctrl/node/neighbour_frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <netinet/icmp6.h>

#define ETHER_TYPE_ARP 0x0806
#define ETHER_TYPE_IPV6 0x86dd
#define ETHER_TYPE_VLAN 0x8100
#define ETHER_MIN_LEN 60 // without the checksum, which the NIC adds
#define VLAN_TAG_LEN 4
#define ND_LEN 32 // ICMPv6 header, target, one link-layer address option
#define ND_LEN_PROBE 24 // without the option

static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

struct writer {
	uint8_t *buf;
	uint16_t len;
};

static void put(struct writer *w, const void *bytes, size_t n)
{
	memcpy(&w->buf[w->len], bytes, n);
	w->len = (uint16_t)(w->len + n);
}

static void put8(struct writer *w, uint8_t v)
{
	w->buf[w->len++] = v;
}

static void put16(struct writer *w, uint16_t v)
{
	put8(w, (uint8_t)(v >> 8));
	put8(w, (uint8_t)v);
}

static void put_ether(
	struct writer *w, const struct neighbour_speaker *from, const uint8_t *dst, uint16_t type)
{
	put(w, dst, 6);
	put(w, from->mac, 6);
	if (from->vlan != 0) {
		put16(w, ETHER_TYPE_VLAN);
		put16(w, from->vlan);
	}
	put16(w, type);
}

// A switch that takes the tag off must not be left with a runt, so the tag does not count.
static uint16_t pad(struct writer *w, const struct neighbour_speaker *from)
{
	uint16_t min = (uint16_t)(ETHER_MIN_LEN + (from->vlan != 0 ? VLAN_TAG_LEN : 0));

	while (w->len < min)
		put8(w, 0);
	return w->len;
}

struct arp {
	uint16_t op;
	const struct in6_addr *sender, *target;
	const uint8_t *target_mac; // NULL: zeros
};

static uint16_t arp_frame(
	uint8_t *buf, const struct neighbour_speaker *from, const uint8_t *dst, const struct arp *a)
{
	static const uint8_t nobody[6];
	struct writer w = {.buf = buf};

	put_ether(&w, from, dst, ETHER_TYPE_ARP);
	put16(&w, 1); // Ethernet
	put16(&w, 0x0800); // IPv4
	put8(&w, 6);
	put8(&w, 4);
	put16(&w, a->op);
	put(&w, from->mac, 6);
	put(&w, &a->sender->s6_addr[12], 4);
	put(&w, a->target_mac != NULL ? a->target_mac : nobody, 6);
	put(&w, &a->target->s6_addr[12], 4);
	return pad(&w, from);
}

static uint32_t sum16(const uint8_t *bytes, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	return sum;
}

struct nd {
	uint8_t type;
	uint8_t flags; // first octet of the advertisement's flags
	struct in6_addr src, dst, target;
	bool has_option;
};

static uint16_t nd_frame(
	uint8_t *buf, const struct neighbour_speaker *from, const uint8_t *dst, const struct nd *nd)
{
	uint16_t len = nd->has_option ? ND_LEN : ND_LEN_PROBE;
	struct writer w = {.buf = buf};

	put_ether(&w, from, dst, ETHER_TYPE_IPV6);
	put16(&w, 0x6000); // version 6, no traffic class
	put16(&w, 0); // flow label
	put16(&w, len);
	put8(&w, IPPROTO_ICMPV6);
	put8(&w, 255); // anything less was forwarded, and is refused
	put(&w, &nd->src, 16);
	put(&w, &nd->dst, 16);

	uint16_t icmp = w.len;
	put8(&w, nd->type);
	put8(&w, 0);
	put16(&w, 0); // checksum, below
	put8(&w, nd->flags);
	put8(&w, 0);
	put16(&w, 0);
	put(&w, &nd->target, 16);
	if (nd->has_option) {
		put8(&w, nd->type == ND_NEIGHBOR_SOLICIT ? ND_OPT_SOURCE_LINKADDR
							 : ND_OPT_TARGET_LINKADDR);
		put8(&w, 1); // times eight octets
		put(&w, from->mac, 6);
	}

	uint32_t sum = sum16(nd->src.s6_addr, 16) + sum16(nd->dst.s6_addr, 16) + len +
		       IPPROTO_ICMPV6 + sum16(&buf[icmp], len);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	buf[icmp + 2] = (uint8_t)(~sum >> 8);
	buf[icmp + 3] = (uint8_t)~sum;
	return pad(&w, from);
}

static struct in6_addr solicited_node(const struct in6_addr *target)
{
	struct in6_addr group = {.s6_addr = {0xff, 0x02, [11] = 0x01, [12] = 0xff}};

	memcpy(&group.s6_addr[13], &target->s6_addr[13], 3);
	return group;
}

static void group_mac(const struct in6_addr *group, uint8_t mac[6])
{
	mac[0] = 0x33;
	mac[1] = 0x33;
	memcpy(&mac[2], &group->s6_addr[12], 4);
}

uint16_t neighbour_frame_request(uint8_t buf[NEIGHBOUR_FRAME_MAX],
	const struct neighbour_speaker *from, const struct in6_addr *sender,
	const struct in6_addr *target, const uint8_t *dst)
{
	if (IN6_IS_ADDR_V4MAPPED(target)) {
		const struct arp a = {.op = 1, .sender = sender, .target = target};
		return arp_frame(buf, from, dst != NULL ? dst : everybody, &a);
	}

	struct in6_addr group = solicited_node(target);
	uint8_t mac[6];
	group_mac(&group, mac);
	const struct nd nd = {
		.type = ND_NEIGHBOR_SOLICIT,
		.src = *sender,
		.dst = dst != NULL ? *target : group,
		.target = *target,
		.has_option = !IN6_IS_ADDR_UNSPECIFIED(sender), // RFC 4861 §4.3
	};
	return nd_frame(buf, from, dst != NULL ? dst : mac, &nd);
}

uint16_t neighbour_frame_announce(uint8_t buf[NEIGHBOUR_FRAME_MAX],
	const struct neighbour_speaker *from, const struct in6_addr *ip,
	enum neighbour_announcement form)
{
	if (form != NEIGHBOUR_ANNOUNCE_ND) {
		const bool reply = form == NEIGHBOUR_ANNOUNCE_REPLY;
		const struct arp a = {
			.op = reply ? 2 : 1,
			.sender = ip,
			.target = ip,
			.target_mac = reply ? everybody : NULL,
		};
		return arp_frame(buf, from, everybody, &a);
	}

	const struct in6_addr all_nodes = {.s6_addr = {0xff, 0x02, [15] = 0x01}};
	uint8_t mac[6];
	group_mac(&all_nodes, mac);
	const struct nd nd = {
		.type = ND_NEIGHBOR_ADVERT,
		.flags = 0x20, // override what is known
		.src = *ip,
		.dst = all_nodes,
		.target = *ip,
		.has_option = true,
	};
	return nd_frame(buf, from, mac, &nd);
}

struct in6_addr neighbour_link_local(const uint8_t mac[6])
{
	return (struct in6_addr){
		.s6_addr = {0xfe, 0x80, [8] = mac[0] ^ 0x02, [9] = mac[1], [10] = mac[2],
			[11] = 0xff, [12] = 0xfe, [13] = mac[3], [14] = mac[4], [15] = mac[5]}};
}
