// The neighbours' state machine. All times are milliseconds of one clock that never goes back.
#include "ctrl/node/neighbour_core.h"

#include "vswitch/tables.h"

#include <stdlib.h>
#include <string.h>

static_assert(sizeof(struct neighbour_key) == 20); // a hash key must not have padding

const char *neighbour_state_name(enum neighbour_state state)
{
	static const char *const names[] = {
		[NEIGHBOUR_INCOMPLETE] = "incomplete",
		[NEIGHBOUR_REACHABLE] = "reachable",
		[NEIGHBOUR_STALE] = "stale",
		[NEIGHBOUR_FAILED] = "failed",
	};

	static_assert(sizeof(names) / sizeof(names[0]) == NEIGHBOUR_STATE_COUNT);
	return names[state];
}

void neighbour_core_init(struct neighbour_core *c, const struct neighbour_core_ops *ops, void *arg,
	uint32_t max, uint64_t seed)
{
	*c = (struct neighbour_core){
		.ops = ops,
		.arg = arg,
		.max = max,
		.random = seed | 1, // xorshift never leaves zero
	};
}

static void forget(struct neighbour_core *c, struct neighbour *n)
{
	c->ops->gone(c->arg, n);
	HASH_DEL(c->all, n);
	free(n);
}

void neighbour_core_fini(struct neighbour_core *c)
{
	struct neighbour *n, *next;

	HASH_ITER (hh, c->all, n, next)
		forget(c, n);
}

static struct neighbour_key key_of(uint16_t vlan, const struct in6_addr *ip)
{
	return (struct neighbour_key){.ip = *ip, .vlan = vlan};
}

struct neighbour *neighbour_core_get(
	const struct neighbour_core *c, uint16_t vlan, const struct in6_addr *ip)
{
	struct neighbour_key key = key_of(vlan, ip);
	struct neighbour *n;

	HASH_FIND(hh, c->all, &key, sizeof(key), n);
	return n;
}

// Gives up the oldest neighbour that does not answer. A pod that scans its Subnet thus only
// displaces its own questions, never a neighbour that is in use.
static bool make_room(struct neighbour_core *c)
{
	struct neighbour *n, *next;

	HASH_ITER (hh, c->all, n, next) {
		bool silent = n->state == NEIGHBOUR_FAILED || n->state == NEIGHBOUR_INCOMPLETE;
		if (silent && n->pins == 0) {
			forget(c, n);
			return true;
		}
	}
	return false;
}

struct neighbour *neighbour_core_add(
	struct neighbour_core *c, uint16_t vlan, const struct in6_addr *ip, uint64_t now)
{
	struct neighbour *n = neighbour_core_get(c, vlan, ip);
	if (n != NULL)
		return n;
	if (HASH_COUNT(c->all) >= c->max && !make_room(c))
		return NULL;

	n = calloc(1, sizeof(*n));
	if (n == NULL)
		return NULL;
	n->key = key_of(vlan, ip);
	n->state = NEIGHBOUR_INCOMPLETE;
	n->confirmed = now;
	n->asked = NEIGHBOUR_NEVER;
	n->due = NEIGHBOUR_NEVER;
	n->subnet = SUBNET_NONE;
	n->nexthop = NEXTHOP_NONE;
	HASH_ADD(hh, c->all, key, sizeof(n->key), n);
	return n;
}

static void set_state(struct neighbour_core *c, struct neighbour *n, enum neighbour_state state)
{
	if (n->state == state)
		return;
	n->state = state;
	c->ops->changed(c->arg, n);
}

// Somewhere between three and five quarters of the time, so that neighbours which were learnt
// together are not asked for together for ever.
static uint64_t reachable_time(struct neighbour_core *c)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 7;
	c->random ^= c->random << 17;
	return NEIGHBOUR_REACHABLE_MS * 3 / 4 + c->random % (NEIGHBOUR_REACHABLE_MS / 2);
}

// Sends the next request, or draws the conclusion when enough were sent. May free n.
static void ask(struct neighbour_core *c, struct neighbour *n, uint64_t now)
{
	if (n->asked != NEIGHBOUR_NEVER && now - n->asked < NEIGHBOUR_ASK_MS) {
		n->due = n->asked + NEIGHBOUR_ASK_MS;
		return;
	}
	if (n->tries == NEIGHBOUR_TRIES) {
		n->due = now + NEIGHBOUR_FAILED_MS;
		n->confirmed = now;
		set_state(c, n, NEIGHBOUR_FAILED);
		return;
	}

	// A known neighbour is asked in private first: it need not disturb everybody.
	bool known = n->state == NEIGHBOUR_STALE && n->tries == 0;
	if (!c->ops->request(c->arg, n, known ? n->mac : NULL)) {
		if (n->pins == 0) {
			forget(c, n);
			return;
		}
		n->tries = 0;
		n->due = NEIGHBOUR_NEVER;
		set_state(c, n, NEIGHBOUR_INCOMPLETE);
		return;
	}
	n->tries++;
	n->asked = now;
	n->due = now + NEIGHBOUR_ASK_MS;
}

