// The secrets of an access, as they are now: read at the start and again when they may have changed.
// Certificates go to libcurl by the path of a file in memory, a new one for each version: a connection
// that was made with the version before is then another to libcurl, and not used for new requests.
#pragma once

#include <stdbool.h>

#include "ctrl/store/kube_access.h"

#define KUBE_TOKEN_MAX (64 * 1024)
#define KUBE_PEM_MAX (1024 * 1024)

struct kube_pem {
	char *text; // owned; NULL: there is none
	int fd, old_fd; // memfds of this version and of the one before, -1: none
	char path[32]; // of fd
};

struct kube_credentials {
	const struct kube_access *access; // borrowed
	char *token; // owned; NULL: there is none
	struct kube_pem ca, cert, key;
};

// -ENOENT, -EINVAL, … with why; then nothing is held.
int kube_credentials_init(struct kube_credentials *c, const struct kube_access *access,
	char message[MODEL_ERROR_MAX]);
// Reads what is in files again. What cannot be read, or is no token or certificate (half written),
// stays as it was: then -errno with why. *ret_changed: whether anything did change.
int kube_credentials_refresh(
	struct kube_credentials *c, bool *ret_changed, char message[MODEL_ERROR_MAX]);
void kube_credentials_fini(struct kube_credentials *c);
