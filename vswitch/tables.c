// The tables: a hash table of routes, an array of next hops and a few snapshots. Everything
// here is the control thread's; workers read the published pointers themselves.
//
// An update builds the new object, publishes it with one release store and defers the free of the
// one it replaces, so it cannot fail half-way.
#include "vswitch/tables.h"

#include "vswitch/addr.h"
#include "vswitch/near.h"
#include "vswitch/rcu.h"
#include "vswitch/slab.h"

#include <rte_malloc.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static_assert(sizeof(struct in6_addr) == 16);

// A route as it is allocated. Workers look at nothing but the first member.
struct route_slot {
	struct route route;
	struct slab *slab; // where it goes when it dies
};
static_assert(sizeof(struct route_slot) <= RTE_CACHE_LINE_SIZE);

// A next hop as it is allocated. What is behind the cache line that workers read is control's.
struct nexthop_slot {
	struct tunnel tunnel;
	struct tables *tables; // whose slot becomes free when the next hop dies
	struct nexthop_slot *next; // of those that are not published yet
};

static void *object_copy(const void *from, size_t size)
{
	void *obj = near_alloc(size);
	if (obj != NULL)
		memcpy(obj, from, size);
	return obj;
}

// Gives up an object that workers may still be looking at.
static void retire(struct tables *t, const void *obj)
{
	if (obj != NULL)
		rcu_defer(t->rcu, rte_free, (void *)(uintptr_t)obj);
}

struct tables *tables_new(uint32_t n_routes, struct rcu *rcu)
{
	const struct node no_node = {.uplink = VPORT_NONE, .host = VPORT_NONE};

	struct tables *t = near_alloc(sizeof(*t));
	if (t == NULL)
		return NULL;
	t->rcu = rcu;
	t->nexthop_hint = NEXTHOP_NONE + 1;
	t->nexthop_taken[0] = UINT64_C(1) << NEXTHOP_NONE;
	t->routes = route_table_new(n_routes);
	t->route_slots = slab_new();
	if (t->routes == NULL || t->route_slots == NULL || tables_set_subnets(t, NULL, 0) < 0 ||
		tables_set_node(t, &no_node) < 0) {
		tables_free(t);
		return NULL;
	}
	return t;
}

void tables_free(struct tables *t)
{
	if (t == NULL)
		return;

	rcu_flush(t->rcu); // what was deleted still knows its tables
	route_table_free(t->routes);
	slab_free(t->route_slots);
	for (uint32_t i = 0; i < NEXTHOP_MAX; i++)
		rte_free((void *)(uintptr_t)t->nexthops[i]);
	for (uint32_t i = 0; i < VPORT_MAX; i++)
		rte_free((void *)(uintptr_t)t->vports[i]);
	rte_free((void *)(uintptr_t)t->subnets);
	rte_free((void *)(uintptr_t)t->node);
	rte_free(t);
}

// ── Routes ─────────────────────────────────────────────────────────────────────────────────────

// No worker looks at the route any more.
static void free_route(void *obj)
{
	struct route_slot *slot = obj;

	slab_put(slot->slab, slot);
}

static void retire_route(struct tables *t, const struct route *r)
{
	if (r != NULL)
		rcu_defer(t->rcu, free_route, (void *)(uintptr_t)r);
}

int tables_put_route(struct tables *t, const struct route *r)
{
	const struct route *old;

	if (!addr_is_forwarded(&r->addr))
		return -EINVAL;
	struct route_slot *slot = slab_get(t->route_slots);
	if (slot == NULL)
		return -ENOMEM;
	slot->route = *r;
	slot->slab = t->route_slots;

	int ret = route_table_put(t->routes, &slot->route, &old);
	if (ret < 0) {
		free_route(slot);
		return ret;
	}
	retire_route(t, old);
	return 0;
}

void tables_del_route(struct tables *t, const struct in6_addr *addr)
{
	retire_route(t, route_table_del(t->routes, addr));
}

