// The MAC addresses in use, so that a new pod gets another. Both families of a pod share one.
#include <stdlib.h>
#include <string.h>

#include "ctrl/manager/state.h"

struct mac_use {
	uint8_t mac[6];
	unsigned int n; // IPInstances and creates on their way
	UT_hash_handle hh;
};

static struct mac_use *find(const struct manager *m, const uint8_t mac[6])
{
	struct mac_use *use;

	HASH_FIND(hh, m->macs, mac, sizeof(use->mac), use);
	return use;
}

bool macs_has(const struct manager *m, const uint8_t mac[6])
{
	return find(m, mac) != NULL;
}

void macs_add(struct manager *m, const uint8_t mac[6])
{
	struct mac_use *use = find(m, mac);

	if (use == NULL) {
		use = calloc(1, sizeof(*use));
		if (use == NULL)
			return; // a chance of 2^-24 for a clash
		memcpy(use->mac, mac, sizeof(use->mac));
		HASH_ADD(hh, m->macs, mac, sizeof(use->mac), use);
	}
	use->n++;
}

void macs_del(struct manager *m, const uint8_t mac[6])
{
	struct mac_use *use = find(m, mac);

	if (use == NULL || --use->n > 0)
		return;
	HASH_DEL(m->macs, use);
	free(use);
}

void macs_clear(struct manager *m)
{
	struct mac_use *use, *next;

	HASH_ITER (hh, m->macs, use, next) {
		HASH_DEL(m->macs, use);
		free(use);
	}
}
