// The XDP program on a port's device: it hands every frame of queue 0 to the port's socket, and
// drops it when there is none, since a pod's frames must never reach the node's own stack.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Loads the program with its map, puts the socket in, and attaches it to the device in the place of
// any that is there. *ret_id is the program's. 0, or -errno with *ret_why set.
int xdp_prog_attach(
	int ifindex, bool native, int socket_fd, uint32_t *ret_id, const char **ret_why);
// Detaches the program if it is still the one with that id.
void xdp_prog_detach(int ifindex, bool native, uint32_t id);
