// MAC addresses of pods, from the kernel's random numbers.
//
// hybridnet draws without looking: with 24 bits two of 4800 pods have the same address in every
// other cluster. A look at what is in use makes them unique.
#include "ctrl/ipam/mac.h"

#include <errno.h>
#include <string.h>

#include <sys/random.h>

#define DRAWS_MAX 1000

int mac_generate(uint8_t ret_mac[6], bool (*in_use)(void *arg, const uint8_t mac[6]), void *arg)
{
	uint8_t mac[6] = MAC_PREFIX;

	for (int i = 0; i < DRAWS_MAX; i++) {
		ssize_t n = getrandom(&mac[3], 3, 0);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 3 && !in_use(arg, mac)) {
			memcpy(ret_mac, mac, sizeof(mac));
			return 0;
		}
	}
	return -ENOSPC;
}
