// All of them, and the addresses of entries.
#include "bench/structures/structure.h"

#include <arpa/inet.h>
#include <stddef.h>

#include "vswitch/addr.h"

#define IP4_DENSE 0x0a000100 // 10.0.1.0
#define IP4_SPARSE 0x10000000 // 16.0.0.0/4
#define SPARSE_BITS 0x0fffffff
#define STEPS_SPARSE 9 // on the way to a scattered IPv6 address, behind those that all share
#define GROUP 256 // addresses of a table
#define GOLDEN 0x9e3779b1 // odd: multiplying by it reorders the numbers of 28 or 32 bits

const struct structure *const structures[] = {&strata_routes, &hash_concurrent, &hash_plain,
	&hash_short, &fib_ip4, &fib_ip6, &lpm_ip4, &lpm_ip6, &strata_nexthops, &strata_subnets,
	NULL};

struct in6_addr entry_addr(const struct entries *e, uint32_t i)
{
	struct in6_addr a = {0};

	if (!e->is_ip6)
		return addr_of_ip4(
			htonl(e->layout == LAYOUT_DENSE ? IP4_DENSE + i
							: IP4_SPARSE + (i * GOLDEN & SPARSE_BITS)));
	a.s6_addr[0] = 0xfd;
	a.s6_addr32[3] = htonl(e->layout == LAYOUT_DENSE ? i : i * GOLDEN);
	if (e->layout == LAYOUT_SPARSE)
		a.s6_addr32[2] = htonl(i * GOLDEN * GOLDEN);
	return a;
}

uint32_t entry_groups(const struct entries *e)
{
	uint32_t n = e->n + N_CHANGING;

	if (e->layout == LAYOUT_SPARSE)
		return e->is_ip6 ? n * STEPS_SPARSE : n;
	return n / GROUP + N_CHANGING;
}
