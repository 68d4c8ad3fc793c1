// Deferred calls, which wait for workers. These are played by the test itself.
#include "tests/unit/dataplane/eal.h"
#include "vswitch/rcu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct rcu *rcu;
static char calls[8];

static int setup(void **)
{
	calls[0] = '\0';
	rcu = rcu_new(2);
	return rcu != NULL ? 0 : -1;
}

static int teardown(void **)
{
	rcu_free(rcu);
	return 0;
}

static void called(void *obj)
{
	strcat(calls, obj);
}

static char a[] = "a", b[] = "b", c[] = "c";

static void deferred_call_waits_for_every_online_worker(void **)
{
	rcu_online(rcu, 0);
	rcu_online(rcu, 1);
	rcu_defer(rcu, called, a);
	assert_int_equal(rcu_poll(rcu), 1);
	rcu_quiescent(rcu, 0);
	assert_int_equal(rcu_poll(rcu), 1);
	assert_string_equal(calls, "");
	rcu_quiescent(rcu, 1);
	assert_int_equal(rcu_poll(rcu), 0);
	assert_string_equal(calls, "a");
	rcu_offline(rcu, 0);
	rcu_offline(rcu, 1);
}

static void sleeping_worker_does_not_hold_up_a_deferred_call(void **)
{
	rcu_online(rcu, 0);
	rcu_defer(rcu, called, a);
	rcu_quiescent(rcu, 0);
	assert_int_equal(rcu_poll(rcu), 0);
	rcu_offline(rcu, 0);
	rcu_defer(rcu, called, b);
	assert_int_equal(rcu_poll(rcu), 0);
	assert_string_equal(calls, "ab");
}

static void worker_that_comes_online_after_the_defer_does_not_hold_it_up(void **)
{
	rcu_defer(rcu, called, a);
	rcu_online(rcu, 0);
	assert_int_equal(rcu_poll(rcu), 0);
	assert_string_equal(calls, "a");
	rcu_offline(rcu, 0);
}

static void deferred_calls_run_in_order_and_each_after_its_own_grace_period(void **)
{
	rcu_online(rcu, 0);
	rcu_defer(rcu, called, a);
	rcu_quiescent(rcu, 0);
	rcu_defer(rcu, called, b);
	rcu_defer(rcu, called, c);
	assert_int_equal(rcu_poll(rcu), 2);
	assert_string_equal(calls, "a");
	rcu_quiescent(rcu, 0);
	assert_int_equal(rcu_poll(rcu), 0);
	assert_string_equal(calls, "abc");
	rcu_offline(rcu, 0);
}

static void defer_again(void *obj)
{
	rcu_defer(rcu, called, obj);
}

static void deferred_call_may_defer_another(void **)
{
	rcu_defer(rcu, defer_again, a);
	rcu_flush(rcu);
	assert_string_equal(calls, "a");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(deferred_call_waits_for_every_online_worker),
		TEST(sleeping_worker_does_not_hold_up_a_deferred_call),
		TEST(worker_that_comes_online_after_the_defer_does_not_hold_it_up),
		TEST(deferred_calls_run_in_order_and_each_after_its_own_grace_period),
		TEST(deferred_call_may_defer_another),
	};
	eal_start("rcu", "0");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
