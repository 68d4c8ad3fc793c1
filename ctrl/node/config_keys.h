// The table of configuration keys: what each is called, where its value goes and what it may be.
// Inner to config*.c, and to the test that holds the sample against it.
#pragma once

#include <cjson/cJSON.h>

#include "ctrl/node/config.h"

#define CONFIG_WHY_MAX 256

enum config_type {
	CONFIG_TEXT, // char[size]
	CONFIG_U16,
	CONFIG_U32,
	CONFIG_BOOL,
	CONFIG_CHOICE_BOOL, // choices[0] is false, choices[1] true
	CONFIG_CHOICE_TEXT, // const char *, one of choices
	CONFIG_CUSTOM, // parse() does it
};

struct config_key {
	const char *path; // "ports.afxdp.mode"
	enum config_type type;
	size_t offset, size; // in struct config
	uint32_t min, max; // of a number
	bool zero; // 0, or an empty path, is fine as well, and means the default
	bool power_of_two;
	bool absolute; // TEXT: a path from the root
	const char *const *choices; // NULL-terminated
	// Checks and stores a value that is not null; why says what is wrong and what would be right.
	int (*parse)(const cJSON *value, struct config *c, char why[CONFIG_WHY_MAX]);
};

extern const struct config_key config_keys[];
extern const size_t config_n_keys;

// Checks value against the key and stores it. 0, or -EINVAL with why, or -ENOMEM.
int config_set(const struct config_key *key, const cJSON *value, struct config *c,
	char why[CONFIG_WHY_MAX]);

// The values that need code of their own.
int config_parse_labels(const cJSON *value, struct config *c, char why[CONFIG_WHY_MAX]);
int config_parse_log_level(const cJSON *value, struct config *c, char why[CONFIG_WHY_MAX]);
int config_parse_addresses(const cJSON *value, struct config *c, char why[CONFIG_WHY_MAX]);
int config_parse_gateways(const cJSON *value, struct config *c, char why[CONFIG_WHY_MAX]);
int config_parse_vtep(const cJSON *value, struct config *c, char why[CONFIG_WHY_MAX]);
int config_parse_cpus(const cJSON *value, struct config *c, char why[CONFIG_WHY_MAX]);
int config_parse_stateful(const cJSON *value, struct config *c, char why[CONFIG_WHY_MAX]);
int config_parse_host_ifname(const cJSON *value, struct config *c, char why[CONFIG_WHY_MAX]);
int config_parse_node_name(const cJSON *value, struct config *c, char why[CONFIG_WHY_MAX]);

// The line where key path ("a.b.c") stands in the YAML file, 0 if it cannot be told.
unsigned int config_line(const char *file, const char *path);
