// The XDP program on ports' devices: it hands every frame to the socket of its device, and drops it
// when there is none, since a pod's frames must never reach the node's own stack.
//
// All ports share a program. The kernel knows up to 48 of those that are attached anywhere by their
// addresses, to call them directly, and each time that such a program comes or goes it rewrites
// that code and waits for a grace period of its RCU: some 10 ms, and far more on a busy machine, with
// the lock on all of its network settings held.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct xdp_prog;

// Attaches a program that gives the device's frames to the socket, in the place of any that is
// there. 0, or -errno with *ret_why set.
int xdp_prog_attach(
	int ifindex, bool native, int socket_fd, struct xdp_prog **ret_prog, const char **ret_why);
// Detaches the program if it is still that one, and gives it up; NULL: there is none. The kernel takes a
// socket that is closed out of the map.
void xdp_prog_detach(int ifindex, bool native, struct xdp_prog *p);
