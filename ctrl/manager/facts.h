// What is known of the cluster when a review is judged: the objects that its rules look at, read
// from the API for this review. Pure: which requests are to be made, and what came of them.
#pragma once

#include "ctrl/ipam/selection.h"
#include "ctrl/manager/review.h"

#define FACTS_PATH_MAX 2048
#define FACTS_MAX 131072 // objects of a kind

// What a review is judged by besides the facts. All texts are borrowed.
struct judge_conf {
	struct selection_conf selection;
	bool vm_ip_retain; // pods of KubeVirt's virtual machines keep their addresses
	const char *namespace; // of the accounts
	const char *manager_account, *node_account; // user names
};

struct facts { // zeroed: nothing is known
	struct object **objects[KIND_COUNT]; // owned
	size_t n[KIND_COUNT], size[KIND_COUNT];
	bool known[KIND_COUNT]; // all that was asked for is there
};
void facts_fini(struct facts *f);
// Adds an object, a copy of json decoded; one that is malformed is left out: it is in force nowhere.
// 0, -ENOMEM, -ENOSPC.
int facts_add(struct facts *f, enum kind kind, const cJSON *json);
void facts_remove(struct facts *f, enum kind kind, const char *namespace, const char *name);
const struct object *facts_find(
	const struct facts *f, enum kind kind, const char *namespace, const char *name);
// As admission wants them. Borrowed.
struct admission_view facts_view(const struct facts *f);

// A request whose answer is needed.
struct facts_request {
	enum kind kind;
	char path[FACTS_PATH_MAX];
	bool single; // an object, that may not be there; else a list
	bool first_page; // will do
};
// The next request for a review; false when all is known. fresh: from etcd, else as the API server
// remembers it, which may be a moment old.
bool facts_next(const struct judge_conf *conf, const struct review *r, const struct facts *f,
	bool fresh, struct facts_request *ret);
// Takes the answer to it: a list's page or an object. ret_continue: where the list goes on, NULL if
// it is whole; borrowed from answer. 0 or -errno.
int facts_take(struct facts *f, const struct facts_request *request, int status,
	const cJSON *answer, const char **ret_continue);
// request's path with a list's place to go on from; false if it does not fit.
bool facts_continue(
	const struct facts_request *request, const char *token, char ret_path[FACTS_PATH_MAX]);

// The virtual machine that a pod is a life of, NULL if of none: its instance, which controls the pod,
// has its name. Borrowed from pod.
const char *facts_vm_of(const struct judge_conf *conf, const struct pod *pod);

// Whether a review is of an IPInstance that comes to another place: a new one, or a changed address,
// Subnet or Network. One that is being deleted goes nowhere.
bool facts_moves(const struct review *r);

// Whether the user is a node's account; ret_node: which node's, NULL if that cannot be told.
bool facts_user_is_node(const struct judge_conf *conf, const struct review *r,
	const struct facts *f, const char **ret_node);
