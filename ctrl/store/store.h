// The store: objects with list, watch, create, update and delete. One interface, two back ends:
// `dir` keeps YAML files in a directory; `kube` speaks to an API server.
//
// All functions are the control thread's, in whose libuv loop the store lives. Results come by
// call-back, never from within the call itself. JSON objects handed in are borrowed; objects
// handed out in call-backs are borrowed too and end with the call-back.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <cjson/cJSON.h>
#include <uv.h>

#include "ctrl/model/object.h"

struct store;

// On a Network or Subnet whose file somebody removed while it was in use: the manager wrote it
// again, to delete it when its last user is gone. Another definition of the object goes before it.
#define ANNOTATION_KEPT "strata.networking.alibaba.com/removed-in-use"

enum store_event {
	STORE_PUT, // added or modified
	STORE_DELETED,
	STORE_SYNCED, // the first list of that kind is complete (obj is NULL)
	// Something that should be an object but is not, or whose kind nobody knows (KIND_COUNT): obj may
	// be NULL; message says what and where.
	STORE_BROKEN,
};

struct store_watcher {
	void (*event)(void *arg, enum kind kind, enum store_event event, const cJSON *obj,
		const char *message);
	void *arg;
};

// err: 0; -EEXIST (create), -ENOENT, -ESTALE (update: it changed in between), -EINVAL, -EIO, …
// obj: the object as stored (create, update), NULL on error. message: for people, may be NULL.
typedef void store_done(void *arg, int err, const cJSON *obj, const char *message);

// Which object. All borrowed.
struct store_name {
	enum kind kind;
	const char *namespace; // NULL or "" for cluster-scoped kinds
	const char *name;
};

// Something to be said about an object. All borrowed.
struct store_event_record {
	struct store_name about;
	const char *uid; // of the object; NULL if not known
	bool warning; // else "Normal"
	const char *reason; // for machines, CamelCase: "AllocationFailed"
	const char *message; // for people
};

struct store_ops {
	// Starts delivering every object of all kinds, then SYNCED per kind, then changes. One watcher only.
	int (*watch)(struct store *s, const struct store_watcher *w);
	void (*create)(struct store *s, const cJSON *obj, store_done *done, void *arg);
	// Replaces metadata and spec; fails with -ESTALE unless metadata.resourceVersion is absent or current.
	void (*update)(struct store *s, const cJSON *obj, store_done *done, void *arg);
	// Replaces status only (obj needs apiVersion, kind, metadata.name/namespace and status).
	void (*update_status)(struct store *s, const cJSON *obj, store_done *done, void *arg);
	// Removes the object; one with finalizers only gets a deletionTimestamp, as in Kubernetes.
	void (*delete)(struct store *s, enum kind kind, const char *namespace, const char *name,
		store_done *done, void *arg);
	// The same, but only of the very object that was looked at: -ESTALE if its uid or its
	// resourceVersion is another by now. Either may be NULL.
	void (*delete_version)(struct store *s, const struct store_name *name, const char *uid,
		const char *resource_version, store_done *done, void *arg);
	// Changes the object (its status, if `status`; else all but that) by a JSON merge patch (RFC
	// 7396). A metadata.resourceVersion in it makes it conditional: -ESTALE. obj is the object after.
	void (*patch)(struct store *s, const struct store_name *name, const cJSON *merge_patch,
		bool status, store_done *done, void *arg);
	// Reads the object as it is now, past every cache.
	void (*get)(struct store *s, const struct store_name *name, store_done *done, void *arg);
	// Says something about an object to whoever looks at it: a Kubernetes Event (v1), which repeated
	// ones only count up; with `dir` a line of the log. Best effort, rate-limited by object.
	void (*event)(struct store *s, const struct store_event_record *r);
	void (*close)(struct store *s); // pending call-backs are dropped
};

struct store {
	const struct store_ops *ops;
	const char *backend; // "dir", "kube"
};

// Opens (and makes, if need be) the directory. 0 or -errno, message says what failed.
int store_dir_open(
	uv_loop_t *loop, const char *path, struct store **ret_store, char message[MODEL_ERROR_MAX]);

// How the kube store finds its API server, and what it is to bring.
struct store_kube_conf {
	const char *kubeconfig; // a file; NULL: the Pod's service account
	const char *component; // "vswitchd", "manager": in User-Agent and Events
	const char *node_name; // brings that Node and its Pods only; NULL: all
	uint32_t kinds; // to watch: 1U << KIND_…; SYNCED comes for these only
	// The first list of a kind comes whole and from the server's own cache, not in pages from etcd: soon,
	// but maybe a moment old.
	bool from_cache;
	bool allow_insecure; // follows the kubeconfig's insecure-skip-tls-verify
	double qps; // requests a second, watches apart; 0: no limit
	unsigned int burst; // so many at once before
};

// Opens the kube back end. Connecting is up to the loop: a server that is not there yet is waited
// for. 0; -ENOENT, -EINVAL, … if the configuration cannot be used, message says why.
int store_kube_open(uv_loop_t *loop, const struct store_kube_conf *conf, struct store **ret_store,
	char message[MODEL_ERROR_MAX]);
struct kube_client;
// How the kube store follows a kind.
struct store_follow {
	bool connected; // a watch is open
	uint64_t n_lists; // that were read to their end
	time_t last_news; // of a list or a watch, be it that there is none; 0: never
};
// False for another back end, and for a kind that is not followed.
bool store_kube_follow(const struct store *s, enum kind kind, struct store_follow *ret_follow);
// The store's own client, for requests about what is no kind of ours; NULL for another back end.
struct kube_client *store_kube_client(struct store *s);
