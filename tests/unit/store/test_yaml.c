// YAML to JSON and back.
#include "ctrl/store/yaml.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char error[YAML_ERROR_MAX];

static int parse(const char *text, struct yaml_documents *ret)
{
	error[0] = '\0';
	return yaml_parse_text("f.yaml", text, strlen(text), ret, error);
}

// The JSON of text's only document.
static void expect_json(const char *text, const char *json)
{
	struct yaml_documents docs;

	assert_int_equal(parse(text, &docs), 0);
	assert_int_equal(docs.n, 1);
	char *got = cJSON_PrintUnformatted(docs.doc[0].json);
	assert_string_equal(got, json);
	free(got);
	yaml_documents_free(&docs);
}

static void expect_error(const char *text, int err, const char *message)
{
	struct yaml_documents docs;

	assert_int_equal(parse(text, &docs), err);
	if (strncmp(error, message, strlen(message)) != 0)
		fail_msg("got '%s', not '%s'", error, message);
}

static void scalars_are_typed_by_the_core_schema(void **)
{
	expect_json(
		"a: 5\nb: \"5\"\nc: '5'\nd: true\ne: yes\nf: null\ng: ~\nh:\ni: 0x10\nj: 0o10\n",
		"{\"a\":5,\"b\":\"5\",\"c\":\"5\",\"d\":true,\"e\":\"yes\",\"f\":null,\"g\":null,"
		"\"h\":null,"
		"\"i\":16,\"j\":8}");
	expect_json("[1.5, -2, +3, .5, 1e3, 1.2.3.4, 10.0.0.0/8, .inf, 0b1, 1_000, 08:00, '']",
		"[1.5,-2,3,0.5,1000,\"1.2.3.4\",\"10.0.0.0/"
		"8\",\".inf\",\"0b1\",\"1_000\",\"08:00\",\"\"]");
	expect_json("a: |\n  one\n  two\nb: >-\n  5\n", "{\"a\":\"one\\ntwo\\n\",\"b\":\"5\"}");
	expect_json("{\"kind\": \"Network\", \"n\": [1, {\"x\": null}]}",
		"{\"kind\":\"Network\",\"n\":[1,{\"x\":null}]}");
}

static const char three[] = "# a comment\n"
			    "---\n"
			    "a: 1\n"
			    "---\n"
			    "# nothing\n"
			    "--- # b\n"
			    "b: |\n"
			    "  --- not a separator\n"
			    "---\n"
			    "\n"
			    "c: 3";

static void documents_know_their_line_and_their_text(void **)
{
	struct yaml_documents docs;

	assert_int_equal(parse(three, &docs), 0);
	assert_int_equal(docs.n, 3);
	assert_int_equal(docs.doc[0].line, 3);
	assert_int_equal(docs.doc[1].line, 7);
	assert_int_equal(docs.doc[2].line, 11);
	assert_int_equal(docs.doc[0].start, 12);
	assert_memory_equal(three + docs.doc[1].start, "--- # b", 7);
	assert_int_equal(docs.doc[1].end, docs.doc[2].start);
	assert_memory_equal(three + docs.doc[2].start, "---\n\nc", 6);
	assert_int_equal(docs.doc[2].end, strlen(three));
	yaml_documents_free(&docs);
}

static void text_without_a_document_is_no_error(void **)
{
	struct yaml_documents docs;
	static const char *const texts[] = {
		"", "\n\n", "# only a comment\n", "---\n", "---\n---\n"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(parse(texts[i], &docs), 0);
		assert_int_equal(docs.n, 0);
		yaml_documents_free(&docs);
	}
}

static void errors_name_file_line_and_column(void **)
{
	expect_error("a: 1\nb: [1, 2\n", -EINVAL, "f.yaml:");
	expect_error("a: 1\n  b: 2\n", -EINVAL, "f.yaml:1:4: ");
	expect_error("a: 1\nb: 2\na: 3\n", -EINVAL, "f.yaml:3:1: key 'a' is given twice");
	expect_error("a: &x 1\nb: *x\n", -EINVAL, "f.yaml:2:5: aliases are not supported");
	expect_error("a: !!str 1\n", -EINVAL, "f.yaml:1:");
	expect_error("a: \"x\\0y\"\n", -EINVAL, "f.yaml:1:5: a string must not hold a NUL");
	expect_error(
		"? [a, b]\n: 1\n", -EINVAL, "f.yaml:1:3: a key must be a plain word or a string");
	expect_error("a: 1\n%YAML 1.2\n", -EINVAL, "f.yaml:2:1: directives are not supported");
	expect_error("% [1\254-x", -EINVAL, "f.yaml:1:1: directives are not supported");
	expect_error("a: \xc3\xa4\nb: \xc3", -EINVAL, "f.yaml:2:4: neither printable nor UTF-8");
	expect_error("a: \xc0\x80", -EINVAL, "f.yaml:1:4: neither printable nor UTF-8");
	expect_error("a: \x01", -EINVAL, "f.yaml:1:4: neither printable nor UTF-8");
	expect_error("a: }\n", -EINVAL, "f.yaml:1:");
}

