// An attachment: what is known of one pod's port, in memory and, so that a restarted daemon finds
// the port again, as a file <stateDir>/attachments/<container id>-<interface>.json.
//
// The functions that touch files block: thread pool, or before the event loop runs.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "ctrl/model/object.h"
#include "ctrl/node/link.h"

#define CONTAINER_ID_MAX 128 // with its NUL
#define ATTACHMENT_WHY_MAX 320
#define ATTACHMENT_FILE_MAX 65536 // bytes
#define ATTACHMENT_KEY_MAX (CONTAINER_ID_MAX + LINK_NAME_LEN)
#define VHOST_PATH_MAX 108 // sizeof(sun_path)

struct attachment_address {
	struct link_address link;
	char subnet[NAME_MAX_LEN];
};

struct attachment {
	char container_id[CONTAINER_ID_MAX], ifname[LINK_NAME_LEN]; // its key
	char netns[256];
	char network_name[256]; // of the CNI network configuration
	char namespace[64], pod[NAME_MAX_LEN], uid[64];
	bool vhost;
	char host_ifname[LINK_NAME_LEN]; // AF_XDP: the node's end
	uint8_t host_mac[6];
	char socket_path[VHOST_PATH_MAX]; // vhost-user
	uint8_t mac[6];
	uint16_t mtu;
	char network[NAME_MAX_LEN];
	bool overlay;
	struct attachment_address addr[2];
	size_t n_addr;
};

// "st" and 13 hex digits of a hash of the key.
void attachment_host_ifname(const char *container_id, const char *ifname, char buf[LINK_NAME_LEN]);
// "container id-interface"
void attachment_key(const char *container_id, const char *ifname, char buf[ATTACHMENT_KEY_MAX]);

// The caller's to delete; NULL if memory is short.
cJSON *attachment_encode(const struct attachment *a);
// 0, or -EINVAL with why, *ret untouched.
int attachment_decode(const cJSON *json, struct attachment *ret, char why[ATTACHMENT_WHY_MAX]);

// Writes the file so that a crash of the process leaves either the old one or the new one.
int attachment_save(
	const char *state_dir, const struct attachment *a, char why[ATTACHMENT_WHY_MAX]);
// 0 also if there is none.
int attachment_remove(
	const char *state_dir, const struct attachment *a, char why[ATTACHMENT_WHY_MAX]);
// Calls f for each file in the directory (which need not exist): why is NULL, or says what is
// wrong with the file, and a is NULL. Left-overs of interrupted saves are removed.
int attachment_load_all(const char *state_dir,
	void (*f)(void *arg, const char *file, const struct attachment *a, const char *why),
	void *arg);

// Writes text to path by way of a temporary file beside it: the end of the process, at any moment,
// leaves the old content or the new.
int file_replace(const char *path, const char *text);
// Makes the directory path and those above it.
int make_directories(const char *path);
