// The FIB's life, and where its news comes from: the cache's events, and what workers tell.
#include "ctrl/node/fib_priv.h"

#include "ctrl/log.h"

#include <stdlib.h>
#include <string.h>

#define POLL_MS 100 // deferred frees wait for this, and punts if their wake-up is lost
#define SOON_MS 2 // the same while a DEL waits for its port to be closed
#define CONFLICT_MS 60000 // an address conflict is reported this often

// ── Neighbours ─────────────────────────────────────────────────────────────────────────────────

static void on_send(void *arg, const void *frame, uint16_t len)
{
	const struct fib *f = arg;

	dataplane_send(f->dp, frame, len);
}

// A pod of the Subnet asks, for some switches drop requests from strangers. For IPv6 too it is
// the pod's global address, as with hybridnet: answers to it come here (this node answers for
// it), and what the other side learns from the request is true, which would not be so for the
// pod's link-local address.
static bool on_sender(void *arg, const struct neighbour *n, struct in6_addr *ret_ip)
{
	const struct fib *f = arg;
	const struct port_address *a, *tmp;

	if (f->conf.uplink == VPORT_NONE)
		return false;
	HASH_ITER (hh, f->port_addresses, a, tmp) {
		if (a->live == NULL || a->live_overlay || a->live_vlan != n->key.vlan)
			continue;
		if (!cidr_contains(&a->live->cidr, &n->key.ip))
			continue;
		*ret_ip = a->ip;
		return true;
	}
	if (n->tunnels == NULL && n->subnet != SUBNET_NONE)
		return false;
	return n->key.vlan == 0 && fib_vtep_of(f, ip_is_v4(&n->key.ip), ret_ip);
}

static void on_neighbour_changed(void *arg, struct neighbour *n)
{
	struct fib *f = arg;

	if (f->closing)
		return;
	fib_tunnels_update(f, n);
	if (n->has_route)
		fib_route_update(f, &n->key.ip);
}

static void on_neighbour_gone(void *arg, struct neighbour *n)
{
	struct fib *f = arg;

	if (!n->has_route)
		return;
	n->has_route = false;
	fib_route_update(f, &n->key.ip);
}

static const struct neighbours_ops neighbours_ops = {
	.send = on_send,
	.sender = on_sender,
	.changed = on_neighbour_changed,
	.gone = on_neighbour_gone,
};

// ── Punts ──────────────────────────────────────────────────────────────────────────────────────

static void wanted(struct fib *f, const struct punt *p)
{
	if (p->nexthop != NEXTHOP_NONE) {
		neighbours_want_nexthop(f->neighbours, p->nexthop);
		return;
	}
	const struct fib_subnet *s = p->subnet < f->n_by_index ? f->by_index[p->subnet] : NULL;
	if (s == NULL || !s->usable || s->desired.overlay || !s->desired.attached ||
		!cidr_contains(&s->cidr, &p->ip))
		return; // the Subnet has changed since
	neighbours_want(f->neighbours, s->index, s->desired.vlan, &p->ip);
}

static void conflict(struct fib *f, struct port_address *a, const struct punt *p)
{
	uint64_t now = uv_now(f->loop);
	char ip[IP_TEXT_MAX], mac[MAC_TEXT_MAX];

	if (a->complained != 0 && now - a->complained < CONFLICT_MS)
		return;
	a->complained = now;
	(void)log_warn(-EADDRINUSE, "%s on VLAN %u, which is of pod '%s/%s', is used by %s as well",
		ip_text(&p->ip, ip), p->vlan, a->port->pod.namespace, a->port->pod.pod,
		mac_text(p->mac.addr_bytes, mac));
}

static void seen(struct fib *f, const struct punt *p)
{
	const uint8_t *mac = p->mac.addr_bytes;

	fib_checks_seen(f, p->vlan, &p->ip, mac);
	struct port_address *a = fib_port_address(f, &p->ip);
	if (a != NULL && a->live != NULL && !a->live_overlay && a->live_vlan == p->vlan) {
		if (memcmp(mac, f->conf.uplink_mac, sizeof(f->conf.uplink_mac)) != 0)
			conflict(f, a, p);
		return;
	}
	neighbours_seen(f->neighbours, p->vlan, &p->ip, mac);
}

static void on_punt(const struct punt *p, void *arg)
{
	switch (p->kind) {
	case PUNT_NEIGHBOUR_WANTED:
		wanted(arg, p);
		return;
	case PUNT_NEIGHBOUR_SEEN:
		seen(arg, p);
		return;
	case PUNT_KIND_COUNT:
		return;
	}
}

static void on_punts(uv_poll_t *handle, int, int)
{
	struct fib *f = handle->data;

	dataplane_poll(f->dp, on_punt, f);
}

static void on_poll_timer(uv_timer_t *timer)
{
	struct fib *f = timer->data;

	dataplane_poll(f->dp, on_punt, f);
	if (f->n_soon == 0)
		return;
	f->n_soon--;
	(void)uv_timer_start(timer, on_poll_timer, SOON_MS, POLL_MS);
}

void fib_poll_soon(struct fib *f)
{
	f->n_soon = POLL_MS / SOON_MS;
	(void)uv_timer_start(&f->poll, on_poll_timer, SOON_MS, POLL_MS);
}

// ── The cache's events ─────────────────────────────────────────────────────────────────────────

