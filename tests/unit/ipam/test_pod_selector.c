// Which pods a label selector chooses.
#include "ctrl/ipam/pod_selector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static bool chooses(const char *selector)
{
	char a[] = "a", b[] = "b", empty[] = "empty", none[] = "";
	struct key_value kv[] = {{a, a}, {b, b}, {empty, none}};
	const struct key_values labels = {.kv = kv, .n = 3};
	char error[POD_SELECTOR_ERROR_MAX] = "";

	if (!pod_selector_check(selector, error))
		fail_msg("%s: %s", selector, error);
	return pod_selector_matches(selector, &labels);
}

static void a_selector_chooses_by_the_rules_of_kubernetes(void **)
{
	static const char *const yes[] = {"", " ", "a=a", "a==a", "a = a,b=b", "a in (a,aa)",
		"a in (aa, a )", "a notin (m)", "m notin (m)", "a!=m", "m!=m", "a", "a,b", "!m",
		" a , ! m ", "empty=", "empty"};
	static const char *const no[] = {"c=c", "a=b", "a=a,b=c", "a=", "m=", "a in (b,m)",
		"m in (m)", "a notin (m, a)", "a!=a", "m", "!a", "a,m", "a=a,!b", "a in (aa)"};

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (!chooses(yes[i]))
			fail_msg("%s chooses nobody", yes[i]);
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		if (chooses(no[i]))
			fail_msg("%s chooses", no[i]);
	}
	assert_true(pod_selector_matches(NULL, &(struct key_values){0}));
}

static void what_is_no_selector_is_refused(void **)
{
	static const char *const bad[] = {"a=a,", ",a", "=a", "a in", "a in a", "a in (a", "a=b c",
		"a in (a) b", "a<1", "a===b", "!", "a b"};
	char error[POD_SELECTOR_ERROR_MAX];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (pod_selector_check(bad[i], error))
			fail_msg("'%s' is taken", bad[i]);
	}
	assert_false(pod_selector_check("a ILLEGAL (b)", error));
	assert_string_equal(error, "\"ILLEGAL\" is not a valid pod selector operator");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_selector_chooses_by_the_rules_of_kubernetes),
		cmocka_unit_test(what_is_no_selector_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
