// How many requests a second a client may send.
#include "ctrl/store/kube_rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static unsigned int go(struct kube_rate *r, uint64_t now)
{
	unsigned int n = 0;

	for (; n < 1000 && kube_rate_wait(r, now) == 0; n++)
		kube_rate_take(r, now);
	return n;
}

static void a_burst_goes_at_once_and_then_as_many_as_the_rate_has(void **)
{
	struct kube_rate r;

	kube_rate_init(&r, 20, 5, 1000);
	assert_int_equal(go(&r, 1000), 5);
	assert_in_range(kube_rate_wait(&r, 1000), 50, 51);
	assert_int_equal(go(&r, 1000 + kube_rate_wait(&r, 1000)), 1);
	assert_int_equal(go(&r, 1201), 3);
	assert_int_equal(go(&r, 1000000), 5); // what was not used is not kept
}

static void without_a_rate_nothing_waits(void **)
{
	struct kube_rate r;

	kube_rate_init(&r, 0, 1, 0);
	assert_int_equal(go(&r, 0), 1000);
}

static void a_tiny_rate_does_not_run_over(void **)
{
	struct kube_rate r;

	kube_rate_init(&r, 1e-300, 1, 0);
	assert_int_equal(go(&r, 0), 1);
	assert_in_range(kube_rate_wait(&r, 5), 1, 86400000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_goes_at_once_and_then_as_many_as_the_rate_has),
		cmocka_unit_test(without_a_rate_nothing_waits),
		cmocka_unit_test(a_tiny_rate_does_not_run_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
