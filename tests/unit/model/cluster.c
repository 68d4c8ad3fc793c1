// A cluster of objects for tests.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cluster.h"

void cluster_add(
	struct cluster *c, const char *kind, const char *name, const char *spec, const char *more)
{
	struct object *obj = object_of(kind, name, spec, more);

	assert_true(c->n[obj->kind] < CLUSTER_MAX);
	c->obj[obj->kind][c->n[obj->kind]++] = obj;
}

void cluster_fini(struct cluster *c)
{
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		for (size_t i = 0; i < c->n[kind]; i++)
			object_free(c->obj[kind][i]);
	}
}

struct admission_view cluster_view(const struct cluster *c)
{
	return (struct admission_view){
		.networks = (const struct network *const *)c->obj[KIND_NETWORK],
		.n_networks = c->n[KIND_NETWORK],
		.subnets = (const struct subnet_obj *const *)c->obj[KIND_SUBNET],
		.n_subnets = c->n[KIND_SUBNET],
		.ipinstances = (const struct ipinstance *const *)c->obj[KIND_IPINSTANCE],
		.n_ipinstances = c->n[KIND_IPINSTANCE],
		.nodes = (const struct object *const *)c->obj[KIND_NODEINFO],
		.n_nodes = c->n[KIND_NODEINFO],
	};
}

static struct object *existing(const struct cluster *c, enum kind kind, const char *name)
{
	for (size_t i = 0; i < c->n[kind]; i++) {
		if (strcmp(c->obj[kind][i]->meta.name, name) == 0)
			return c->obj[kind][i];
	}
	fail_msg("no such object: %s", name);
	return NULL;
}

// A refusal has a message, an admission has none.
static const char *answer(const struct cluster *c, bool allowed)
{
	assert_int_equal(allowed, c->message[0] == '\0');
	return c->message;
}

const char *create_answer(struct cluster *c, const char *kind, const char *name, const char *spec)
{
	const struct admission_view view = cluster_view(c);
	struct object *obj = object_of(kind, name, spec, "");
	bool allowed = false;

	c->message[0] = '\0';
	if (obj->kind == KIND_NETWORK)
		allowed = admit_network_create(&view, OBJECT_AS(network, obj), c->message);
	else if (obj->kind == KIND_SUBNET)
		allowed = admit_subnet_create(&view, OBJECT_AS(subnet_obj, obj), c->message);
	else if (obj->kind == KIND_IPINSTANCE)
		allowed = admit_ipinstance(&view, OBJECT_AS(ipinstance, obj), c->message) &&
			  admit_ipinstance_address(&view, OBJECT_AS(ipinstance, obj), c->message);
	object_free(obj);
	return answer(c, allowed);
}

const char *update_answer(struct cluster *c, const char *kind, const char *name, const char *spec)
{
	const struct admission_view view = cluster_view(c);
	struct object *obj = object_of(kind, name, spec, "");
	struct object *old = existing(c, obj->kind, name);
	bool allowed;

	c->message[0] = '\0';
	if (obj->kind == KIND_NETWORK)
		allowed = admit_network_update(
			&view, OBJECT_AS(network, old), OBJECT_AS(network, obj), c->message);
	else
		allowed = admit_subnet_update(
			&view, OBJECT_AS(subnet_obj, old), OBJECT_AS(subnet_obj, obj), c->message);
	object_free(obj);
	return answer(c, allowed);
}

const char *delete_answer(struct cluster *c, const char *kind, const char *name)
{
	const struct admission_view view = cluster_view(c);
	enum kind k;
	bool allowed;

	assert_int_equal(kind_parse(kind, &k), 0);
	c->message[0] = '\0';
	if (k == KIND_NETWORK)
		allowed = admit_network_delete(
			&view, OBJECT_AS(network, existing(c, k, name)), c->message);
	else
		allowed = admit_subnet_delete(
			&view, OBJECT_AS(subnet_obj, existing(c, k, name)), c->message);
	return answer(c, allowed);
}
