// A client of a Kubernetes API server: requests out, JSON in, in the control thread's libuv loop. The
// kube store stands on it; others use it for what is no kind of ours (Leases, Secrets, webhook
// configurations, SubjectAccessReviews).
//
// It follows what changes on disk (tokens, certificates), verifies TLS always, and speaks HTTP/2
// where the server does.
#pragma once

#include <stdbool.h>

#include <cjson/cJSON.h>
#include <uv.h>

#include "ctrl/model/object.h"

#define KUBE_MERGE_PATCH "application/merge-patch+json" // RFC 7396, of content_type

struct kube_client;

struct kube_conf {
	const char *kubeconfig; // a file; NULL: the Pod's service account
	const char *component; // "vswitchd", "manager": User-Agent is strata-<component>/<version>
	bool allow_insecure; // follows the kubeconfig's insecure-skip-tls-verify
	double qps; // requests a second, watches apart; 0: no limit
	unsigned int burst; // so many at once before
};

// status: of HTTP; or a negative errno if there was no complete answer (-ETIMEDOUT, -ECONNREFUSED,
// -EMSGSIZE, -EPROTO for an answer that is not JSON, …). answer: what the server sent, also with an
// error; NULL if nothing; borrowed. message: for people, NULL if status is 2xx.
typedef void kube_done(void *arg, int status, const cJSON *answer, const char *message);

// 0; -ENOENT, -EINVAL, … if the configuration cannot be used, message says why.
int kube_client_open(uv_loop_t *loop, const struct kube_conf *conf, struct kube_client **ret_client,
	char message[MODEL_ERROR_MAX]);
// Drops what is under way: no call-back comes any more. May be called from within a call-back.
void kube_client_close(struct kube_client *c); // NULL is fine

// Sends a request; done (may be NULL) is called later, never from within this call. A server that
// says "too many requests" or that is going down is asked again after the time it names, an
// outdated token is read again: the caller sees only what is left after a few tries.
// path: "/api/v1/…" with its query, escaped. content_type: NULL is application/json. body: borrowed,
// NULL for none.
void kube_request(struct kube_client *c, const char *method, const char *path,
	const char *content_type, const cJSON *body, kube_done *done, void *arg);
// What the server calls the wrong that came with a status: "AlreadyExists", "NotFound"; "" if it did
// not say. Borrowed.
const char *kube_reason(const cJSON *answer);
// status as the store's errors: 0, -EEXIST, -ENOENT, -ESTALE (409), -EINVAL (400, 422), -EACCES (401,
// 403), -EAGAIN (429), -EIO (5xx), …
int kube_error(int status, const cJSON *answer);
// The namespace of the service account, or of the kubeconfig's context; "default" if none is named.
const char *kube_namespace(const struct kube_client *c);