const struct route *tables_route(const struct tables *t, const struct in6_addr *addr)
{
	const struct route *r;

	route_table_find(t->routes, &addr, 1, &r);
	return r;
}

void tables_each_route(
	const struct tables *t, void (*f)(const struct route *r, void *arg), void *arg)
{
	route_table_each(t->routes, f, arg);
}

// ── Next hops ──────────────────────────────────────────────────────────────────────────────────

static void take_slot(struct tables *t, uint32_t id)
{
	t->nexthop_taken[id / 64] |= UINT64_C(1) << id % 64;
}

static bool slot_is_taken(const struct tables *t, uint32_t id)
{
	return (t->nexthop_taken[id / 64] & UINT64_C(1) << id % 64) != 0;
}

// A free slot, or NEXTHOP_NONE. Starts behind the last one that was given out, so that a slot
// rests for long before another next hop appears in it.
static uint32_t find_slot(const struct tables *t)
{
	for (uint32_t i = 0; i < NEXTHOP_MAX; i++) {
		uint32_t id = (t->nexthop_hint + i) % NEXTHOP_MAX;
		if (!slot_is_taken(t, id))
			return id;
	}
	return NEXTHOP_NONE;
}

static struct nexthop_slot *nexthop_new(
	struct tables *t, const struct nexthop *nh, uint32_t id, const struct node *node)
{
	struct nexthop_slot *slot = near_alloc(sizeof(*slot));
	if (slot == NULL)
		return NULL;
	slot->tunnel.nh = *nh;
	slot->tunnel.nh.id = id;
	slot->tables = t;
	if (nh->kind == NEXTHOP_TUNNEL)
		outer_make(&slot->tunnel.outer, node,
			&(struct tunnel_to){.remote = &nh->remote,
				.mac = &nh->dst,
				.vlan = nh->vlan,
				.inner_mac = &nh->inner_dst});
	return slot;
}

// Publishes the next hop in its slot, in place of the one that may be there.
static void nexthop_publish(struct tables *t, const struct nexthop_slot *slot)
{
	const struct nexthop *nh = &slot->tunnel.nh;
	const struct nexthop *old = t->nexthops[nh->id];

	atomic_store_explicit(&t->nexthops[nh->id], nh, memory_order_release);
	retire(t, old);
}

int tables_add_nexthop(struct tables *t, const struct nexthop *nh, uint32_t *ret_id)
{
	uint32_t id = find_slot(t);
	if (id == NEXTHOP_NONE)
		return -ENOSPC;
	struct nexthop_slot *slot = nexthop_new(t, nh, id, t->node);
	if (slot == NULL)
		return -ENOMEM;

	take_slot(t, id);
	t->nexthop_hint = id + 1;
	nexthop_publish(t, slot);
	*ret_id = id;
	return 0;
}

int tables_set_nexthop(struct tables *t, uint32_t id, const struct nexthop *nh)
{
	if (id >= NEXTHOP_MAX || t->nexthops[id] == NULL)
		return -ENOENT;
	struct nexthop_slot *slot = nexthop_new(t, nh, id, t->node);
	if (slot == NULL)
		return -ENOMEM;

	nexthop_publish(t, slot);
	return 0;
}

// The last worker has forgotten the next hop: its slot may serve another.
static void release_slot(void *obj)
{
	struct nexthop_slot *slot = obj;
	uint32_t id = slot->tunnel.nh.id;

	slot->tables->nexthop_taken[id / 64] &= ~(UINT64_C(1) << id % 64);
	rte_free(slot);
}

void tables_del_nexthop(struct tables *t, uint32_t id)
{
	if (id >= NEXTHOP_MAX || t->nexthops[id] == NULL)
		return;
	const struct nexthop *old = t->nexthops[id];
	atomic_store_explicit(&t->nexthops[id], NULL, memory_order_release);
	rcu_defer(t->rcu, release_slot, (void *)(uintptr_t)old);
}

// ── Snapshots ──────────────────────────────────────────────────────────────────────────────────

