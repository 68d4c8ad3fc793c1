// The route of an address: decided from everything that has a say in it, compared with what the
// tables hold, and written if it differs. What follows from an address becoming, or ceasing to
// be, a local pod's happens here too, as this is the one place that knows.
#include "ctrl/node/fib_priv.h"

#include "ctrl/log.h"
#include "vswitch/addr.h"

#include <string.h>

static bool port_is_of(const struct fib_port *p, const struct endpoint *e)
{
	const char *pod = e->i->binding.pod_name;

	if (strcmp(e->i->obj.meta.namespace, p->pod.namespace) != 0)
		return false; // the address belongs to another pod by now
	return pod[0] == '\0' || p->pod.pod[0] == '\0' || strcmp(pod, p->pod.pod) == 0;
}

static bool address_fits(const struct fib *f, struct endpoint *e)
{
	const struct cidr prefix = {
		.ip = e->subnet->desired.prefix,
		.len = e->subnet->desired.prefix_len,
	};
	const char *wrong = NULL;

	if (fib_is_own_address(f, endpoint_ip(e)))
		wrong = "is this node's own";
	else if (!addr_is_forwarded(endpoint_ip(e)))
		wrong = "is none that packets are forwarded to";
	else if (!cidr_contains(&prefix, endpoint_ip(e)))
		wrong = "is not in its Subnet";
	if (wrong != NULL && !e->complained) {
		char ip[IP_TEXT_MAX];
		(void)log_err(-EINVAL, "ipinstance '%s/%s' is ignored: its address %s %s",
			e->i->obj.meta.namespace, e->i->obj.meta.name, ip_text(endpoint_ip(e), ip),
			wrong);
	}
	e->complained = wrong != NULL;
	return wrong == NULL;
}

static void decide_pod(const struct fib *f, const struct endpoint *e, struct route *r)
{
	r->kind = ROUTE_RESERVED; // also for a pod that is to come up here and has no port yet
	r->overlay = e->subnet->desired.overlay;
	r->vlan = e->subnet->desired.vlan;
	r->subnet = e->subnet->index;
	if (e->node == NULL)
		return;

	if (e->node->is_self) {
		const struct port_address *a = fib_port_address(f, endpoint_ip(e));
		if (a != NULL && port_is_of(a->port, e)) {
			r->kind = ROUTE_LOCAL_POD;
			r->nexthop = a->port->nexthop;
		}
		return;
	}
	r->kind = ROUTE_REMOTE_POD;
	r->nexthop = e->node->nexthop;
	if (!r->overlay) {
		const struct neighbour *n = neighbours_get(f->neighbours, r->vlan, endpoint_ip(e));
		if (n != NULL && n->has_route)
			r->neighbour = n->nexthop;
	}
}

// A physical station that a pod asked for.
static bool decide_neighbour(const struct fib *f, const struct in6_addr *ip, struct route *r)
{
	for (uint32_t i = 0; i < f->n_by_index; i++) {
		const struct fib_subnet *s = f->by_index[i];
		if (s == NULL || !s->usable || s->desired.overlay || !cidr_contains(&s->cidr, ip))
			continue;
		const struct neighbour *n = neighbours_get(f->neighbours, s->desired.vlan, ip);
		if (n == NULL || !n->has_route || n->nexthop == NEXTHOP_NONE)
			continue;
		r->kind = ROUTE_NEIGHBOUR;
		r->vlan = s->desired.vlan;
		r->subnet = i;
		r->nexthop = n->nexthop;
		return true;
	}
	return false;
}

// Whether there is to be a route, and which. This node's own addresses come first, lest a bad
// object cut it off; pods come before other nodes for the same reason.
static bool decide(const struct fib *f, const struct in6_addr *ip, struct route *r)
{
	struct endpoint *e = fib_endpoint_find(f, ip);
	struct node_address *a;

	*r = (struct route){
		.addr = *ip,
		.subnet = SUBNET_NONE,
		.nexthop = NEXTHOP_NONE,
		.neighbour = NEXTHOP_NONE,
	};
	bool has_pod = e != NULL && e->subnet->usable && address_fits(f, e);
	if (!addr_is_forwarded(ip))
		return false;
	if (fib_is_own_address(f, ip)) {
		r->kind = ROUTE_NODE_SELF;
		r->nexthop = f->host_nexthop;
		return true;
	}
	if (has_pod) {
		decide_pod(f, e, r);
		return true;
	}
	HASH_FIND(hh, f->node_addresses, ip, sizeof(*ip), a);
	if (a != NULL) {
		r->kind = ROUTE_NODE_OTHER;
		r->nexthop = a->node->nexthop;
		return true;
	}
	return decide_neighbour(f, ip, r);
}

