// AF_XDP: raw XDP sockets on a network device, one per queue. Used on the node's end of a pod's
// veth and of the host's. All sockets of the process share one UMEM, laid over the packet pool.
//
// What a worker must know. When the device is deleted under the port, rx returns nothing, tx takes
// nothing once it has noticed, and the port waits to be closed; nobody is woken. Where the kernel
// reports the deletion as EPOLLERR, rx_wakeup(on) takes the error off the socket: call it before
// sleeping. A port that found the pool empty is not woken until a buffer is posted, which
// rx does: so do not sleep for longer than 100 ms at a time.
#pragma once

#include "pmd/port.h"

enum afxdp_mode {
	AFXDP_GENERIC, // XDP_FLAGS_SKB_MODE: keeps the pod's offloads (see doc/ports.md)
	AFXDP_NATIVE, // XDP_FLAGS_DRV_MODE
};

#define AFXDP_RING_DEFAULT 256
#define AFXDP_RING_MIN 64
#define AFXDP_RING_MAX 8192

struct afxdp_conf {
	const char *name; // the port's
	int ifindex; // of the device, in the network namespace of the process
	struct rte_mempool *pool; // one from pool_new()
	uint16_t mtu;
	uint16_t
		ring_size; // power of two; 0: AFXDP_RING_DEFAULT. A busy port keeps as many buffers
	// ready, one at rest a quarter of that, but AFXDP_RING_MIN
	enum afxdp_mode mode;
	struct rte_ether_addr mac; // the pod's
};

// Opens the device: loads the program that steers every frame to the socket, and attaches it.
// Replaces a program that an earlier process left behind. Returns 0 with *ret_port set, or
// -errno; *ret_why then points to a static sentence that names the step that failed.
int afxdp_open(const struct afxdp_conf *conf, struct port **ret_port, const char **ret_why);
