// YAML to JSON and back: the objects' files, `stratactl apply` and the daemon's configuration.
//
// Plain scalars are typed by the core schema of YAML 1.2 (5 is a number, "5" a string, yes a
// string). Aliases, tags, directives and complex keys are refused: objects do not need them, and an
// alias bomb needs nothing else. Pure but for yaml_parse_file.
#pragma once

#include <stddef.h>

#include <cjson/cJSON.h>

// Limits of what comes from outside.
#define YAML_FILE_MAX (1024 * 1024) // bytes
#define YAML_LINE_MAX (256 * 1024) // bytes
#define YAML_DEPTH_MAX 32
#define YAML_DOCUMENTS_MAX 1000 // per file
#define YAML_KEYS_MAX 4096 // per mapping
#define YAML_ERROR_MAX 512

struct yaml_document {
	cJSON *json; // owned
	unsigned int line; // of its first content, from 1
	// Its text, from its `---` (or the beginning of the file) to the next document's.
	size_t start, end;
};

struct yaml_documents { // empty documents are left out
	struct yaml_document *doc; // owned
	size_t n;
};

// Parses all documents of text, or none. name goes into error: "name:line:column: what is wrong".
// 0 with *ret filled; -EINVAL; -E2BIG beyond a limit; -ENOMEM.
int yaml_parse_text(const char *name, const char *text, size_t len, struct yaml_documents *ret,
	char error[YAML_ERROR_MAX]);
// Also -ENOENT, -EACCES, … from the file system; -EINVAL if path is not a regular file.
int yaml_parse_file(const char *path, struct yaml_documents *ret, char error[YAML_ERROR_MAX]);
void yaml_documents_free(struct yaml_documents *d); // what it holds, not d itself

// One document as block YAML with a final newline and without a `---`. malloc'ed; NULL: no memory.
char *yaml_print(const cJSON *json);
