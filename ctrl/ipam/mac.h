// MAC addresses of pods: 02:12:34 and 24 random bits.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// hybridnet's prefix; the bit for locally administered addresses is set.
#define MAC_PREFIX               \
	{                        \
		0x02, 0x12, 0x34 \
	}

// Draws an address that in_use denies. 0; -ENOSPC if a thousand draws were all in use (then nearly
// all 2^24 are), or the kernel's error. ret_mac is untouched on failure.
int mac_generate(uint8_t ret_mac[6], bool (*in_use)(void *arg, const uint8_t mac[6]), void *arg);
