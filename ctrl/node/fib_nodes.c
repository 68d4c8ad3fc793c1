// The other nodes: one tunnel each, which all routes to the node's pods and addresses share. So a
// node that changes its tunnel end point costs one write, however many pods it has.
#include "ctrl/node/fib_priv.h"

#include "ctrl/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fib_node *fib_node_get(struct fib *f, const char *name)
{
	struct fib_node *n;

	HASH_FIND_STR(f->nodes, name, n);
	if (n != NULL)
		return n;
	n = calloc(1, sizeof(*n));
	if (n == NULL)
		return NULL;
	(void)snprintf(n->name, sizeof(n->name), "%s", name);
	n->is_self = strcmp(name, f->config->node_name) == 0;
	n->nexthop = NEXTHOP_NONE;
	HASH_ADD_STR(f->nodes, name, n);
	return n;
}

void fib_node_put(struct fib *f, struct fib_node *n)
{
	if (n->known || n->endpoints != NULL)
		return;
	HASH_DEL(f->nodes, n);
	free(n->addresses);
	free(n);
}

// ── The tunnel ─────────────────────────────────────────────────────────────────────────────────

// Where frames for a remote VTEP go first: itself, if it is on the wire, else a gateway.
static struct in6_addr outer_hop(const struct fib *f, const struct in6_addr *vtep)
{
	const struct config *c = f->config;
	bool v4 = ip_is_v4(vtep);

	for (size_t i = 0; i < c->n_host_addr; i++) {
		const struct link_address *a = &c->host_addr[i];
		const struct cidr prefix = {
			.ip = a->ip,
			.len = (uint8_t)(a->prefix_len + (ip_is_v4(&a->ip) ? 96 : 0)),
		};
		if (ip_is_v4(&a->ip) == v4 && cidr_contains(&prefix, vtep))
			return *vtep;
	}
	const struct in6_addr *gateway = v4 ? &c->host_gateway4 : &c->host_gateway6;
	// Without a gateway the wire is all there is, and asking on it does no harm.
	return IN6_IS_ADDR_UNSPECIFIED(gateway) ? *vtep : *gateway;
}

static struct nexthop tunnel_nexthop(const struct fib *f, const struct fib_node *n)
{
	const struct neighbour *hop = n->neighbour;
	struct nexthop nh = {.kind = NEXTHOP_UNRESOLVED, .port = VPORT_NONE};

	if (hop != NULL)
		nh.remote = hop->key.ip;
	if (hop != NULL && hop->state == NEIGHBOUR_FAILED)
		nh.kind = NEXTHOP_FAILED;
	if (hop != NULL && (hop->state == NEIGHBOUR_REACHABLE || hop->state == NEIGHBOUR_STALE)) {
		nh.kind = NEXTHOP_TUNNEL;
		nh.remote = n->vtep;
		nh.mtu = fib_tunnel_mtu(f, ip_is_v4(&n->vtep));
		memcpy(&nh.dst, hop->mac, sizeof(hop->mac));
		memcpy(&nh.inner_dst, n->vtep_mac, sizeof(n->vtep_mac));
	}
	return nh;
}

static bool same_tunnel(const struct nexthop *a, const struct nexthop *b)
{
	return a->kind == b->kind && IN6_ARE_ADDR_EQUAL(&a->remote, &b->remote) &&
	       memcmp(&a->dst, &b->dst, sizeof(a->dst)) == 0 &&
	       memcmp(&a->inner_dst, &b->inner_dst, sizeof(a->inner_dst)) == 0;
}

// Brings the slot in line with what is known of the node, if it has one.
static void tunnel_write(struct fib *f, const struct fib_node *n)
{
	if (n->nexthop == NEXTHOP_NONE)
		return;
	const struct nexthop nh = tunnel_nexthop(f, n);
	const struct nexthop *now = f->tables->nexthops[n->nexthop];
	if (now != NULL && same_tunnel(now, &nh))
		return;
	int ret = tables_set_nexthop(f->tables, n->nexthop, &nh);
	if (ret < 0)
		(void)log_err(ret, "tunnel to node '%s' does not fit in the tables", n->name);
}

void fib_tunnels_update(struct fib *f, struct neighbour *hop)
{
	struct fib_node *n;

	DL_FOREACH2(hop->tunnels, n, next_tunnel)
	tunnel_write(f, n);
}

static void unlink_hop(struct fib_node *n)
{
	if (n->neighbour == NULL)
		return;
	DL_DELETE2(n->neighbour->tunnels, n, prev_tunnel, next_tunnel);
	n->neighbour = NULL;
}

// Changes the outer next hop. The old one is let go last, in case it is the new one's only pin.
static void set_hop(struct fib *f, struct fib_node *n, const struct in6_addr *ip)
{
	struct neighbour *old = n->neighbour;

	if (old != NULL && ip != NULL && IN6_ARE_ADDR_EQUAL(&old->key.ip, ip))
		return;
	unlink_hop(n);
	if (ip != NULL) {
		struct neighbour *hop = neighbours_pin(f->neighbours, SUBNET_NONE, 0, ip);
		if (hop == NULL) {
			(void)log_err(-ENOSPC, "no room for the next hop to node '%s'", n->name);
		} else {
			n->neighbour = hop;
			DL_APPEND2(hop->tunnels, n, prev_tunnel, next_tunnel);
		}
	}
	if (old != NULL)
		neighbours_unpin(f->neighbours, old);
}

