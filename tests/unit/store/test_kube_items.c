// Lists that arrive in chunks of any size, and what is left out of their items.
#include "ctrl/store/kube_items.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctrl/store/kube_managed_fields.h"

static bool note_item(void *arg, char *text, size_t len)
{
	char *out = arg;

	kube_blank_managed_fields(text, len);
	cJSON *item = cJSON_ParseWithLength(text, len);
	char *item_text = cJSON_PrintUnformatted(item);
	strcat(strcat(out, item_text != NULL ? item_text : "?"), "\n");
	free(item_text);
	cJSON_Delete(item);
	return true;
}

// The list's items and its rest, one line each; "" if it is no list.
static void split_by(const char *json, size_t chunk, char out[1024])
{
	struct kube_items items = {0};
	size_t len = strlen(json);
	int ret = 0;
	cJSON *list;

	out[0] = '\0';
	for (size_t at = 0; ret == 0 && at < len; at += chunk) {
		size_t n = len - at < chunk ? len - at : chunk;
		char *text = malloc(n); // exactly: a byte too far is found

		memcpy(text, json + at, n);
		ret = kube_items_feed(&items, text, n, note_item, out);
		free(text);
	}
	if (ret == 0)
		ret = kube_items_end(&items, &list);
	if (ret == 0) {
		char *rest = cJSON_PrintUnformatted(list);
		strcat(out, rest);
		free(rest);
		cJSON_Delete(list);
	} else {
		assert_int_equal(ret, -EPROTO);
		out[0] = '\0';
	}
	kube_items_reset(&items);
}

// In chunks of every size.
static const char *split(const char *json)
{
	static char out[1024];
	char other[1024];

	split_by(json, strlen(json) + 1, out);
	for (size_t chunk = 1; chunk <= strlen(json); chunk++) {
		split_by(json, chunk, other);
		assert_string_equal(other, out);
	}
	return out;
}

static void a_list_is_split_into_its_items(void **)
{
	assert_string_equal(
		split("{\"kind\":\"L\",\"metadata\":{\"continue\":\"x\"},\"items\":[{\"a\":"
		      "\"]}\\\"{\"} , {\"b\":[1,{}]}],\"z\":1}\n"),
		"{\"a\":\"]}\\\"{\"}\n{\"b\":[1,{}]}\n"
		"{\"kind\":\"L\",\"metadata\":{\"continue\":\"x\"},\"items\":[],\"z\":1}");
	assert_string_equal(split("{\"items\":null}"), "{\"items\":null}");
	assert_string_equal(split(" { \"items\" : [ ] } "), "{\"items\":[]}");
	// The name counts where it is one, and nowhere else.
	assert_string_equal(split("{\"a\":\"items\",\"b\":{\"items\":[{}]},\"items\":[{\"c\":1}]}"),
		"{\"c\":1}\n{\"a\":\"items\",\"b\":{\"items\":[{}]},\"items\":[]}");
}

static void managed_fields_are_blanked_before_they_are_parsed(void **)
{
	assert_string_equal(
		split("{\"items\":[{\"metadata\":{\"name\":\"n\",\"managedFields\":[{\"f:x\":{\"]"
		      "\":{}}}],\"uid\":\"u\"},\"spec\":{\"managedFields\":[1]}}]}"),
		"{\"metadata\":{\"name\":\"n\",\"managedFields\":0,\"uid\":\"u\"},"
		"\"spec\":{\"managedFields\":[1]}}\n{\"items\":[]}");
}

static void what_is_no_list_is_refused_wherever_it_ends(void **)
{
	static const char list[] = "{\"metadata\":{\"a\":\"\\\"\"},\"items\":[{\"metadata\":"
				   "{\"managedFields\":[]}},{\"c\":\"x\"}],\"b\":[{}]}";
	static const char *const none[] = {"", "5", "[]", "{}", "null", "{\"items\":{}}",
		"{\"items\":\"x\"}", "{\"items\" []}", "{\"items\":[5]}", "{\"items\":[{},]}",
		"{\"items\":[{}{}]}", "{\"items\":[]]}"};
	char part[sizeof(list)];

	for (size_t n = 0; n < sizeof(list) - 1; n++) {
		memcpy(part, list, n);
		part[n] = '\0';
		assert_string_equal(split(part), "");
	}
	assert_string_not_equal(split(list), "");
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_string_equal(split(none[i]), "");
}

static void an_item_without_end_is_refused(void **)
{
	static char part[1024 * 1024];
	struct kube_items items = {0};
	char head[] = "{\"items\":[{\"a\":\"";
	char out[1024] = "";

	assert_int_equal(kube_items_feed(&items, head, strlen(head), note_item, out), 0);
	memset(part, 'x', sizeof(part));
	int ret = 0;
	size_t n = 0;
	for (; ret == 0 && n <= KUBE_ITEM_MAX; n += sizeof(part))
		ret = kube_items_feed(&items, part, sizeof(part), note_item, out);
	assert_int_equal(ret, -EMSGSIZE);
	kube_items_reset(&items);
	// Nor what is around the items.
	assert_int_equal(kube_items_feed(&items, part, sizeof(part), note_item, out), -EMSGSIZE);
	kube_items_reset(&items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_is_split_into_its_items),
		cmocka_unit_test(managed_fields_are_blanked_before_they_are_parsed),
		cmocka_unit_test(what_is_no_list_is_refused_wherever_it_ends),
		cmocka_unit_test(an_item_without_end_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
