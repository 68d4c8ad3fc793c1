// The IPInstances of this node's pods, found without looking at all of the cluster's.
#include "ctrl/node/bindings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct ipinstance instance(const char *name, const char *node, const char *uid)
{
	struct ipinstance i = {0};

	i.obj.meta.name = name;
	i.obj.meta.namespace = "default";
	i.binding.node_name = node;
	i.binding.pod_uid = uid;
	return i;
}

static bool count(const struct ipinstance *, void *n)
{
	(*(size_t *)n)++;
	return true;
}

static size_t n_of(const struct bindings *b, const char *uid)
{
	size_t n = 0;

	bindings_each(b, uid, count, &n);
	return n;
}

static void only_this_nodes_addresses_of_the_pod_are_found(void **)
{
	struct bindings *b = bindings_new("node1");
	struct ipinstance ours = instance("10-0-0-1", "node1", "u1");
	struct ipinstance ours6 = instance("fd00-0-0-0-0-0-0-1", "node1", "u1");
	struct ipinstance neighbour = instance("10-0-0-2", "node1", "u2");
	struct ipinstance elsewhere = instance("10-0-0-3", "node2", "u1");

	bindings_put(b, &ours);
	bindings_put(b, &ours6);
	bindings_put(b, &neighbour);
	bindings_put(b, &elsewhere);
	assert_int_equal(n_of(b, "u1"), 2);
	assert_int_equal(n_of(b, "u2"), 1);
	bindings_free(b);
}

static void an_address_that_moves_away_is_forgotten_and_may_return(void **)
{
	struct bindings *b = bindings_new("node1");
	struct ipinstance here = instance("10-0-0-1", "node1", "u1");
	struct ipinstance away = instance("10-0-0-1", "node2", "u1");

	bindings_put(b, &here);
	bindings_put(b, &away);
	assert_int_equal(n_of(b, "u1"), 0);
	bindings_put(b, &here);
	bindings_put(b, &here);
	assert_int_equal(n_of(b, "u1"), 1);
	bindings_del(b, &here);
	bindings_del(b, &here);
	assert_int_equal(n_of(b, "u1"), 0);
	bindings_free(b);
}

static void one_that_is_being_deleted_does_not_count(void **)
{
	struct bindings *b = bindings_new("node1");
	struct ipinstance going = instance("10-0-0-1", "node1", "u1");

	going.obj.meta.deleting = true;
	bindings_put(b, &going);
	assert_int_equal(n_of(b, "u1"), 0);
	bindings_free(b);
}

static void a_pod_without_a_uid_has_none(void **)
{
	struct bindings *b = bindings_new("node1");
	struct ipinstance reserved = instance("10-0-0-1", "node1", "");

	bindings_put(b, &reserved);
	assert_int_equal(n_of(b, ""), 0);
	bindings_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_this_nodes_addresses_of_the_pod_are_found),
		cmocka_unit_test(an_address_that_moves_away_is_forgotten_and_may_return),
		cmocka_unit_test(one_that_is_being_deleted_does_not_count),
		cmocka_unit_test(a_pod_without_a_uid_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
