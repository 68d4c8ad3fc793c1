// The generator's ports.
#pragma once

#include <rte_mempool.h>

#include <stdint.h>

// Opens the device of a DPDK device string with one queue each way and starts it. A virtio-user device in
// server mode waits for its switch. Returns 0, or -errno with the step that failed in *ret_why.
int port_open(const char *device, struct rte_mempool *pool, uint16_t *ret_id, const char **ret_why);
