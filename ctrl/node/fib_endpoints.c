// IPInstances: which pod has which address, on which node. There may be a hundred thousand, so
// each is looked up by address and hangs in the lists of its Subnet and of its node: what changes
// finds what depends on it without looking at the rest.
#include "ctrl/node/fib_priv.h"

#include "ctrl/log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const void *key_of(const void *endpoint)
{
	return endpoint_ip(endpoint);
}

static uint64_t hash_ip(const void *ip)
{
	return table_hash_bytes(ip, sizeof(struct in6_addr));
}

static bool equal_ips(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct in6_addr)) == 0;
}

static const struct table_type by_ip = {.key = key_of, .hash = hash_ip, .equal = equal_ips};

struct endpoint *fib_endpoint_find(const struct fib *f, const struct in6_addr *ip)
{
	return table_find(&f->endpoints, &by_ip, ip);
}

// A new one, with room for it among those in force.
static struct endpoint *endpoint_new(struct fib *f, const struct ipinstance *i)
{
	if (table_reserve(&f->endpoints, &by_ip) < 0)
		return NULL;
	struct endpoint *e = calloc(1, sizeof(*e));
	if (e == NULL)
		return NULL;
	e->i = i;
	e->subnet = fib_subnet_get(f, i->subnet);
	if (i->binding.node_name[0] != '\0')
		e->node = fib_node_get(f, i->binding.node_name);
	if (e->subnet == NULL || (i->binding.node_name[0] != '\0' && e->node == NULL)) {
		if (e->subnet != NULL)
			fib_subnet_put(f, e->subnet);
		free(e);
		return NULL;
	}
	return e;
}

// The cache lets one IPInstance of an address into force.
static void insert(struct fib *f, struct endpoint *e)
{
	assert(fib_endpoint_find(f, endpoint_ip(e)) == NULL);
	(void)table_add(&f->endpoints, &by_ip, e);
	DL_APPEND2(e->subnet->endpoints, e, prev_in_subnet, next_in_subnet);
	if (e->node != NULL)
		DL_APPEND2(e->node->endpoints, e, prev_on_node, next_on_node);
}

// Takes e out of everything; its Subnet and node may go with it. The route is not touched.
static void withdraw(struct fib *f, struct endpoint *e)
{
	table_del(&f->endpoints, &by_ip, e);
	DL_DELETE2(e->subnet->endpoints, e, prev_in_subnet, next_in_subnet);
	if (e->node != NULL)
		DL_DELETE2(e->node->endpoints, e, prev_on_node, next_on_node);
}

static void release(struct fib *f, struct endpoint *e)
{
	fib_subnet_put(f, e->subnet);
	if (e->node != NULL)
		fib_node_put(f, e->node);
	free(e);
}

static bool same(const struct endpoint *a, const struct endpoint *b)
{
	return IN6_ARE_ADDR_EQUAL(endpoint_ip(a), endpoint_ip(b)) && a->node == b->node &&
	       a->subnet == b->subnet &&
	       strcmp(a->i->binding.pod_name, b->i->binding.pod_name) == 0;
}

// before is NULL for a new object, after for one that is gone.
static void replace(struct fib *f, struct endpoint *before, struct endpoint *after)
{
	if (before != NULL)
		withdraw(f, before);
	if (after != NULL) {
		insert(f, after);
		fib_route_update(f, endpoint_ip(after));
		if (before != NULL && before->node != after->node && after->subnet->usable)
			neighbours_moved(
				f->neighbours, after->subnet->desired.vlan, endpoint_ip(after));
	}
	if (before == NULL)
		return;
	if (after == NULL || !IN6_ARE_ADDR_EQUAL(endpoint_ip(before), endpoint_ip(after)))
		fib_route_update(f, endpoint_ip(before));
	release(f, before);
}

// An object's new version takes the place of the old one before any route is written, so a pod
// that moves costs one replaced route and is never without one. The old version is there until the
// event has passed: an endpoint keeps none of it.
void fib_endpoint_event(struct fib *f, enum cache_event event, const struct ipinstance *i,
	const struct ipinstance *old)
{
	struct endpoint *before = fib_endpoint_find(f, &(old != NULL ? old : i)->address.ip.ip);
	struct endpoint *after = event == CACHE_PUT ? endpoint_new(f, i) : NULL;

	if (event == CACHE_PUT && after == NULL)
		(void)log_err(
			-ENOMEM, "ipinstance '%s/%s'", i->obj.meta.namespace, i->obj.meta.name);
	if (before != NULL && after != NULL && same(before, after)) {
		before->i = i;
		free(after); // it mentions nothing that before does not
		return;
	}
	replace(f, before, after);
}

void fib_endpoints_free(struct fib *f)
{
	struct endpoint *e;

	TABLE_FOREACH(&f->endpoints, i, e)
	free(e);
	table_fini(&f->endpoints);
}
