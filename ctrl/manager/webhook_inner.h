// The webhooks from the inside: webhook.c starts and stops, webhook_review.c takes a review from its
// question to its answer, webhook_certificate.c keeps the certificate, webhook_bundle.c tells the API
// server whom to trust.
#pragma once

#include "ctrl/http/certificate.h"
#include "ctrl/manager/judge.h"
#include "ctrl/manager/webhook.h"

#define WEBHOOK_PATH_MAX 512
#define WEBHOOK_NAME_MAX (2 * NAME_MAX_LEN)
// Reviews that may be under way; the API server is told to come back when there are more.
#define WEBHOOK_REVIEWS_MAX 256

struct webhook_review;

struct webhook {
	uv_loop_t *loop;
	struct kube_client *client;
	struct http_server *server;
	struct judge_conf judge;
	char namespace[64], service[64], secret[NAME_MAX_LEN];
	char validating[NAME_MAX_LEN], mutating[NAME_MAX_LEN];
	char manager_account[WEBHOOK_NAME_MAX], node_account[WEBHOOK_NAME_MAX];
	bool (*leads)(void *arg);
	void *leads_arg;
	unsigned int n_handles;

	// The certificate.
	char names[CERTIFICATE_NAMES_MAX][WEBHOOK_NAME_MAX];
	const char *name_list[CERTIFICATE_NAMES_MAX];
	size_t n_names;
	char *ca_pem; // owned; what callers are to trust; NULL until there is a certificate
	char *served; // owned; the certificate in use
	uv_timer_t certificate_timer, bundle_timer;
	struct bundle_look {
		struct webhook *webhook;
		const char *plural, *name; // of a configuration
		bool busy;
	} bundles[2];

	// Reviews.
	struct webhook_review *reviews; // all
	size_t n_reviews;
	struct webhook_review *queue,
		**queue_end; // those that wait for their turn; the first has it
	struct metric *reviewed, *seconds; // NULL: nobody counts
};

// http_handler; arg is the webhook.
void webhook_validate(void *arg, struct http_request *r);
void webhook_mutate(void *arg, struct http_request *r);
void webhook_reviews_drop(struct webhook *w); // none is answered any more

void webhook_certificate_start(struct webhook *w);
void webhook_bundle_start(struct webhook *w);
void webhook_bundle_look(struct webhook *w); // now
