// Taking over: which of two versions of an object is the later one.
#include "ctrl/manager/takeover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void a_version_is_since_itself_and_those_before(void **)
{
	assert_true(version_is_since("7", "7"));
	assert_true(version_is_since("8", "7"));
	assert_true(version_is_since("10", "9"));
	assert_false(version_is_since("9", "10"));
	assert_false(version_is_since("7", "8"));
}

static void no_version_is_before_all(void **)
{
	assert_false(version_is_since("", "1"));
	assert_true(version_is_since("1", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_version_is_since_itself_and_those_before),
		cmocka_unit_test(no_version_is_before_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
