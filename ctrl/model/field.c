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

const cJSON *field_get(const cJSON *obj, const char *name)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(obj, name);

	return cJSON_IsNull(value) ? NULL : value;
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
		reader_fail(r, path, "a list of at most 4096 entries", value);
	return r->failed ? NULL : value;
}

void field_text(struct reader *r, const cJSON *obj, const char *path, char *ret, size_t ret_size)
{
	const cJSON *value = value_at(r, obj, path);

	if (value == NULL)
		return;
	if (!cJSON_IsString(value))
		reader_fail(r, path, "a string", value);
	else if (strlen(value->valuestring) >= ret_size)
		reader_fail(r, path, "shorter", value);
	else
		strcpy(ret, value->valuestring);
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
		reader_fail(r, path, "a mapping of at most 4096 entries", map);
		return;
	}
	ret->kv = calloc((size_t)n, sizeof(*ret->kv));
	cJSON_ArrayForEach (value, map) {
		if (ret->kv == NULL || r->failed)
			return;
		if (!cJSON_IsString(value)) {
			reader_fail(r, path, "a mapping of strings", value);
			return;
		}
		ret->kv[ret->n].key = strdup(value->string);
		ret->kv[ret->n++].value = strdup(value->valuestring);
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
	cJSON_ArrayForEach (value, list) {
		if (*ret == NULL || r->failed)
			return;
		if (!cJSON_IsString(value))
			reader_fail(r, path, "a list of strings", value);
		else
			(*ret)[(*ret_n)++] = strdup(value->valuestring);
	}
}

void field_ips(
	struct reader *r, const cJSON *obj, const char *path, struct in6_addr **ret, size_t *ret_n)
{
	const cJSON *list = field_list(r, obj, path);
	const cJSON *value;
	int n = cJSON_GetArraySize(list);

	if (n == 0)
		return;
	*ret = calloc((size_t)n, sizeof(**ret));
	cJSON_ArrayForEach (value, list) {
		if (*ret == NULL || r->failed)
			return;
		if (parse_ip(r, path, value, &(*ret)[*ret_n]))
			(*ret_n)++;
	}
}