void neighbour_core_wake(struct neighbour_core *c, struct neighbour *n, uint64_t now)
{
	if (n->due == NEIGHBOUR_NEVER)
		ask(c, n, now);
}

void neighbour_core_want(struct neighbour_core *c, struct neighbour *n, uint64_t now)
{
	n->wanted_once = true;
	n->wanted = now;
	neighbour_core_wake(c, n, now);
}

void neighbour_core_pin(struct neighbour_core *c, struct neighbour *n, uint64_t now)
{
	n->pins++;
	neighbour_core_wake(c, n, now);
}

void neighbour_core_unpin(struct neighbour_core *c, struct neighbour *n)
{
	n->pins--;
	if (n->pins == 0 && (!n->wanted_once || n->due == NEIGHBOUR_NEVER))
		forget(c, n);
}

void neighbour_core_doubt(struct neighbour_core *c, struct neighbour *n, uint64_t now)
{
	if (n->state != NEIGHBOUR_REACHABLE)
		return; // it is being asked for, or will be
	set_state(c, n, NEIGHBOUR_STALE);
	n->tries = 1; // the private question would go to the station that is in doubt
	ask(c, n, now);
}

void neighbour_core_forget(struct neighbour_core *c, struct neighbour *n)
{
	if (n->pins == 0)
		forget(c, n);
}

void neighbour_core_seen(struct neighbour_core *c, uint16_t vlan, const struct in6_addr *ip,
	const uint8_t mac[6], uint64_t now)
{
	struct neighbour *n = neighbour_core_get(c, vlan, ip);
	if (n == NULL)
		return;

	bool other_mac = memcmp(n->mac, mac, sizeof(n->mac)) != 0;
	bool was_known = n->state == NEIGHBOUR_REACHABLE || n->state == NEIGHBOUR_STALE;
	memcpy(n->mac, mac, sizeof(n->mac));
	n->tries = 0;
	n->confirmed = now;
	n->due = now + reachable_time(c);
	// One that nobody needs may talk as much as it likes, it is forgotten in time.
	uint64_t end = n->wanted + NEIGHBOUR_KEEP_MS;
	if (n->pins == 0 && n->due > end)
		n->due = end > now ? end : now;
	if (n->state != NEIGHBOUR_REACHABLE)
		set_state(c, n, NEIGHBOUR_REACHABLE);
	else if (was_known && other_mac)
		c->ops->changed(c->arg, n);
}

// What is to be done with a neighbour whose time has come. May free n.
static void step(struct neighbour_core *c, struct neighbour *n, uint64_t now)
{
	switch (n->state) {
	case NEIGHBOUR_INCOMPLETE:
	case NEIGHBOUR_STALE:
		ask(c, n, now);
		return;
	case NEIGHBOUR_REACHABLE:
		if (n->pins == 0 && now - n->wanted >= NEIGHBOUR_KEEP_MS) {
			forget(c, n);
			return;
		}
		set_state(c, n, NEIGHBOUR_STALE);
		ask(c, n, now);
		return;
	case NEIGHBOUR_FAILED:
		if (n->pins == 0) {
			forget(c, n);
			return;
		}
		n->tries = 0;
		set_state(c, n, NEIGHBOUR_INCOMPLETE);
		ask(c, n, now);
		return;
	case NEIGHBOUR_STATE_COUNT: // none
		return;
	}
}

uint64_t neighbour_core_tick(struct neighbour_core *c, uint64_t now)
{
	struct neighbour *n, *next;

	HASH_ITER (hh, c->all, n, next) {
		if (n->due <= now)
			step(c, n, now);
	}
	return neighbour_core_due(c);
}

uint64_t neighbour_core_due(const struct neighbour_core *c)
{
	uint64_t due = NEIGHBOUR_NEVER;

	for (struct neighbour *n = c->all; n != NULL; n = n->hh.next) {
		if (n->due < due)
			due = n->due;
	}
	return due;
}
