// vhost-user: a virtual machine's or DPDK application's virtio-net device, by librte_vhost.
//
// In client mode the application owns the socket and the switch connects to it, endlessly, so
// that either side can restart. In server mode the switch owns the socket.
#pragma once

#include "pmd/port.h"

struct vhost_conf {
	const char *name; // the port's
	const char *path; // of the socket
	struct rte_mempool *pool;
	uint16_t n_queue_pairs; // most that the guest may enable
	uint16_t n_workers; // that send to it: their numbers are less
	uint16_t mtu; // offered to the guest (VIRTIO_NET_F_MTU)
	struct rte_ether_addr
		mac; // the pod's, for people; the guest gets its own from its application
	bool server;
};

// Creates the port. It has no peer yet: frames sent to it until then are not taken.
// Returns 0 with *ret_port set, or -errno (-EADDRINUSE: another port has that path).
int vhost_open(const struct vhost_conf *conf, struct port **ret_port);
