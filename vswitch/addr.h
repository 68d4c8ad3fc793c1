// Small questions about addresses. All are IPv6 addresses, IPv4 ones IPv4-mapped.
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>

// What pods see as their router, on every node alike.
#define GATEWAY_MAC ((struct rte_ether_addr){.addr_bytes = {0xee, 0xee, 0xee, 0xee, 0xee, 0xee}})
#define GATEWAY_IP4 \
	((struct in6_addr){.s6_addr = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 169, 254, 1, 1}})
#define GATEWAY_IP6                                                                                \
	((struct in6_addr){.s6_addr = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0xec, 0xee, 0xee, 0xff, 0xfe, \
				   0xee, 0xee, 0xee}})

static inline struct in6_addr addr_of_ip4(rte_be32_t ip)
{
	struct in6_addr a = {0};
	a.s6_addr32[2] = RTE_BE32(0xffff);
	a.s6_addr32[3] = ip;
	return a;
}

static inline struct in6_addr addr_of_ip6(const uint8_t ip[16])
{
	struct in6_addr a;
	memcpy(&a, ip, sizeof(a));
	return a;
}

static inline rte_be32_t addr_ip4(const struct in6_addr *a)
{
	return a->s6_addr32[3];
}

static inline bool addr_is_ip4(const struct in6_addr *a)
{
	return a->s6_addr32[0] == 0 && a->s6_addr32[1] == 0 && a->s6_addr32[2] == RTE_BE32(0xffff);
}

static inline bool addr_equal(const struct in6_addr *a, const struct in6_addr *b)
{
	uint64_t x[2], y[2];
	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

// ::, which stands for no address where there may be none.
static inline bool addr_is_none(const struct in6_addr *a)
{
	uint64_t x[2];
	memcpy(x, a, sizeof(x));
	return (x[0] | x[1]) == 0;
}

// :: or 0.0.0.0.
static inline bool addr_is_unspecified(const struct in6_addr *a)
{
	return a->s6_addr32[3] == 0 && a->s6_addr32[0] == 0 && a->s6_addr32[1] == 0 &&
	       (a->s6_addr32[2] == 0 || a->s6_addr32[2] == RTE_BE32(0xffff));
}

// Multicast of either family, and IPv4's limited broadcast.
static inline bool addr_is_multicast(const struct in6_addr *a)
{
	if (addr_is_ip4(a))
		return a->s6_addr[12] >> 4 == 0xe || a->s6_addr32[3] == UINT32_MAX;
	return a->s6_addr[0] == 0xff;
}

// fe80::/10. IPv4's link-local addresses are routed like others: clouds have services there.
static inline bool addr_is_link_local(const struct in6_addr *a)
{
	return a->s6_addr[0] == 0xfe && (a->s6_addr[1] & 0xc0) == 0x80;
}

// 127.0.0.0/8 and ::1.
static inline bool addr_is_loopback(const struct in6_addr *a)
{
	if (addr_is_ip4(a))
		return a->s6_addr[12] == 127;
	return a->s6_addr32[0] == 0 && a->s6_addr32[1] == 0 && a->s6_addr32[2] == 0 &&
	       a->s6_addr32[3] == RTE_BE32(1);
}

static inline bool addr_is_gateway(const struct in6_addr *a)
{
	return addr_equal(a, &GATEWAY_IP4) || addr_equal(a, &GATEWAY_IP6);
}

// Whether it is an address that switches and routers forward to.
static inline bool addr_is_forwarded(const struct in6_addr *a)
{
	return !addr_is_unspecified(a) && !addr_is_multicast(a) && !addr_is_loopback(a) &&
	       !addr_is_link_local(a) && !addr_is_gateway(a);
}

// Whether the first len bits of a are those of prefix.
static inline bool addr_in_prefix(
	const struct in6_addr *a, const struct in6_addr *prefix, uint8_t len)
{
	uint64_t x[2], y[2];
	memcpy(x, a, sizeof(x));
	memcpy(y, prefix, sizeof(y));
	uint64_t high = rte_be_to_cpu_64(x[0] ^ y[0]);
	uint64_t low = rte_be_to_cpu_64(x[1] ^ y[1]);

	if (len > 64)
		return high == 0 && low >> (128 - len) == 0;
	return len == 0 || high >> (64 - len) == 0;
}
