// A node for tests of the FIB: a real data plane with ring ports as uplink and pods, a cache fed
// by a store in memory, and a kernel that only takes notes.
#pragma once

#include <uv.h>

#include "ctrl/node/fib.h"
#include "ctrl/node/nodeinfo_writer.h"
#include "ctrl/store/cache.h"
#include "ctrl/store/store.h"
#include "pmd/ring.h"
#include "vswitch/dataplane.h"

#define PATIENCE_MS 20000 // how long a test waits for what must happen

extern const uint8_t uplink_mac[6]; // 52:54:00:00:00:01

struct world {
	uv_loop_t loop;
	struct dataplane *dp;
	struct tables *tables;
	struct store *store;
	struct cache *cache;
	struct config config;
	struct port *uplink;
	uint16_t uplink_index;
	struct fib *fib;
};

// Node "node-1" with the label net=a, 10.9.0.1/24 and fd09::1/64 on the wire, gateway 10.9.0.254.
struct world_options {
	uint32_t n_routes; // 0: few
	bool has_host; // a host port, so that the kernel is told
	bool no_uplink;
};
void world_open(struct world *w, const struct world_options *options);
void world_start(struct world *w); // the first (empty) lists are complete
void world_close(struct world *w);
extern uint32_t n_bad_objects; // that the cache kept out since world_start

// Turns the loop until done(arg); fails the test when that takes too long.
void world_until(struct world *w, bool (*done)(void *arg), void *arg);
void world_turn(struct world *w); // a few turns, without waiting
void world_for(struct world *w, unsigned ms);

// The store (fib_store.c), for fib_world.c.
struct store *memory_open(uv_loop_t *loop);
void memory_close(struct store *store);
void memory_synced(struct store *store); // the lists of all kinds are complete

// Objects, as JSON.
void put(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void del(struct world *w, enum kind kind, const char *namespace, const char *name);
const cJSON *stored(const struct world *w, enum kind kind, const char *namespace, const char *name);
uint32_t n_writes(const struct world *w); // creates and updates so far
void fail_next_write(struct world *w, int err);

#define API "\"apiVersion\":\"networking.alibaba.com/v1\","
void put_network(struct world *w, const char *name, const char *type, int net_id);
void put_subnet(struct world *w, const char *name, const char *network, const char *cidr,
	const char *gateway, int net_id); // net_id -1: the Network's
void put_ip(struct world *w, const char *subnet, const char *network, const char *ip_and_len,
	const char *node, const char *pod);
void put_node(struct world *w, const char *name, const char *vtep, const char *mac);

struct in6_addr ip(const char *text);
const struct route *route(const struct world *w, const char *ip); // NULL: none
const struct nexthop *nexthop(const struct world *w, uint32_t id);
const struct subnet *subnet(const struct world *w, const char *name); // NULL: none

// A pod's port on a ring. Addresses may be NULL.
struct test_pod {
	struct port *dev;
	uint16_t port;
};
void fib_pod_make(struct world *w, struct fib_pod *ret_pod, const char *name, const char *ip4,
	const char *subnet4, const char *ip6, const char *subnet6, bool overlay);
struct test_pod attach(struct world *w, const struct fib_pod *pod);
void detach(struct world *w, const struct test_pod *pod);

// Frames. take() waits for one on the port; its length is returned.
#define FRAME_MAX 256
uint16_t take(struct world *w, struct port *dev, uint8_t frame[FRAME_MAX]);
bool take_now(struct port *dev, uint8_t frame[FRAME_MAX], uint16_t *ret_len);
void discard(struct world *w, struct port *dev); // all that is there
void give(struct world *w, struct port *dev, const void *frame, uint16_t len);
// These wait for a frame on the uplink, VLAN-tagged if vlan != 0, and pass over all others.
void expect_arp_request(struct world *w, uint16_t vlan, const char *sender, const char *target);
void expect_solicitation(struct world *w, uint16_t vlan, const char *sender, const char *target);
// Gratuitous ARP, as a request and then as a reply.
void expect_announcement(struct world *w, uint16_t vlan, const char *addr);
void expect_unsolicited_advertisement(struct world *w, uint16_t vlan, const char *whose);
// What leaves by the uplink within so many milliseconds: gratuitous ARPs for addr, or anything.
uint32_t count_announcements(struct world *w, uint16_t vlan, const char *addr, unsigned ms);
uint32_t count_frames(struct world *w, unsigned ms);
void give_arp_reply(struct world *w, uint16_t vlan, const char *from, const uint8_t mac[6]);
void give_advertisement(
	struct world *w, uint16_t vlan, const char *from, const char *to, const uint8_t mac[6]);
// An IPv4 packet from a pod to the switch.
void give_ip4(
	struct world *w, const struct test_pod *pod, const struct fib_pod *from, const char *dst);

// What the kernel was told: "+10.0.0.0/16 ", "-10.0.0.0/16 ", "nat 1/2 " (masqueraded/all), "nat- ".
bool kernel_has_noted(const char *text);
void kernel_forget_notes(void);
void kernel_answers(int err); // from now on
