// Uplink: any ethdev, by its DPDK device string ("0000:01:00.0", "net_af_xdp0,iface=eth1", …).
#pragma once

#include "pmd/port.h"

struct uplink_conf {
	const char *name; // the port's
	const char *device; // DPDK device string
	struct rte_mempool *pool;
	uint16_t n_rxq; // wanted; fewer if the device has fewer
	uint16_t n_workers;
	uint16_t mtu; // 0: the device's own
	uint16_t n_desc; // ring size, 0: 1024
};

// Opens the device, hot-plugging it when EAL does not know it yet. Returns 0 with *ret_port set,
// or -errno; *ret_why then points to a static sentence that names the step that failed.
int uplink_open(const struct uplink_conf *conf, struct port **ret_port, const char **ret_why);
