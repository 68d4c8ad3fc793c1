// Networks and Subnets: which VLAN or tunnel their addresses are on, whether this node belongs to
// them, and their gateways.
#include "ctrl/node/fib_priv.h"

#include "ctrl/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VLAN_MAX 4094

// ── Records ────────────────────────────────────────────────────────────────────────────────────

static struct fib_network *network_get(struct fib *f, const char *name)
{
	struct fib_network *net;

	HASH_FIND_STR(f->networks, name, net);
	if (net != NULL)
		return net;
	net = calloc(1, sizeof(*net));
	if (net == NULL)
		return NULL;
	(void)snprintf(net->name, sizeof(net->name), "%s", name);
	HASH_ADD_STR(f->networks, name, net);
	return net;
}

static void network_put(struct fib *f, struct fib_network *net)
{
	if (net->known || net->subnets != NULL)
		return;
	HASH_DEL(f->networks, net);
	free(net);
}

struct fib_subnet *fib_subnet_find(const struct fib *f, const char *name)
{
	struct fib_subnet *s;

	HASH_FIND_STR(f->subnets, name, s);
	return s;
}

struct fib_subnet *fib_subnet_get(struct fib *f, const char *name)
{
	struct fib_subnet *s = fib_subnet_find(f, name);
	if (s != NULL)
		return s;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	(void)snprintf(s->name, sizeof(s->name), "%s", name);
	s->index = SUBNET_NONE;
	HASH_ADD_STR(f->subnets, name, s);
	return s;
}

void fib_subnet_put(struct fib *f, struct fib_subnet *s)
{
	if (s->known || s->endpoints != NULL || s->n_locals > 0)
		return;
	HASH_DEL(f->subnets, s);
	free(s);
}

// ── Indices ────────────────────────────────────────────────────────────────────────────────────

static bool index_take(struct fib *f, struct fib_subnet *s)
{
	uint32_t i = 0;

	while (i < f->n_by_index && f->by_index[i] != NULL)
		i++;
	if (i == f->n_by_index) {
		uint32_t n = f->n_by_index == 0 ? 16 : f->n_by_index * 2;
		struct fib_subnet **grown = realloc(f->by_index, n * sizeof(struct fib_subnet *));
		if (grown == NULL)
			return false;
		memset(&grown[f->n_by_index], 0, (n - f->n_by_index) * sizeof(struct fib_subnet *));
		f->by_index = grown;
		f->n_by_index = n;
	}
	f->by_index[i] = s;
	s->index = i;
	return true;
}

static void index_release(struct fib *f, struct fib_subnet *s)
{
	f->by_index[s->index] = NULL;
	s->index = SUBNET_NONE;
}

// ── What a Subnet means, given its Network ─────────────────────────────────────────────────────

// Returns NULL, or what is wrong with it. *ret is filled only in the first case.
static const char *derive(const struct fib_subnet *s, struct subnet *ret)
{
	const struct fib_network *net = s->network;
	struct subnet d = {
		.prefix = cidr_first(&s->cidr),
		.prefix_len = s->cidr.len,
		.overlay = net->type == NETWORK_OVERLAY,
		.gateway = NEXTHOP_NONE,
	};

	(void)snprintf(d.name, sizeof(d.name), "%.*s", (int)sizeof(d.name) - 1, s->name);
	if (d.overlay) {
		d.nat_outgoing = s->nat_outgoing;
		*ret = d;
		return NULL;
	}
	if (net->type != NETWORK_UNDERLAY)
		return "its Network's type is not served by this switch";
	if (!s->has_net_id && !net->has_net_id)
		return "neither it nor its Network has a VLAN id";
	int64_t vlan = s->has_net_id ? s->net_id : net->net_id;
	if (vlan < 0 || vlan > VLAN_MAX)
		return "its VLAN id is not between 0 and 4094";
	d.vlan = (uint16_t)vlan;
	d.attached = net->attached;
	if (s->has_gateway)
		d.gateway_addr = s->gateway;
	*ret = d;
	return NULL;
}