static void routes_follow(struct fib *f, struct fib_node *n)
{
	struct endpoint *e;

	DL_FOREACH2(n->endpoints, e, next_on_node)
	fib_route_update(f, endpoint_ip(e));
	for (size_t i = 0; i < n->n_addresses; i++)
		fib_route_update(f, &n->addresses[i]);
}

static void tunnel_remove(struct fib *f, struct fib_node *n)
{
	uint32_t slot = n->nexthop;

	n->has_vtep = false;
	if (slot == NEXTHOP_NONE)
		return;
	n->nexthop = NEXTHOP_NONE;
	routes_follow(f, n);
	tables_del_nexthop(f->tables, slot);
	set_hop(f, n, NULL);
}

static void tunnel_set(struct fib *f, struct fib_node *n, const struct nodeinfo *info)
{
	struct in6_addr hop = outer_hop(f, &info->vtep_ip);

	n->has_vtep = true;
	n->vtep = info->vtep_ip;
	memcpy(n->vtep_mac, info->vtep_mac, sizeof(n->vtep_mac));
	set_hop(f, n, &hop);
	if (n->nexthop != NEXTHOP_NONE) {
		tunnel_write(f, n);
		return;
	}
	const struct nexthop nh = tunnel_nexthop(f, n);
	int ret = tables_add_nexthop(f->tables, &nh, &n->nexthop);
	if (ret < 0) {
		(void)log_err(ret, "tunnel to node '%s' does not fit in the tables", n->name);
		return;
	}
	routes_follow(f, n);
}

// ── The node's addresses ───────────────────────────────────────────────────────────────────────

static bool has_address(const struct fib_node *n, const struct in6_addr *ip)
{
	for (size_t i = 0; i < n->n_addresses; i++) {
		if (IN6_ARE_ADDR_EQUAL(&n->addresses[i], ip))
			return true;
	}
	return false;
}

// Two nodes may claim an address for a while (it moves, or is shared by a fail-over pair): the
// first one keeps it until it gives it up.
static void address_claim(struct fib *f, struct fib_node *n, const struct in6_addr *ip)
{
	struct node_address *a;

	HASH_FIND(hh, f->node_addresses, ip, sizeof(*ip), a);
	if (a == NULL) {
		a = calloc(1, sizeof(*a));
		if (a == NULL) {
			(void)log_err(-ENOMEM, "an address of node '%s'", n->name);
			return;
		}
		a->ip = *ip;
		a->node = n;
		HASH_ADD(hh, f->node_addresses, ip, sizeof(a->ip), a);
	}
	fib_route_update(f, ip);
}

static void address_release(struct fib *f, struct fib_node *n, const struct in6_addr *ip)
{
	struct node_address *a;
	struct fib_node *other, *tmp;

	HASH_FIND(hh, f->node_addresses, ip, sizeof(*ip), a);
	if (a == NULL || a->node != n)
		return;
	a->node = NULL;
	HASH_ITER (hh, f->nodes, other, tmp) {
		if (a->node == NULL && has_address(other, ip))
			a->node = other;
	}
	if (a->node == NULL) {
		HASH_DEL(f->node_addresses, a);
		free(a);
	}
	fib_route_update(f, ip);
}

// localIPs, and the VTEP's address even if they leave it out.
static struct in6_addr *addresses_of(const struct nodeinfo *info, size_t *ret_n)
{
	struct in6_addr *all = calloc(info->n_local_ips + 1, sizeof(*all));
	if (all == NULL)
		return NULL;

	size_t n = 0;
	for (size_t i = 0; i < info->n_local_ips; i++)
		all[n++] = info->local_ips[i];
	if (info->has_vtep)
		all[n++] = info->vtep_ip;
	*ret_n = n;
	return all;
}

static void addresses_replace(struct fib *f, struct fib_node *n, struct in6_addr *new, size_t n_new)
{
	struct in6_addr *old = n->addresses;
	size_t n_old = n->n_addresses;

	n->addresses = new;
	n->n_addresses = n_new;
	for (size_t i = 0; i < n_old; i++) {
		if (!has_address(n, &old[i]))
			address_release(f, n, &old[i]);
	}
	for (size_t i = 0; i < n_new; i++)
		address_claim(f, n, &new[i]);
	free(old);
}

// ── Events ─────────────────────────────────────────────────────────────────────────────────────

void fib_node_event(struct fib *f, enum cache_event event, const struct nodeinfo *info)
{
	const char *name = info->obj.meta.name;
	struct in6_addr *addresses = NULL;
	size_t n_addresses = 0;

	if (strcmp(name, f->config->node_name) == 0) {
		fib_labels_changed(f);
		return;
	}
	struct fib_node *n = fib_node_get(f, name);
	if (event == CACHE_PUT)
		addresses = addresses_of(info, &n_addresses);
	if (n == NULL || (event == CACHE_PUT && addresses == NULL)) {
		(void)log_err(-ENOMEM, "nodeinfo '%s'", name);
		return;
	}

	n->known = event == CACHE_PUT;
	if (n->known && info->has_vtep)
		tunnel_set(f, n, info);
	else
		tunnel_remove(f, n);
	addresses_replace(f, n, addresses, n_addresses);
	fib_node_put(f, n);
}

void fib_nodes_free(struct fib *f)
{
	struct node_address *a, *next_address;
	struct fib_node *n, *next_node;

	HASH_ITER (hh, f->node_addresses, a, next_address) {
		HASH_DEL(f->node_addresses, a);
		free(a);
	}
	HASH_ITER (hh, f->nodes, n, next_node) {
		HASH_DEL(f->nodes, n);
		free(n->addresses);
		free(n);
	}
}