// ── What local pods entail ─────────────────────────────────────────────────────────────────────

static void kernel_route(struct fib *f, const struct in6_addr *ip, bool wanted)
{
	const struct cidr host = {.ip = *ip, .len = 128};
	struct in6_addr src = in6addr_any;

	if (f->kernel == NULL)
		return;
	for (size_t i = f->n_addresses; i > 0; i--) {
		if (ip_is_v4(&f->addresses[i - 1]) == ip_is_v4(ip))
			src = f->addresses[i - 1];
	}
	if (wanted)
		fib_kernel_route_add(f->kernel, &host, &src);
	else
		fib_kernel_route_del(f->kernel, &host);
}

static void local_up(struct fib *f, struct port_address *a, const struct route *r)
{
	struct fib_subnet *s = f->by_index[r->subnet];

	a->live = s;
	a->live_vlan = r->vlan;
	a->live_overlay = r->overlay;
	s->n_locals++;
	if (r->overlay)
		return; // its whole Subnet is the kernel's way to it, and nobody asks for it on a wire
	kernel_route(f, &a->ip, true);
	neighbours_forget(f->neighbours, r->vlan, &a->ip);
	if (!s->desired.attached)
		return;
	neighbours_announce(f->neighbours, r->vlan, &a->ip);
	if (s->gateway_neighbour != NULL)
		neighbours_wake(f->neighbours, s->gateway_neighbour);
}

static void local_down(struct fib *f, struct port_address *a)
{
	struct fib_subnet *s = a->live;

	a->live = NULL;
	s->n_locals--;
	if (!a->live_overlay) {
		kernel_route(f, &a->ip, false);
		neighbours_retract(f->neighbours, a->live_vlan, &a->ip);
	}
	fib_subnet_put(f, s);
}

// r is NULL if the address has no route any more.
static void follow_local(
	struct fib *f, const struct in6_addr *ip, const struct route *r, bool again)
{
	struct port_address *a = fib_port_address(f, ip);
	if (a == NULL)
		return;

	bool local = r != NULL && r->kind == ROUTE_LOCAL_POD;
	bool moved = local && a->live != NULL &&
		     (again || a->live->index != r->subnet || a->live_vlan != r->vlan ||
			     a->live_overlay != r->overlay);
	if (a->live != NULL && (!local || moved))
		local_down(f, a);
	if (local && a->live == NULL)
		local_up(f, a, r);
}

// ── Write ──────────────────────────────────────────────────────────────────────────────────────

static bool same_route(const struct route *a, const struct route *b)
{
	return a->kind == b->kind && a->overlay == b->overlay && a->vlan == b->vlan &&
	       a->subnet == b->subnet && a->nexthop == b->nexthop && a->neighbour == b->neighbour;
}

void fib_route_update(struct fib *f, const struct in6_addr *ip)
{
	const struct in6_addr addr = *ip; // what ip points to may go with what follows
	const struct route *now = tables_route(f->tables, &addr);
	struct route r;

	if (f->closing)
		return;
	if (!decide(f, &addr, &r)) {
		if (now != NULL)
			tables_del_route(f->tables, &addr);
		follow_local(f, &addr, NULL, false);
		return;
	}

	// A new port for the same address is announced like a new pod.
	bool again = now != NULL && now->kind == ROUTE_LOCAL_POD && now->nexthop != r.nexthop;
	if (now == NULL || !same_route(now, &r)) {
		if (r.subnet != SUBNET_NONE)
			fib_snapshots_flush(f); // no route may name a Subnet before it is there
		int ret = tables_put_route(f->tables, &r);
		if (ret < 0) {
			char text[IP_TEXT_MAX];
			(void)log_err(ret, "route to %s does not fit in the tables",
				ip_text(&addr, text));
			return;
		}
	}
	follow_local(f, &addr, &r, again);
}
