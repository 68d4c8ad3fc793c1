#include "tests/unit/model/object.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

struct object *decoded(const char *text)
{
	char error[MODEL_ERROR_MAX] = "";
	struct object *obj = NULL;
	cJSON *json = cJSON_Parse(text);

	assert_non_null(json);
	int ret = object_decode(json, &obj, error);
	cJSON_Delete(json);
	assert_string_equal(error, "");
	assert_int_equal(ret, 0);
	return obj;
}

void assert_refused(const char *text, const char *want)
{
	char error[MODEL_ERROR_MAX] = "";
	struct object *obj = NULL;
	cJSON *json = cJSON_Parse(text);

	assert_non_null(json);
	assert_int_equal(object_decode(json, &obj, error), -EINVAL);
	assert_null(obj);
	assert_string_equal(error, want);
	cJSON_Delete(json);
}

struct object *object_of(const char *kind, const char *name, const char *spec, const char *more)
{
	char text[8192];
	int len = snprintf(text, sizeof(text),
		HEAD "\"%s\",\"metadata\":{\"name\":\"%s\"},\"spec\":{%s}%s%s}", kind, name, spec,
		more[0] != '\0' ? "," : "", more);

	assert_in_range(len, 1, sizeof(text) - 1);
	return decoded(text);
}
