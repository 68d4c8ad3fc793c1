// Where an API server is and how to prove who we are: from a kubeconfig, or from what every Pod finds
// in /var/run/secrets. Only says where secrets are; kube_credentials.h reads them.
// https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "ctrl/model/object.h"

#define KUBE_SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"

struct kube_secret { // at most one of the two
	char *path; // owned
	char *text; // owned
};

// All strings are owned, NULL if there is none.
struct kube_access {
	char *server; // "https://host:port", without a slash at the end
	char *server_name; // what the certificate must be for, if not the host
	char *proxy;
	char *namespace;
	bool insecure; // the certificate is not looked at
	struct kube_secret ca; // none: the machine's own authorities
	struct kube_secret cert, key; // both or none
	struct kube_secret token;
};

// The current context of a kubeconfig; relative paths are of the folder of path, which also names it
// in messages. -EINVAL with why; -ENOMEM.
int kube_access_parse(const char *path, const char *text, size_t len, struct kube_access *ret,
	char message[MODEL_ERROR_MAX]);
// Also -ENOENT, -EACCES, … of the file.
int kube_access_read(const char *path, struct kube_access *ret, char message[MODEL_ERROR_MAX]);
// root: KUBE_SERVICE_ACCOUNT; host and port: the environment's KUBERNETES_SERVICE_HOST and _PORT.
int kube_access_in_cluster(const char *root, const char *host, const char *port,
	struct kube_access *ret, char message[MODEL_ERROR_MAX]);
void kube_access_fini(struct kube_access *a);
