// Reading fields: every helper checks the type, names the field when it is wrong, and never trusts
// a length.
#include "ctrl/model/field.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INTEGER_MAX 9007199254740992.0 // 2^53: beyond it a JSON number is not exact

void reader_fail(struct reader *r, const char *path, const char *must, const cJSON *value)
{
	if (r->failed)
		return;
	r->failed = true;
	if (cJSON_IsString(value)) {
		(void)snprintf(r->error, MODEL_ERROR_MAX, "%s: must be %s, is \"%.80s\"", path,
			must, value->valuestring);
		return;
	}
	if (cJSON_IsNumber(value)) {
		(void)snprintf(r->error, MODEL_ERROR_MAX, "%s: must be %s, is %.17g", path, must,
			value->valuedouble);
		return;
	}
	(void)snprintf(r->error, MODEL_ERROR_MAX, "%s: must be %s", path, must);
}

void reader_fail_memory(struct reader *r)
{
	if (r->failed)
		return;
	r->failed = r->no_memory = true;
	(void)snprintf(r->error, MODEL_ERROR_MAX, "out of memory");
}

const cJSON *field_get(const cJSON *obj, const char *name)
{
	const cJSON *value = obj != NULL ? obj->child : NULL;

	// An object of a hundred thousand is asked for forty fields: most others differ at once.
	while (value != NULL && value->string != NULL &&
		(value->string[0] != name[0] || strcmp(value->string, name) != 0))
		value = value->next;
	return value == NULL || value->string == NULL || cJSON_IsNull(value) ? NULL : value;
}

const char *field_string(const cJSON *obj, const char *name)
{
	const char *value = cJSON_GetStringValue(field_get(obj, name));

	return value != NULL ? value : "";
}

// The value at a path of which obj holds the last part; NULL as well when the reader has failed.
static const cJSON *value_at(const struct reader *r, const cJSON *obj, const char *path)
{
	const char *dot = strrchr(path, '.');

	return r->failed ? NULL : field_get(obj, dot != NULL ? dot + 1 : path);
}

const cJSON *field_object(struct reader *r, const cJSON *obj, const char *path)
{
	const cJSON *value = value_at(r, obj, path);

	if (value == NULL || cJSON_IsObject(value))
		return value;
	reader_fail(r, path, "a mapping", value);
	return NULL;
}

const cJSON *field_list(struct reader *r, const cJSON *obj, const char *path)
{
	const cJSON *value = value_at(r, obj, path);

	if (value == NULL)
		return NULL;
	if (!cJSON_IsArray(value))
		reader_fail(r, path, "a list", value);
	else if (cJSON_GetArraySize(value) > FIELD_LIST_MAX)
		reader_fail(r, path, "a list of at most 65536 entries", value);
	return r->failed ? NULL : value;
}

void field_borrow(
	struct reader *r, const cJSON *obj, const char *path, size_t size, const char **ret)
{
	const cJSON *value = value_at(r, obj, path);

	if (value == NULL)
		return;
	if (!cJSON_IsString(value))
		reader_fail(r, path, "a string", value);
	else if (strlen(value->valuestring) >= size)
		reader_fail(r, path, "shorter", value);
	else
		*ret = value->valuestring;
}

void field_text(struct reader *r, const cJSON *obj, const char *path, char *ret, size_t ret_size)
{
	const char *text = NULL;

	field_borrow(r, obj, path, ret_size, &text);
	if (text != NULL)
		strcpy(ret, text);
}

// A DNS subdomain (RFC 1123): labels of lower-case letters, digits and '-', joined by dots, each with
// a letter or digit at both ends.
static bool name_valid(const char *name)
{
	bool edge = true; // a label begins here, so a letter or digit must follow

	for (const char *c = name; *c != '\0'; c++) {
		bool alnum = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9');

		if (!alnum && (edge || (*c != '-' && *c != '.')))
			return false;
		if (*c == '.' && c[-1] == '-')
			return false;
		edge = *c == '.';
	}
	return !edge && name[strlen(name) - 1] != '-';
}

void field_name(struct reader *r, const cJSON *obj, const char *path, size_t size, const char **ret)
{
	field_borrow(r, obj, path, size, ret);
	if (!r->failed && !name_valid(*ret))
		reader_fail(r, path, "a DNS subdomain", value_at(r, obj, path));
}

void field_version(struct reader *r, const cJSON *obj, const char *path, char *ret, size_t ret_size)
{
	const cJSON *value = value_at(r, obj, path);

	if (cJSON_IsNumber(value))
		(void)snprintf(ret, ret_size, "%.6g", value->valuedouble);
	else
		field_text(r, obj, path, ret, ret_size);
}

void field_int(struct reader *r, const cJSON *obj, const char *path, bool *ret_has, int64_t *ret)
{
	const cJSON *value = value_at(r, obj, path);

	if (value == NULL)
		return;
	if (!cJSON_IsNumber(value) || trunc(value->valuedouble) != value->valuedouble ||
		fabs(value->valuedouble) > INTEGER_MAX) {
		reader_fail(r, path, "an integer", value);
		return;
	}
	*ret_has = true;
	*ret = (int64_t)value->valuedouble;
}

