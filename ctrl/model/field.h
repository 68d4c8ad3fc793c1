// Reading the fields of an object, with errors that name the field and what stands there.
//
// A reader keeps the first error; all later reads do nothing. So a decoder reads every field in
// order and looks at the end. An absent or null field leaves the result as it was.
#pragma once

#include "ctrl/model/object.h"

#define FIELD_LIST_MAX 65536 // entries of any list or map of an object

struct reader {
	char *error; // MODEL_ERROR_MAX bytes, borrowed
	bool failed;
	bool no_memory; // that is why it failed
};

// Records an error: "spec.netID: must be an integer, is "x"".
void reader_fail(struct reader *r, const char *path, const char *must, const cJSON *value);

void reader_fail_memory(struct reader *r);

// The member of obj, NULL if it is absent, null, or obj is no object.
const cJSON *field_get(const cJSON *obj, const char *name);
// Its text, "" if it is absent or no text. Borrowed. For answers that are only looked at.
const char *field_string(const cJSON *obj, const char *name);

// In all of these `path` is the field's whole path, for errors; its last part is its name in obj.
const cJSON *field_object(struct reader *r, const cJSON *obj, const char *path);
const cJSON *field_list(struct reader *r, const cJSON *obj, const char *path);
void field_text(struct reader *r, const cJSON *obj, const char *path, char *ret, size_t ret_size);
// As field_text, but *ret is obj's own text: shorter than size.
void field_borrow(
	struct reader *r, const cJSON *obj, const char *path, size_t size, const char **ret);
// A name of an object: as field_borrow, and neither "" nor more than a DNS subdomain's characters.
void field_name(
	struct reader *r, const cJSON *obj, const char *path, size_t size, const char **ret);
// As field_text, but a number is taken as its text: people forget the quotes of "4".
void field_version(
	struct reader *r, const cJSON *obj, const char *path, char *ret, size_t ret_size);
void field_int(struct reader *r, const cJSON *obj, const char *path, bool *ret_has, int64_t *ret);
void field_bool(struct reader *r, const cJSON *obj, const char *path, bool *ret_has, bool *ret);
void field_ip(
	struct reader *r, const cJSON *obj, const char *path, bool *ret_has, struct in6_addr *ret);
void field_mac(struct reader *r, const cJSON *obj, const char *path, uint8_t ret_mac[6]);
void field_key_values(struct reader *r, const cJSON *obj, const char *path, struct key_values *ret);
// Lists of strings and of addresses; owned by the caller even if the reader failed.
void field_texts(struct reader *r, const cJSON *obj, const char *path, char ***ret, size_t *ret_n);
void field_ips(
	struct reader *r, const cJSON *obj, const char *path, struct in6_addr **ret, size_t *ret_n);
// As field_ips, but stops at the first text that is no address and hands it out in ret_bad
// (MODEL_TEXT_MAX bytes); false when there is none.
bool field_ips_loose(struct reader *r, const cJSON *obj, const char *path, struct in6_addr **ret,
	size_t *ret_n, char *ret_bad);
