// Tables: which columns a listing has, and how records become rows.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

// A column shows what stands at a path in each record.
struct column {
	const char *header;
	const char *path; // "spec.range.cidr"; lists are joined by commas
	const char *fallback; // where the path is absent; NULL: empty
	bool right; // numbers
};

struct listing {
	const char *name; // "network", "port"
	const char *help; // one line for --help
	const struct column *columns; // ends with a NULL header
};

// The listings of `get` and of `show`; both end with a NULL name.
extern const struct listing get_listings[];
extern const struct listing show_listings[];

// NULL if there is none of that name; `get` also takes plurals and the names of the CRDs.
const struct listing *listing_find(const struct listing *listings, const char *name);

// Prints the records as a table, with or without its heading. 0 or -errno.
int table_print(const struct listing *listing, const cJSON *records, bool heading);
