// Reads the frames of a capture file in the classic format (libpcap's, of this machine's byte order).
#pragma once

#include <stdint.h>

#define PCAP_FRAME_MAX 2048 // longer ones are passed over, and so are those that were cut off

struct pcap_frame {
	const uint8_t *data; // valid during the call
	uint16_t len;
};

// Calls back for each frame, and stops when that returns a negative number. Returns 0, what the
// callback returned, -errno, or -EINVAL if it is no such file of Ethernet frames.
int pcap_read(const char *path, int (*each)(void *arg, const struct pcap_frame *f), void *arg);