static void input_beyond_a_limit_is_refused(void **)
{
	char deep[2 * YAML_DEPTH_MAX + 16];
	char *many = malloc(YAML_FILE_MAX + 2);
	struct yaml_documents docs;

	memset(deep, '[', YAML_DEPTH_MAX);
	memset(deep + YAML_DEPTH_MAX, ']', YAML_DEPTH_MAX);
	deep[2 * YAML_DEPTH_MAX] = '\0';
	assert_int_equal(parse(deep, &docs), 0);
	yaml_documents_free(&docs);
	memset(deep, '[', YAML_DEPTH_MAX + 1);
	memset(deep + YAML_DEPTH_MAX + 1, ']', YAML_DEPTH_MAX + 1);
	deep[2 * YAML_DEPTH_MAX + 2] = '\0';
	expect_error(deep, -E2BIG, "f.yaml:1:33: nested too deeply");

	size_t at = 0;
	for (size_t i = 0; i <= YAML_DOCUMENTS_MAX; i++)
		at += (size_t)sprintf(many + at, "---\na\n");
	expect_error(many, -E2BIG, "f.yaml:1:1: too many documents in one file");

	at = 0;
	for (size_t i = 0; i <= YAML_KEYS_MAX; i++)
		at += (size_t)sprintf(many + at, "k%zu: 1\n", i);
	expect_error(many, -E2BIG, "f.yaml:4097:1: too many keys in one mapping");

	memset(many, '{', YAML_FILE_MAX);
	many[YAML_FILE_MAX] = '\0';
	expect_error(many, -E2BIG, "f.yaml:1:1001: nested too deeply");
	memset(many, '!', YAML_FILE_MAX);
	expect_error(many, -E2BIG, "f.yaml:1:262145: line too long");
	memset(many, ' ', YAML_FILE_MAX + 1);
	many[YAML_FILE_MAX + 1] = '\0';
	expect_error(many, -E2BIG, "f.yaml:1:1: larger than 1 MiB");
	free(many);
}

static void what_is_printed_reads_back_the_same(void **)
{
	static const char json[] = "{\"apiVersion\":\"networking.alibaba.com/"
				   "v1\",\"s\":[\"5\",\"true\",\"null\",\"\",\"yes\",\"~\","
				   "\"a: b\",\"# c\",\"- "
				   "d\",\"x\\ny\\t\\\"z\\\"\",\"1e3\",\"0x1f\",\".5\",\"10.0.0.1\","
				   "\"fd00::1\",\" lead\","
				   "\"trail "
				   "\",\"\\u0001\",\"\xc3\xa4\",\"---\",\"2026-01-02T03:04:05Z\"],"
				   "\"n\":[5,-1,1.5,4294967296,true,"
				   "false,null],\"empty\":{},\"none\":[],\"nested\":[[1,[2]],[{"
				   "\"a\":{\"b\":[{\"c\":1},{\"d\":2}]}}]],"
				   "\"1\":2,\"a b\":\"c\",\"yes\":\"no\"}";
	cJSON *obj = cJSON_Parse(json);
	char *text = yaml_print(obj);
	struct yaml_documents docs;

	assert_non_null(text);
	assert_int_equal(parse(text, &docs), 0);
	assert_int_equal(docs.n, 1);
	assert_true(cJSON_Compare(obj, docs.doc[0].json, true));
	assert_int_equal(strncmp(text, "apiVersion: networking.alibaba.com/v1\n", 38), 0);
	yaml_documents_free(&docs);
	free(text);
	cJSON_Delete(obj);
}

static void files_that_cannot_be_read_are_named(void **)
{
	struct yaml_documents docs;

	assert_int_equal(yaml_parse_file("/nonexistent.yaml", &docs, error), -ENOENT);
	assert_string_equal(error, "/nonexistent.yaml: No such file or directory");
	assert_int_equal(yaml_parse_file("/dev", &docs, error), -EINVAL);
	assert_string_equal(error, "/dev: not a regular file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scalars_are_typed_by_the_core_schema),
		cmocka_unit_test(documents_know_their_line_and_their_text),
		cmocka_unit_test(text_without_a_document_is_no_error),
		cmocka_unit_test(errors_name_file_line_and_column),
		cmocka_unit_test(input_beyond_a_limit_is_refused),
		cmocka_unit_test(what_is_printed_reads_back_the_same),
		cmocka_unit_test(files_that_cannot_be_read_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