static int compare_prefixes(const void *a, const void *b, void *arg)
{
	const struct subnets *s = arg;
	uint32_t i = *(const uint32_t *)a;
	uint32_t j = *(const uint32_t *)b;

	int order = memcmp(&s->subnet[i].prefix, &s->subnet[j].prefix, sizeof(struct in6_addr));
	return order != 0 ? order : (i > j) - (i < j);
}

// Of Subnets with one prefix (say, on two VLANs) the one with the lowest index stands for all.
static void sort_prefixes(struct subnets *s)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < s->n; i++) {
		if (s->subnet[i].prefix_len != 0)
			s->sorted[n++] = i;
	}
	qsort_r(s->sorted, n, sizeof(s->sorted[0]), compare_prefixes, s);

	for (uint32_t i = 0; i < n; i++) {
		const struct subnet *this = &s->subnet[s->sorted[i]];
		if (s->n_sorted > 0 && memcmp(&s->subnet[s->sorted[s->n_sorted - 1]].prefix,
					       &this->prefix, sizeof(this->prefix)) == 0)
			continue;
		s->sorted[s->n_sorted++] = s->sorted[i];
	}
}

int tables_set_subnets(struct tables *t, const struct subnet *subnets, uint32_t n)
{
	size_t subnets_len = sizeof(struct subnets) + n * sizeof(struct subnet);
	struct subnets *new = near_alloc(subnets_len + n * sizeof(new->sorted[0]));
	if (new == NULL)
		return -ENOMEM;

	new->n = n;
	new->sorted = (uint32_t *)&new->subnet[n];
	if (n > 0)
		memcpy(new->subnet, subnets, n * sizeof(*subnets));
	sort_prefixes(new);

	const struct subnets *old = t->subnets;
	atomic_store_explicit(&t->subnets, new, memory_order_release);
	retire(t, old);
	return 0;
}

static void tunnels_free(struct nexthop_slot *first)
{
	while (first != NULL) {
		struct nexthop_slot *next = first->next;

		rte_free(first);
		first = next;
	}
}

// Makes all tunnels anew, with headers of the node. -ENOMEM: there are none.
static int tunnels_new(struct tables *t, const struct node *node, struct nexthop_slot **ret_first)
{
	struct nexthop_slot *first = NULL;

	for (uint32_t id = 0; id < NEXTHOP_MAX; id++) {
		const struct nexthop *nh = t->nexthops[id];
		if (nh == NULL || nh->kind != NEXTHOP_TUNNEL)
			continue;
		struct nexthop_slot *slot = nexthop_new(t, nh, id, node);
		if (slot == NULL) {
			tunnels_free(first);
			return -ENOMEM;
		}
		slot->next = first;
		first = slot;
	}
	*ret_first = first;
	return 0;
}

int tables_set_node(struct tables *t, const struct node *node)
{
	const struct node *old = t->node;
	struct nexthop_slot *tunnels = NULL;

	struct node *new = object_copy(node, sizeof(*node));
	if (new == NULL)
		return -ENOMEM;
	if (old != NULL && !outer_is_same(old, new) && tunnels_new(t, new, &tunnels) < 0) {
		rte_free(new);
		return -ENOMEM;
	}
	atomic_store_explicit(&t->node, new, memory_order_release);
	retire(t, old);
	for (; tunnels != NULL; tunnels = tunnels->next)
		nexthop_publish(t, tunnels);
	return 0;
}

int tables_set_vport(struct tables *t, const struct vport *vport)
{
	if (vport->index >= VPORT_MAX)
		return -EINVAL;
	struct vport *new = object_copy(vport, sizeof(*vport));
	if (new == NULL)
		return -ENOMEM;

	const struct vport *old = t->vports[vport->index];
	atomic_store_explicit(&t->vports[vport->index], new, memory_order_release);
	retire(t, old);
	return 0;
}

void tables_del_vport(struct tables *t, uint16_t index)
{
	if (index >= VPORT_MAX)
		return;
	const struct vport *old = t->vports[index];
	atomic_store_explicit(&t->vports[index], NULL, memory_order_release);
	retire(t, old);
}
