// Merge patches: what is sent is what was changed.
#include "ctrl/manager/patch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_patch(const char *was_text, const char *now_text, const char *want)
{
	cJSON *was = cJSON_Parse(was_text), *now = cJSON_Parse(now_text);
	cJSON *patch = patch_between(was, now);
	char *text = patch != NULL ? cJSON_PrintUnformatted(patch) : NULL;

	if (want == NULL)
		assert_null(text);
	else
		assert_string_equal(text, want);
	free(text);
	cJSON_Delete(patch);
	cJSON_Delete(was);
	cJSON_Delete(now);
}

static void only_what_differs_is_in_the_patch(void **)
{
	assert_patch("{\"a\":1,\"b\":{\"c\":2,\"d\":3}}", "{\"a\":1,\"b\":{\"c\":2,\"d\":4}}",
		"{\"b\":{\"d\":4}}");
	assert_patch("{\"a\":{\"b\":[1]}}", "{\"a\":{\"b\":[1]}}", NULL);
}

static void what_is_gone_is_null(void **)
{
	assert_patch("{\"l\":{\"node\":\"n\",\"pod\":\"p\"}}", "{\"l\":{\"pod\":\"p\"}}",
		"{\"l\":{\"node\":null}}");
	assert_patch("{\"a\":{}}", "{}", "{\"a\":null}");
}

static void lists_are_replaced_whole(void **)
{
	assert_patch("{\"f\":[\"a\",\"b\"]}", "{\"f\":[\"a\"]}", "{\"f\":[\"a\"]}");
}

static void from_nothing_all_is_new(void **)
{
	assert_patch("null", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}");
	assert_patch("{\"a\":1}", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_differs_is_in_the_patch),
		cmocka_unit_test(what_is_gone_is_null),
		cmocka_unit_test(lists_are_replaced_whole),
		cmocka_unit_test(from_nothing_all_is_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
