#include "tests/unit/node/fib_networks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct world w;
const uint8_t mac_2[6] = {0x52, 0x54, 0, 0, 0, 2};
const uint8_t mac_router[6] = {0x52, 0x54, 0, 0, 0, 0xfe};

void put_networks(void)
{
	put_network(&w, "overlay", "Overlay", 4);
	put_subnet(&w, "over", "overlay", "100.64.0.0/16", "100.64.0.1", -1);
	put_network(&w, "under", "Underlay", 56);
	put_subnet(&w, "wire", "under", "192.168.56.0/24", "192.168.56.254", -1);
}

int setup(void **)
{
	world_open(&w, &(struct world_options){0});
	world_start(&w);
	put_networks();
	return 0;
}

int teardown(void **)
{
	world_close(&w);
	return 0;
}

struct nexthop_wait {
	uint32_t id;
	enum nexthop_kind kind;
	const uint8_t *mac; // NULL: any
};

static bool is_so(void *arg)
{
	const struct nexthop_wait *n = arg;
	const struct nexthop *nh = nexthop(&w, n->id);

	return nh != NULL && nh->kind == n->kind &&
	       (n->mac == NULL || memcmp(&nh->dst, n->mac, 6) == 0);
}

void wait_nexthop(uint32_t id, enum nexthop_kind kind, const uint8_t *mac)
{
	world_until(&w, is_so, &(struct nexthop_wait){id, kind, mac});
}

uint32_t resolved_tunnel(void)
{
	put_ip(&w, "over", "overlay", "100.64.0.5/16", "node-2", "a");
	put_node(&w, "node-2", "10.9.0.2", MAC_2);
	uint32_t tunnel = route(&w, "100.64.0.5")->nexthop;
	expect_arp_request(&w, 0, "10.9.0.1", "10.9.0.2");
	give_arp_reply(&w, 0, "10.9.0.2", mac_2);
	wait_nexthop(tunnel, NEXTHOP_TUNNEL, NULL);
	return tunnel;
}