static bool derived_equal(const struct subnet *a, const struct subnet *b)
{
	return a->prefix_len == b->prefix_len && IN6_ARE_ADDR_EQUAL(&a->prefix, &b->prefix) &&
	       a->overlay == b->overlay && a->nat_outgoing == b->nat_outgoing &&
	       a->attached == b->attached && a->vlan == b->vlan &&
	       IN6_ARE_ADDR_EQUAL(&a->gateway_addr, &b->gateway_addr);
}

// The neighbour that desired->gateway is to name, pinned; NULL if it needs none.
static struct neighbour *pin_gateway(struct fib *f, const struct fib_subnet *s)
{
	const struct subnet *d = &s->desired;

	if (!s->usable || d->overlay || !d->attached || IN6_IS_ADDR_UNSPECIFIED(&d->gateway_addr))
		return NULL;
	struct neighbour *n = neighbours_pin(f->neighbours, s->index, d->vlan, &d->gateway_addr);
	if (n == NULL)
		(void)log_err(-ENOSPC, "no room for the gateway of subnet '%s'", s->name);
	return n;
}

static void kernel_route(struct fib *f, const struct subnet *d, bool wanted)
{
	if (f->kernel == NULL || d->prefix_len == 0 || !d->overlay)
		return;
	const struct cidr prefix = {.ip = d->prefix, .len = d->prefix_len};
	struct in6_addr src = in6addr_any;

	if (!wanted) {
		fib_kernel_route_del(f->kernel, &prefix);
		return;
	}
	for (size_t i = 0; i < f->n_addresses; i++) {
		if (ip_is_v4(&f->addresses[i]) == ip_is_v4(&prefix.ip)) {
			src = f->addresses[i];
			break;
		}
	}
	fib_kernel_route_add(f->kernel, &prefix, &src);
}

static void replace(struct fib *f, struct fib_subnet *s, bool usable, const struct subnet *d)
{
	struct neighbour *old_gateway = s->gateway_neighbour;
	struct subnet old = s->desired;
	struct endpoint *e;

	s->usable = usable;
	s->desired = *d;
	s->gateway_neighbour = pin_gateway(f, s);
	if (s->gateway_neighbour != NULL)
		s->desired.gateway = s->gateway_neighbour->nexthop;

	kernel_route(f, &s->desired, true);
	kernel_route(f, &old, false);
	f->nat_dirty = true;
	fib_snapshots_touch(f);
	DL_FOREACH2(s->endpoints, e, next_in_subnet)
	fib_route_update(f, endpoint_ip(e));
	fib_ports_subnet_changed(f, s);
	if (old_gateway != NULL) {
		fib_snapshots_flush(f); // nobody may name its next hop any more
		neighbours_unpin(f->neighbours, old_gateway);
	}
}

static void subnet_refresh(struct fib *f, struct fib_subnet *s)
{
	struct subnet d = {0};
	bool usable = false;

	if (s->known && s->network->known) {
		const char *wrong = derive(s, &d);
		usable = wrong == NULL;
		if (wrong != NULL && !s->complained)
			(void)log_err(-EINVAL, "subnet '%s' is ignored: %s", s->name, wrong);
		s->complained = wrong != NULL;
	}
	if (usable != s->usable || !derived_equal(&d, &s->desired))
		replace(f, s, usable, &d);
}

// ── Events ─────────────────────────────────────────────────────────────────────────────────────

static void network_refresh(struct fib *f, struct fib_network *net)
{
	struct fib_subnet *s;

	DL_FOREACH2(net->subnets, s, next_in_network)
	subnet_refresh(f, s);
	fib_snapshots_touch(f); // the VNI may have changed
}

