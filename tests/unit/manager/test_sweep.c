// The verdicts of the sweeper, and of whose a doubled address is.
#include "ctrl/manager/sweep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ctrl/manager/doubled.h"

static struct ipinstance bound(const char *uid)
{
	struct ipinstance i = {0};

	i.binding.node_name = "node1";
	i.binding.pod_uid = uid;
	return i;
}

static void an_address_of_a_living_pod_is_good(void **)
{
	struct ipinstance i = bound("u");
	struct pod pod = {0};

	pod.obj.meta.uid = "u";
	assert_int_equal(sweep_judge(&i, &pod), SWEEP_GOOD);
}

static void an_address_of_a_pod_that_is_no_more_is_leaked(void **)
{
	struct ipinstance i = bound("u");
	struct pod next = {0};

	assert_int_equal(sweep_judge(&i, NULL), SWEEP_LEAKED);
	next.obj.meta.uid = "another of the name";
	assert_int_equal(sweep_judge(&i, &next), SWEEP_LEAKED);
	i.obj.meta.deleting = true; // it goes already
	assert_int_equal(sweep_judge(&i, NULL), SWEEP_GOOD);
}

static void a_reserved_address_waits_for_its_pod(void **)
{
	struct ipinstance i = {.binding = {.node_name = "", .pod_uid = ""}};

	assert_int_equal(sweep_judge(&i, NULL), SWEEP_GOOD);
}

static void a_doubled_address_is_its_older_ones_unless_only_the_others_pod_runs_with_it(void **)
{
	assert_int_equal(doubled_judge(false, false), DOUBLED_HOLDER_KEEPS);
	assert_int_equal(doubled_judge(true, false), DOUBLED_HOLDER_KEEPS);
	assert_int_equal(doubled_judge(false, true), DOUBLED_RIVAL_TAKES);
	assert_int_equal(doubled_judge(true, true), DOUBLED_BOTH_RUN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_of_a_living_pod_is_good),
		cmocka_unit_test(an_address_of_a_pod_that_is_no_more_is_leaked),
		cmocka_unit_test(a_reserved_address_waits_for_its_pod),
		cmocka_unit_test(
			a_doubled_address_is_its_older_ones_unless_only_the_others_pod_runs_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
