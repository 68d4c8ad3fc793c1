// Base64, both ways.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctrl/base64.h"

static void it_is_that_of_the_rfc(void **)
{
	static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="},
		{"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"}, {"\xff\xfe\xfb", "//77"}};
	size_t len;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char *text = base64_encode(pairs[i][0], strlen(pairs[i][0]));
		assert_string_equal(text, pairs[i][1]);
		char *back = base64_decode(text, &len);
		assert_int_equal(len, strlen(pairs[i][0]));
		assert_string_equal(back, pairs[i][0]);
		free(text);
		free(back);
	}
}

static void a_text_of_several_lines_is_one(void **)
{
	size_t len;
	char *data = base64_decode("Zm9v\nYmE=\n", &len);

	assert_int_equal(len, 5);
	assert_string_equal(data, "fooba");
	free(data);
}

static void what_is_no_base64_is_refused_whole(void **)
{
	static const char *const wrong[] = {"Z", "Zg=", "Zg", "Z===", "=Zg=", "Zm=v", "Zm-v",
		"Zm9-", "Zm9v-x", "Zm9vY", "Zg==Zg==", "%%"};
	size_t len;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_null(base64_decode(wrong[i], &len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_that_of_the_rfc),
		cmocka_unit_test(a_text_of_several_lines_is_one),
		cmocka_unit_test(what_is_no_base64_is_refused_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