void field_bool(struct reader *r, const cJSON *obj, const char *path, bool *ret_has, bool *ret)
{
	const cJSON *value = value_at(r, obj, path);

	if (value == NULL)
		return;
	if (!cJSON_IsBool(value)) {
		reader_fail(r, path, "true or false", value);
		return;
	}
	*ret_has = true;
	*ret = cJSON_IsTrue(value);
}

static bool parse_ip(struct reader *r, const char *path, const cJSON *value, struct in6_addr *ret)
{
	if (cJSON_IsString(value) && ip_parse(value->valuestring, ret) == 0)
		return true;
	reader_fail(r, path, "an IP address", value);
	return false;
}

void field_ip(
	struct reader *r, const cJSON *obj, const char *path, bool *ret_has, struct in6_addr *ret)
{
	const cJSON *value = value_at(r, obj, path);

	// An empty address is as good as none: writers of other implementations leave it so.
	if (value == NULL || (cJSON_IsString(value) && value->valuestring[0] == '\0'))
		return;
	*ret_has = parse_ip(r, path, value, ret);
}

void field_mac(struct reader *r, const cJSON *obj, const char *path, uint8_t ret_mac[6])
{
	const cJSON *value = value_at(r, obj, path);

	if (value != NULL && (!cJSON_IsString(value) || mac_parse(value->valuestring, ret_mac) < 0))
		reader_fail(r, path, "a MAC address", value);
}

void field_key_values(struct reader *r, const cJSON *obj, const char *path, struct key_values *ret)
{
	const cJSON *map = field_object(r, obj, path);
	const cJSON *value;
	int n = cJSON_GetArraySize(map);

	if (n == 0)
		return;
	if (n > FIELD_LIST_MAX) {
		reader_fail(r, path, "a mapping of at most 65536 entries", map);
		return;
	}
	ret->kv = calloc((size_t)n, sizeof(*ret->kv));
	if (ret->kv == NULL) {
		reader_fail_memory(r);
		return;
	}
	cJSON_ArrayForEach (value, map) {
		if (!cJSON_IsString(value)) {
			reader_fail(r, path, "a mapping of strings", value);
			return;
		}
		struct key_value *kv = &ret->kv[ret->n++];
		kv->key = strdup(value->string);
		kv->value = strdup(value->valuestring);
		if (kv->key == NULL || kv->value == NULL) {
			reader_fail_memory(r);
			return;
		}
	}
}

void field_texts(struct reader *r, const cJSON *obj, const char *path, char ***ret, size_t *ret_n)
{
	const cJSON *list = field_list(r, obj, path);
	const cJSON *value;
	int n = cJSON_GetArraySize(list);

	if (n == 0)
		return;
	*ret = calloc((size_t)n, sizeof(**ret));
	if (*ret == NULL) {
		reader_fail_memory(r);
		return;
	}
	cJSON_ArrayForEach (value, list) {
		if (!cJSON_IsString(value)) {
			reader_fail(r, path, "a list of strings", value);
			return;
		}
		char *text = strdup(value->valuestring);
		if (text == NULL) {
			reader_fail_memory(r);
			return;
		}
		(*ret)[(*ret_n)++] = text;
	}
}

// An array for the addresses of a list; NULL if there are none or the reader failed.
static const cJSON *ips_new(
	struct reader *r, const cJSON *obj, const char *path, struct in6_addr **ret)
{
	const cJSON *list = field_list(r, obj, path);
	int n = cJSON_GetArraySize(list);

	if (n == 0)
		return NULL;
	*ret = calloc((size_t)n, sizeof(**ret));
	if (*ret == NULL) {
		reader_fail_memory(r);
		return NULL;
	}
	return list;
}

void field_ips(
	struct reader *r, const cJSON *obj, const char *path, struct in6_addr **ret, size_t *ret_n)
{
	const cJSON *list = ips_new(r, obj, path, ret);
	const cJSON *value;

	cJSON_ArrayForEach (value, list) {
		if (!parse_ip(r, path, value, &(*ret)[*ret_n]))
			return;
		(*ret_n)++;
	}
}

bool field_ips_loose(struct reader *r, const cJSON *obj, const char *path, struct in6_addr **ret,
	size_t *ret_n, char *ret_bad)
{
	const cJSON *list = ips_new(r, obj, path, ret);
	const cJSON *value;

	cJSON_ArrayForEach (value, list) {
		if (!cJSON_IsString(value) || strlen(value->valuestring) >= MODEL_TEXT_MAX) {
			reader_fail(r, path, "a list of IP addresses", value);
			return false;
		}
		if (ip_parse(value->valuestring, &(*ret)[*ret_n]) < 0) {
			strcpy(ret_bad, value->valuestring);
			return true;
		}
		(*ret_n)++;
	}
	return false;
}
