// A CNI request of doc/protocol.md, checked. Pure.
#pragma once

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "ctrl/node/attachment.h"

enum cni_command {
	CNI_ADD,
	CNI_DEL,
	CNI_CHECK,
	CNI_GC,
	CNI_STATUS,
	CNI_COMMAND_COUNT
};

// Codes of the CNI specification, and from 100 our own.
enum cni_code {
	CNI_UNKNOWN_CONTAINER = 3,
	CNI_BAD_ENVIRONMENT = 4,
	CNI_IO_FAILURE = 5,
	CNI_BAD_CONTENT = 6,
	CNI_BAD_CONFIGURATION = 7,
	CNI_TRY_AGAIN_LATER = 11,
	CNI_NOT_AVAILABLE = 50,
	CNI_NO_ADDRESS = 100, // no IPInstance in time
	CNI_REFUSED = 101, // by address management
	CNI_CHECK_FAILED = 102, // of the underlay
	CNI_NO_PORT = 103,
	CNI_PORT_EXISTS = 104,
	CNI_INCONSISTENT = 105,
};

struct cni_failure {
	int code; // enum cni_code
	char msg[320];
	char details[512];
};

// Fills *f and returns code.
int cni_failure_set(struct cni_failure *f, int code, const char *details, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

// What to do when the daemon has no memory.
#define CNI_MEMORY_REMEDY "free memory on the node, or raise the daemon's memory limit"
// Fills *f: there is none for the request.
int cni_failure_memory(struct cni_failure *f);

struct cni_request {
	enum cni_command command;
	char container_id[CONTAINER_ID_MAX], ifname[LINK_NAME_LEN];
	char netns[256]; // "" if not given
	char network_name[256]; // of the network configuration
	char namespace[64], pod[NAME_MAX_LEN];
	char uid[64]; // "" if not given
	char port_kind[16]; // "" if not given
	cJSON *labels, *annotations; // objects of texts, or NULL; owned
	cJSON *valid_attachments; // GC: a list; owned
};

const char *cni_command_name(enum cni_command command); // "ADD"
// 0 with *ret filled, or an enum cni_code with *f saying why; *ret then owns nothing, and what was not
// read before the failure is empty.
int cni_request_parse(const cJSON *json, struct cni_request *ret, struct cni_failure *f);
void cni_request_fini(struct cni_request *r);

bool cni_container_id_valid(const char *id);
bool cni_ifname_valid(const char *name);
