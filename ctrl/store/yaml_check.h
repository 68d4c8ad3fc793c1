// What is asked of a YAML text before libfyaml sees it. For yaml_parse.c only.
#pragma once

#include <stddef.h>

#include "ctrl/store/yaml.h"

// Returns 0, or -EINVAL or -E2BIG and says in error where and why, as yaml_parse_text() does.
int yaml_check(const char *name, const char *text, size_t len, char error[YAML_ERROR_MAX]);
