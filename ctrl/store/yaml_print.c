// Writing YAML: block style, and quotes around every string that could be read as something else,
// by YAML 1.2 or by the 1.1 readers that are still about.
#include "ctrl/store/yaml.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define INDENT 2

static bool plain_is_safe(const char *text)
{
	static const char *const words[] = {
		"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char others[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";

	if (text[0] == '\0' || strchr(letters, text[0]) == NULL ||
		text[strspn(text, others)] != '\0')
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i]) == 0)
			return false;
	}
	return true;
}

// JSON's string escapes are a subset of those of a double-quoted YAML scalar.
static bool put_json(FILE *f, const cJSON *json)
{
	char *text = cJSON_PrintUnformatted(json);
	if (text == NULL)
		return false;
	fputs(text, f);
	free(text);
	return true;
}

static bool put_string(FILE *f, const char *text)
{
	if (plain_is_safe(text)) {
		fputs(text, f);
		return true;
	}
	cJSON *string = cJSON_CreateStringReference(text);
	bool ok = string != NULL && put_json(f, string);
	cJSON_Delete(string);
	return ok;
}

static bool put_block(FILE *f, const cJSON *json, int indent);

// A value after "key:" or "-".
static bool put_value(FILE *f, const cJSON *json, int indent)
{
	if (cJSON_IsObject(json) || cJSON_IsArray(json)) {
		if (json->child == NULL) {
			fputs(cJSON_IsObject(json) ? " {}\n" : " []\n", f);
			return true;
		}
		putc('\n', f);
		return put_block(f, json, indent + INDENT);
	}
	putc(' ', f);
	bool ok = cJSON_IsString(json) ? put_string(f, json->valuestring) : put_json(f, json);
	putc('\n', f);
	return ok;
}

static bool put_block(FILE *f, const cJSON *json, int indent)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, json) {
		fprintf(f, "%*s", indent, "");
		if (cJSON_IsArray(json)) {
			putc('-', f);
		} else {
			if (!put_string(f, item->string))
				return false;
			putc(':', f);
		}
		if (!put_value(f, item, indent))
			return false;
	}
	return true;
}

char *yaml_print(const cJSON *json)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	bool ok;

	if (f == NULL)
		return NULL;
	if ((cJSON_IsObject(json) || cJSON_IsArray(json)) && json->child != NULL) {
		ok = put_block(f, json, 0);
	} else {
		// Alone on its line: a scalar or an empty collection is the same in JSON.
		ok = put_json(f, json);
		putc('\n', f);
	}
	ok = fclose(f) == 0 && ok;
	if (!ok) {
		free(text);
		return NULL;
	}
	return text;
}
