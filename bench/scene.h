// What benchmarks of the data path forward: a node with pods of both kinds, remote pods behind
// tunnels and on a VLAN, and frames of many flows on each of the ways between them.
//
//	this node ── pod A, pod B (overlay), blue pod (VLAN 56)
//	          ── uplink ── SCENE_NODES nodes ── SCENE_FLOWS overlay pods, SCENE_FLOWS blue pods
#pragma once

#include <rte_mbuf.h>

#include "vswitch/tables.h"

#define SCENE_FLOWS 1024
#define SCENE_NODES 16
#define SCENE_FRAME_MAX 192

enum scene_port { // their numbers
	SCENE_UPLINK = 1,
	SCENE_POD_A,
	SCENE_POD_B,
	SCENE_BLUE_POD,
	SCENE_PORTS
};

enum scene_way {
	SCENE_POD_POD,
	SCENE_POD_TUNNEL,
	SCENE_TUNNEL_POD,
	SCENE_POD_VLAN,
	SCENE_VLAN_POD,
	SCENE_WAYS
};

// A way, in one family. Its frames are the shortest: 60 bytes (IPv6: 62), inside a tunnel as well.
struct scene {
	const char *name; // "pod-tunnel"
	bool is_ip6; // the pods' addresses; tunnels are over IPv4
	enum scene_port from, to;
	uint16_t len; // of each frame
	struct in6_addr dst[SCENE_FLOWS]; // of each frame, inside a tunnel
	uint8_t frames[SCENE_FLOWS][SCENE_FRAME_MAX];
};

// Puts ports (without devices; those that are there keep theirs), Subnets, next hops and routes into
// the tables. 0 or -errno.
int scene_tables(struct tables *t);
// Makes the frames of a way. To be freed by the caller; NULL without memory.
struct scene *scene_new(enum scene_way way, bool is_ip6);
// Makes m, of whatever it was, the frame of flow i, as a driver would hand it over.
void scene_fill(const struct scene *s, struct rte_mbuf *m, uint32_t i);