static void on_event(void *arg, enum kind kind, enum cache_event event, const struct object *obj,
	const struct object *old)
{
	struct fib *f = arg;

	if (event == CACHE_SYNCED)
		return;
	switch (kind) {
	case KIND_NETWORK:
		fib_network_event(f, event, (const struct network *)obj);
		return;
	case KIND_SUBNET:
		fib_subnet_event(f, event, (const struct subnet_obj *)obj);
		return;
	case KIND_IPINSTANCE:
		fib_endpoint_event(
			f, event, (const struct ipinstance *)obj, (const struct ipinstance *)old);
		return;
	case KIND_NODEINFO:
		fib_node_event(f, event, (const struct nodeinfo *)obj);
		return;
	case KIND_NODE:
		if (strcmp(obj->meta.name, f->config->node_name) == 0)
			fib_labels_changed(f);
		return;
	case KIND_POD:
	case KIND_NAMESPACE:
	case KIND_COUNT:
		return;
	}
}

// ── Life ───────────────────────────────────────────────────────────────────────────────────────

static int by_address(const void *a, const void *b)
{
	return ip_cmp(a, b);
}

// Asks the kernel only where the configuration is silent. That blocks, but nothing is served yet.
static int read_addresses(struct fib *f)
{
	const struct config *c = f->config;
	const bool given = c->n_host_addr > 0;
	struct in6_addr *all;
	size_t n;

	if (given) {
		n = c->n_host_addr;
		all = calloc(n + 1, sizeof(*all));
		for (size_t i = 0; i < n && all != NULL; i++)
			all[i] = c->host_addr[i].ip;
	} else {
		all = NULL;
		int ret = link_node_addresses(c->host_ifname, &all, &n);
		if (ret < 0)
			return log_err(ret, "the node's addresses are not to be had");
		struct in6_addr *room = realloc(all, (n + 1) * sizeof(*all));
		if (room == NULL)
			free(all);
		all = room;
	}
	if (all == NULL)
		return -ENOMEM;
	f->addresses = all;
	f->n_addresses = n;
	if (!IN6_IS_ADDR_UNSPECIFIED(&c->vtep) && !fib_is_own_address(f, &c->vtep))
		f->addresses[f->n_addresses++] = c->vtep;
	if (!given)
		qsort(f->addresses, f->n_addresses, sizeof(*f->addresses), by_address);
	return 0;
}

static int host_nexthop(struct fib *f)
{
	const struct nexthop nh = {.kind = NEXTHOP_HOST, .port = f->conf.host};

	int ret = tables_add_nexthop(f->tables, &nh, &f->host_nexthop);
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < f->n_addresses; i++)
		fib_route_update(f, &f->addresses[i]);
	return 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct fib *f = handle->data;

	f->open_handles--;
	if (f->open_handles == 0)
		free(f);
}

static void close_handle(struct fib *f, uv_handle_t *handle)
{
	f->open_handles++;
	uv_close(handle, on_handle_closed);
}

static int init_handles(struct fib *f)
{
	f->flush.data = f;
	f->poll.data = f;
	f->punts.data = f;
	int ret = uv_poll_init(f->loop, &f->punts, dataplane_punt_fd(f->dp));
	if (ret < 0)
		return ret;
	(void)uv_timer_init(f->loop, &f->flush); // these two cannot fail
	(void)uv_timer_init(f->loop, &f->poll);
	(void)uv_poll_start(&f->punts, UV_READABLE, on_punts);
	(void)uv_timer_start(&f->poll, on_poll_timer, POLL_MS, POLL_MS);
	return 0;
}

static int build(struct fib *f)
{
	struct neighbours_conf conf = {
		.loop = f->loop,
		.tables = f->tables,
		.mtu = f->conf.uplink_mtu,
		.ops = &neighbours_ops,
		.arg = f,
	};

	memcpy(conf.mac, f->conf.uplink_mac, sizeof(conf.mac));
	int ret = neighbours_new(&conf, &f->neighbours);
	if (ret < 0)
		return ret;
	if (f->conf.host != VPORT_NONE) {
		ret = fib_kernel_new(f->loop, f->config->host_ifname, &fib_kernel_real, &f->kernel);
		if (ret < 0)
			return ret;
	}
	ret = read_addresses(f);
	if (ret < 0)
		return ret;
	return host_nexthop(f);
}

int fib_new(uv_loop_t *loop, struct dataplane *dp, struct cache *cache, const struct fib_conf *conf,
	struct fib **ret_fib)
{
	struct fib *f = calloc(1, sizeof(*f));
	if (f == NULL)
		return -ENOMEM;

	f->loop = loop;
	f->dp = dp;
	f->tables = dataplane_tables(dp);
	f->cache = cache;
	f->config = conf->config;
	f->conf = *conf;
	f->host_nexthop = NEXTHOP_NONE;
	int ret = init_handles(f);
	if (ret < 0) {
		free(f);
		return ret;
	}
	// Own record first: no event can make one that does not know that it is us.
	ret = fib_node_get(f, f->config->node_name) != NULL ? build(f) : -ENOMEM;
	if (ret < 0) {
		fib_free(f);
		return ret;
	}
	f->subscriber = (struct cache_subscriber){.event = on_event, .arg = f};
	cache_subscribe(cache, &f->subscriber);
	fib_snapshots_touch(f);
	*ret_fib = f;
	return 0;
}

void fib_free(struct fib *f)
{
	if (f == NULL)
		return;

	f->closing = true;
	if (f->subscriber.event != NULL)
		cache_unsubscribe(f->cache, &f->subscriber);
	fib_checks_free(f);
	neighbours_free(f->neighbours);
	fib_kernel_free(f->kernel);
	fib_endpoints_free(f);
	fib_nodes_free(f);
	fib_subnets_free(f);
	fib_ports_free(f);
	free(f->addresses);
	close_handle(f, (uv_handle_t *)&f->punts);
	close_handle(f, (uv_handle_t *)&f->flush);
	close_handle(f, (uv_handle_t *)&f->poll);
}
