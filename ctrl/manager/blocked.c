// Addresses that a pod could not have because an object of their IPInstance's name exists, though it is
// not in force: they are nobody's until it is gone.
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "ctrl/manager/state.h"

struct blocked {
	char namespace[64], name[NAME_MAX_LEN]; // of the object
	char subnet[NAME_MAX_LEN];
	struct in6_addr ip;
	bool seen; // the cache has had the object
	struct blocked *prev, *next;
};

static bool is_there(const struct manager *m, const struct blocked *b)
{
	return cache_version(m->cache, KIND_IPINSTANCE, b->namespace, b->name) != NULL;
}

static void forget(struct manager *m, struct blocked *b)
{
	DL_DELETE(m->blocked, b);
	free(b);
}

void blocked_add(struct manager *m, const char *namespace, const char *name,
	const struct request_address *address)
{
	struct blocked *b;

	if (cache_ipinstance_at(m->cache, &address->ip) != NULL)
		return; // it came before the answer: the books have it
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return; // it stays marked, as if the object were there
	(void)snprintf(b->namespace, sizeof(b->namespace), "%s", namespace);
	(void)snprintf(b->name, sizeof(b->name), "%s", name);
	memcpy(b->subnet, address->subnet, sizeof(b->subnet));
	b->ip = address->ip;
	b->seen = is_there(m, b);
	DL_APPEND(m->blocked, b);
}

void blocked_forget(struct manager *m, const char *subnet, const struct in6_addr *ip)
{
	struct blocked *b, *next;

	DL_FOREACH_SAFE (m->blocked, b, next) {
		if (ip_cmp(&b->ip, ip) == 0 && strcmp(b->subnet, subnet) == 0)
			forget(m, b);
	}
}

static void release(struct manager *m, struct blocked *b)
{
	ipam_release(m->ipam, b->subnet, &b->ip);
	m->capacity_changed = true;
	status_schedule(m);
	forget(m, b);
}

void blocked_check(struct manager *m)
{
	struct blocked *b, *next;

	DL_FOREACH_SAFE (m->blocked, b, next) {
		if (is_there(m, b))
			b->seen = true;
		else if (b->seen) // else the watch may bring it yet, and it may come into force
			release(m, b);
	}
}

void blocked_clear(struct manager *m)
{
	struct blocked *b, *next;

	DL_FOREACH_SAFE (m->blocked, b, next)
		forget(m, b);
}
