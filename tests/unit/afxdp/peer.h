// The other end of a port's veth, as a pod's network stack would use it: a raw packet socket.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Runs a shell command; aborts the test program if it fails.
void peer_sh(const char *format, ...) __attribute__((format(printf, 1, 2)));

// A socket that sends and receives every frame of the device.
int peer_open(const char *ifname);
void peer_send(int fd, const void *frame, size_t len);
// The next frame that came to the device, with its VLAN tag; -1 after a second of silence.
ssize_t peer_receive(int fd, void *frame, size_t len);

// Fills a frame of len bytes: addresses, EtherType 0x88b5, and a pattern that depends on seed.
void peer_frame(uint8_t *frame, size_t len, uint8_t seed);