// A Network's selector speaks of the labels this node has by its Node in Kubernetes; elsewhere by
// its configuration, or its NodeInfo.
bool fib_selects_this_node(const struct fib *f, const struct key_values *selector)
{
	const char *name = f->config->node_name;
	const struct object *self = cache_get(f->cache, KIND_NODE, NULL, name);

	if (f->config->store_kube)
		return self != NULL && key_values_select(selector, &self->meta.labels);
	if (key_values_select(selector, &f->config->node_labels))
		return true;
	self = cache_get(f->cache, KIND_NODEINFO, NULL, name);
	return self != NULL && key_values_select(selector, &self->meta.labels);
}

void fib_network_event(struct fib *f, enum cache_event event, const struct network *n)
{
	struct fib_network *net = network_get(f, n->obj.meta.name);
	if (net == NULL) {
		(void)log_err(-ENOMEM, "network '%s'", n->obj.meta.name);
		return;
	}

	net->known = event == CACHE_PUT;
	net->type = n->type;
	net->has_net_id = n->has_net_id;
	net->net_id = n->net_id;
	net->attached = net->known && fib_selects_this_node(f, &n->node_selector);
	network_refresh(f, net);
	if (!net->known && f->overlay == net)
		f->overlay = NULL;
	network_put(f, net);
}

void fib_labels_changed(struct fib *f)
{
	struct fib_network *net, *tmp;

	HASH_ITER (hh, f->networks, net, tmp) {
		const struct object *obj = cache_get(f->cache, KIND_NETWORK, NULL, net->name);
		if (!net->known || obj == NULL)
			continue;
		const struct network *n = (const struct network *)obj;
		bool attached = fib_selects_this_node(f, &n->node_selector);
		if (attached == net->attached)
			continue;
		net->attached = attached;
		network_refresh(f, net);
	}
}

static void unlink_network(struct fib *f, struct fib_subnet *s)
{
	struct fib_network *net = s->network;

	if (net == NULL)
		return;
	DL_DELETE2(net->subnets, s, prev_in_network, next_in_network);
	s->network = NULL;
	network_put(f, net);
}

static void subnet_deleted(struct fib *f, const char *name)
{
	struct fib_subnet *s = fib_subnet_find(f, name);
	if (s == NULL || !s->known)
		return;

	s->known = false;
	subnet_refresh(f, s);
	unlink_network(f, s);
	index_release(f, s);
	fib_subnet_put(f, s);
}

static bool link_network(struct fib *f, struct fib_subnet *s, const char *network)
{
	if (s->network != NULL && strcmp(s->network->name, network) == 0)
		return true;
	struct fib_network *net = network_get(f, network);
	if (net == NULL)
		return false;
	unlink_network(f, s);
	s->network = net;
	DL_APPEND2(net->subnets, s, prev_in_network, next_in_network);
	return true;
}

void fib_subnet_event(struct fib *f, enum cache_event event, const struct subnet_obj *obj)
{
	const char *name = obj->obj.meta.name;

	if (event == CACHE_DELETED) {
		subnet_deleted(f, name);
		return;
	}
	struct fib_subnet *s = fib_subnet_get(f, name);
	if (s == NULL || !link_network(f, s, obj->network) ||
		(s->index == SUBNET_NONE && !index_take(f, s))) {
		(void)log_err(-ENOMEM, "subnet '%s'", name);
		return;
	}
	s->known = true;
	s->has_net_id = obj->has_net_id;
	s->net_id = obj->net_id;
	s->cidr = obj->range.cidr;
	s->has_gateway = obj->range.has_gateway;
	s->gateway = obj->range.gateway;
	s->nat_outgoing = obj->auto_nat_outgoing;
	subnet_refresh(f, s);
}

void fib_subnets_free(struct fib *f)
{
	struct fib_subnet *s, *next_subnet;
	struct fib_network *net, *next_network;

	HASH_ITER (hh, f->subnets, s, next_subnet) {
		HASH_DEL(f->subnets, s);
		free(s);
	}
	HASH_ITER (hh, f->networks, net, next_network) {
		HASH_DEL(f->networks, net);
		free(net);
	}
	free(f->by_index);
}
