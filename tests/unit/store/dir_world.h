// A dir store over loop.h's directory, for tests, and what its watcher is told.
#pragma once

#include "ctrl/store/store.h"

#define API "\"apiVersion\":\"networking.alibaba.com/v1\","
#define NETWORK(name, spec) \
	"{" API "\"kind\":\"Network\",\"metadata\":{\"name\":\"" name "\"},\"spec\":{" spec "}}"

// What a watcher was told, one line an event: "PUT Network a", "BROKEN …".
struct seen {
	struct store *store;
	char log[65536];
	unsigned int n_put, n_synced;
};

void open_store(struct seen *s); // and waits until all kinds are synced
void close_store(struct seen *s);
// Waits until the watcher has been told so.
void expect_log(struct seen *s, const char *text);

// A member of an object's metadata.
const char *meta(const cJSON *obj, const char *name);

// A file of two documents: Network underlay-network1 and Subnet underlay-subnet1.
#define ARTICLE                                   \
	"---\n"                                   \
	"apiVersion: networking.alibaba.com/v1\n" \
	"kind: Network\n"                         \
	"metadata:\n"                             \
	"  name: underlay-network1\n"             \
	"spec:\n"                                 \
	"  netID: 0   # untagged\n"               \
	"  type: Underlay\n"                      \
	"\n"                                      \
	"---\n"                                   \
	"apiVersion: networking.alibaba.com/v1\n" \
	"kind: Subnet\n"                          \
	"metadata:\n"                             \
	"  name: underlay-subnet1\n"              \
	"spec:\n"                                 \
	"  network: underlay-network1\n"
