// The admission webhooks: an HTTPS server that the API server asks before it stores Networks,
// Subnets, IPInstances, NodeInfos and new Pods (POST /validate, POST /mutate), its certificate, and
// the caBundle of the webhook configurations. Every replica serves; the leader patches.
//
// https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
#pragma once

#include "ctrl/http/http.h"
#include "ctrl/ipam/selection.h"
#include "ctrl/store/kube_client.h"

#define WEBHOOK_SERVICE "strata-webhook"
#define WEBHOOK_SECRET "strata-webhook"
#define WEBHOOK_VALIDATING "strata-validating-webhook"
#define WEBHOOK_MUTATING "strata-mutating-webhook"

struct webhook;
struct metrics;

// All texts are borrowed until webhook_stop; NULL takes the name above.
struct webhook_conf {
	const char *address; // to listen on; NULL: all
	uint16_t port; // HTTPS; 0: any free one (webhook_port)
	const char *namespace; // of Service, Secret and service accounts; NULL: kube_namespace()
	const char *service; // whose DNS names the certificate is for
	const char *extra_names; // comma list of further DNS names and addresses; NULL: none
	const char *secret; // keeps CA, certificate and keys
	const char *validating, *mutating; // configurations to patch; "": none
	// Accounts by user name: the manager's, whose IPInstances are not looked at again, and the
	// daemons'. NULL: system:serviceaccount:<namespace>:strata-manager and …:strata-node.
	const char *manager_account, *node_account;
	const struct selection_conf *selection; // what pods get by default
	bool vm_ip_retain; // KubeVirt's virtual machines keep their addresses
	struct metrics *metrics; // to count in; NULL: nothing is counted
	// Whether this replica leads; asked whenever configurations are looked at. NULL: always.
	bool (*leads)(void *arg);
	void *arg; // leads'
};

// Serves as soon as there is a certificate: read from the Secret, or made. 0 or -errno, message says
// what failed. Logs what goes wrong later, and tries again.
int webhook_start(uv_loop_t *loop, struct kube_client *client, const struct webhook_conf *conf,
	struct webhook **ret_webhook, char message[MODEL_ERROR_MAX]);
// After the client is closed, so that no answer of it comes any more, and not from within one of its
// call-backs. The memory goes when the loop has turned. NULL is fine.
void webhook_stop(struct webhook *w);
uint16_t webhook_port(const struct webhook *w);
// Whether there is a certificate, so that the API server can be answered (readiness).
bool webhook_ready(const struct webhook *w);
