// Ports of local pods: published, given routes, and taken away again.
#include "ctrl/node/fib_priv.h"

#include "ctrl/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct port_address *fib_port_address(const struct fib *f, const struct in6_addr *ip)
{
	struct port_address *a;

	HASH_FIND(hh, f->port_addresses, ip, sizeof(*ip), a);
	return a;
}

static uint32_t subnet_index(const struct fib *f, const char *name)
{
	const struct fib_subnet *s = name[0] != '\0' ? fib_subnet_find(f, name) : NULL;

	return s != NULL && s->usable ? s->index : SUBNET_NONE;
}

static struct vport vport_of(const struct fib *f, const struct fib_pod *pod)
{
	struct vport v = {
		.kind = VPORT_POD,
		.overlay = pod->overlay,
		.subnet4 = pod->has_ip4 ? subnet_index(f, pod->subnet4) : SUBNET_NONE,
		.subnet6 = pod->has_ip6 ? subnet_index(f, pod->subnet6) : SUBNET_NONE,
	};

	memcpy(&v.mac, pod->mac, sizeof(pod->mac));
	if (pod->has_ip4)
		v.ip4 = pod->ip4;
	if (pod->has_ip6)
		v.ip6 = pod->ip6;
	(void)snprintf(v.name, sizeof(v.name), "%s", pod->name);
	return v;
}

void fib_ports_subnet_changed(struct fib *f, const struct fib_subnet *s)
{
	for (uint16_t i = 0; i < VPORT_MAX; i++) {
		const struct fib_port *p = f->ports[i];
		if (p == NULL || (strcmp(p->pod.subnet4, s->name) != 0 &&
					 strcmp(p->pod.subnet6, s->name) != 0))
			continue;
		struct vport v = vport_of(f, &p->pod);
		v.dev = p->dev;
		v.index = i;
		const struct vport *now = f->tables->vports[i];
		if (now != NULL && now->subnet4 == v.subnet4 && now->subnet6 == v.subnet6)
			continue;
		fib_snapshots_flush(f);
		int ret = dataplane_set_port(f->dp, &v);
		if (ret < 0)
			(void)log_err(ret, "port '%s' keeps its old Subnets", v.name);
	}
}

static bool owns(const struct fib_port *p, const struct in6_addr *ip)
{
	return (p->pod.has_ip4 && IN6_ARE_ADDR_EQUAL(&p->pod.ip4, ip)) ||
	       (p->pod.has_ip6 && IN6_ARE_ADDR_EQUAL(&p->pod.ip6, ip));
}

// The latest port that claims an address has it: a pod's new sandbox comes up before the old one
// is taken away.
static int claim(struct fib *f, struct fib_port *p, const struct in6_addr *ip)
{
	struct port_address *a = fib_port_address(f, ip);

	if (a == NULL) {
		a = calloc(1, sizeof(*a));
		if (a == NULL)
			return -ENOMEM;
		a->ip = *ip;
		HASH_ADD(hh, f->port_addresses, ip, sizeof(a->ip), a);
	}
	a->port = p;
	return 0;
}

static void unclaim(struct fib *f, const struct fib_port *p, const struct in6_addr *ip)
{
	struct port_address *a = fib_port_address(f, ip);
	struct fib_port *heir = NULL;

	if (a == NULL || a->port != p)
		return;
	for (uint16_t i = 0; i < VPORT_MAX; i++) {
		if (f->ports[i] != NULL && f->ports[i] != p && owns(f->ports[i], ip))
			heir = f->ports[i];
	}
	if (heir != NULL) {
		a->port = heir;
		fib_route_update(f, ip);
		return;
	}

	// The record goes last: it knows what has to be undone.
	struct fib_port nobody = {.nexthop = NEXTHOP_NONE};
	a->port = &nobody; // no pod's namespace is empty
	fib_route_update(f, ip);
	HASH_DEL(f->port_addresses, a);
	free(a);
}

static int publish(struct fib *f, struct fib_port *p)
{
	struct vport v = vport_of(f, &p->pod);
	v.dev = p->dev;

	fib_snapshots_flush(f); // the port names its Subnets
	struct nexthop nh = {
		.kind = NEXTHOP_PORT, .port = VPORT_NONE, .mtu = p->pod.mtu, .dst = v.mac};
	int ret = tables_add_nexthop(f->tables, &nh, &p->nexthop);
	if (ret < 0)
		return ret;
	ret = dataplane_add_port(f->dp, &v);
	if (ret < 0) {
		tables_del_nexthop(f->tables, p->nexthop);
		return ret;
	}
	p->index = v.index;
	nh.port = v.index;
	ret = tables_set_nexthop(f->tables, p->nexthop, &nh);
	if (ret < 0) {
		// The device stays the caller's if attaching fails, so the port must not be closed.
		(void)log_err(ret, "port '%s' cannot be reached", p->pod.name);
	}
	return 0;
}

int fib_attach(struct fib *f, const struct fib_pod *pod, uint16_t *ret_port)
{
	struct fib_port *p = calloc(1, sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	p->pod = *pod;
	p->pod.dev = NULL;
	p->dev = pod->dev;
	if (!pod->has_ip4)
		p->pod.subnet4[0] = '\0';
	if (!pod->has_ip6)
		p->pod.subnet6[0] = '\0';

	int ret = publish(f, p);
	if (ret < 0) {
		free(p);
		return ret;
	}
	f->ports[p->index] = p;
	if (pod->has_ip4)
		ret = claim(f, p, &pod->ip4);
	if (pod->has_ip6 && ret == 0)
		ret = claim(f, p, &pod->ip6);
	if (ret < 0)
		(void)log_err(ret, "port '%s' has no routes", pod->name);
	if (pod->has_ip4)
		fib_route_update(f, &pod->ip4);
	if (pod->has_ip6)
		fib_route_update(f, &pod->ip6);
	*ret_port = p->index;
	return 0;
}

void fib_detach(struct fib *f, uint16_t port, port_retired *retired, void *arg)
{
	struct fib_port *p = port < VPORT_MAX ? f->ports[port] : NULL;
	if (p == NULL)
		return;

	f->ports[port] = NULL;
	if (p->pod.has_ip4)
		unclaim(f, p, &p->pod.ip4);
	if (p->pod.has_ip6)
		unclaim(f, p, &p->pod.ip6);
	tables_del_nexthop(f->tables, p->nexthop);
	dataplane_del_port(f->dp, port, retired, arg);
	fib_poll_soon(f);
	free(p);
}

void fib_ports_free(struct fib *f)
{
	struct port_address *a, *tmp;

	HASH_ITER (hh, f->port_addresses, a, tmp) {
		HASH_DEL(f->port_addresses, a);
		free(a);
	}
	for (uint16_t i = 0; i < VPORT_MAX; i++)
		free(f->ports[i]);
}
