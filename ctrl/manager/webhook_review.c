// A review's way: read what its rules look at, judge, answer. Changes of Networks and Subnets go one
// at a time, and are noted in the ledger before the answer.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/http/metrics.h"
#include "ctrl/log.h"
#include "ctrl/manager/ledger.h"
#include "ctrl/manager/webhook_inner.h"

#define LEASES_PATH "/apis/coordination.k8s.io/v1/namespaces/%s/leases%s"
#define TRIES_MAX 20 // of a change that others come before
#define HTTP_OK 200
#define NS_PER_S 1e9
#define HTTP_BAD_REQUEST 400
#define HTTP_UNAVAILABLE 503

struct webhook_review {
	struct webhook *webhook;
	struct http_request *http;
	struct review review;
	struct facts facts;
	struct facts_request request; // under way
	bool mutates;
	bool fresh; // reads go to etcd
	bool takes_turn; // stands in the queue
	unsigned int tries;
	cJSON *lease; // owned; the ledger as read, NULL: there is none
	bool lease_read;
	struct review_answer answer;
	uint64_t begun; // uv_hrtime
	struct webhook_review *next, **from; // all
	struct webhook_review *next_in_queue;
};

static void step(struct webhook_review *wr);

static uint64_t wall_ms(void)
{
	uv_timeval64_t now;

	(void)uv_gettimeofday(&now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_usec / 1000;
}

// ── Ends ───────────────────────────────────────────────────────────────────────────────────────

static void review_free(struct webhook_review *wr)
{
	*wr->from = wr->next;
	if (wr->next != NULL)
		wr->next->from = wr->from;
	wr->webhook->n_reviews--;
	cJSON_Delete(wr->answer.patch);
	cJSON_Delete(wr->lease);
	facts_fini(&wr->facts);
	review_fini(&wr->review);
	free(wr);
}

// The first of the queue, whose turn it was, leaves it.
static void leave_queue(struct webhook_review *wr)
{
	struct webhook *w = wr->webhook;

	w->queue = wr->next_in_queue;
	if (w->queue == NULL)
		w->queue_end = &w->queue;
}

static void count(const struct webhook_review *wr, const char *outcome)
{
	const struct webhook *w = wr->webhook;
	const char *kind = wr->review.kind < KIND_COUNT ? kind_name(wr->review.kind) : "other";
	const char *const values[] = {kind, wr->mutates ? "mutate" : "validate", outcome};
	const char *const path[] = {wr->mutates ? "mutate" : "validate"};

	if (w->reviewed == NULL)
		return;
	metric_add(w->reviewed, values, 1);
	metric_observe(w->seconds, path, (double)(uv_hrtime() - wr->begun) / NS_PER_S);
}

static void finish(
	struct webhook_review *wr, unsigned int status, const char *type, const char *body)
{
	struct webhook *w = wr->webhook;
	bool had_turn = wr->takes_turn;

	if (had_turn)
		leave_queue(wr);
	http_respond(wr->http, status, type, body, strlen(body));
	review_free(wr);
	if (had_turn && w->queue != NULL)
		step(w->queue);
}

// The API server is told that the webhook does not work: the failure policy decides.
static void give_up(struct webhook_review *wr, const char *what, const char *why)
{
	char text[MODEL_ERROR_MAX * 2];

	(void)snprintf(text, sizeof(text), "%s: %s\n", what, why != NULL ? why : "no answer");
	log_warn(0, "review of %s '%s': %s: %s",
		wr->review.kind < KIND_COUNT ? kind_name(wr->review.kind) : "an object",
		review_name(&wr->review), what, why != NULL ? why : "no answer");
	count(wr, "error");
	finish(wr, HTTP_UNAVAILABLE, NULL, text);
}

static void reply(struct webhook_review *wr)
{
	char *text = review_encode(&wr->review, &wr->answer);

	if (text == NULL) {
		give_up(wr, "cannot answer", "out of memory");
		return;
	}
	if (!wr->answer.allowed)
		log_debug("refused %s '%s': %s",
			wr->review.kind < KIND_COUNT ? kind_name(wr->review.kind) : "object",
			review_name(&wr->review), wr->answer.message);
	count(wr, wr->answer.allowed ? "allowed" : "denied");
	finish(wr, HTTP_OK, "application/json", text);
	cJSON_free(text);
}

// ── The ledger ─────────────────────────────────────────────────────────────────────────────────

static void lease_path(const struct webhook *w, const char *name, char path[WEBHOOK_PATH_MAX])
{
	(void)snprintf(path, WEBHOOK_PATH_MAX, LEASES_PATH, w->namespace, name);
}

static void on_ledger_written(void *arg, int status, const cJSON *, const char *message)
{
	struct webhook_review *wr = arg;

	if (status == HTTP_OK || status == 201) {
		reply(wr);
		return;
	}
	// Another replica admitted a change since it was read: what is true may be another thing now.
	if (status == 409 && ++wr->tries < TRIES_MAX) {
		facts_fini(&wr->facts);
		cJSON_Delete(wr->lease);
		wr->lease = NULL;
		wr->lease_read = false;
		step(wr);
		return;
	}
	give_up(wr, "cannot note the change in lease " LEDGER_NAME, message);
}

static void ledger_write(struct webhook_review *wr)
{
	struct webhook *w = wr->webhook;
	char path[WEBHOOK_PATH_MAX];
	cJSON *lease;
	int ret = ledger_note(wr->lease, w->namespace, &wr->review, wall_ms(), &lease);

	if (ret < 0) {
		give_up(wr, "cannot note the change",
			ret == -ENOSPC ? "too many changes at a time" : "out of memory");
		return;
	}
	lease_path(w, wr->lease != NULL ? "/" LEDGER_NAME : "", path);
	kube_request(w->client, wr->lease != NULL ? "PUT" : "POST", path, NULL, lease,
		on_ledger_written, wr);
	cJSON_Delete(lease);
}

static void on_ledger_read(void *arg, int status, const cJSON *answer, const char *message)
{
	struct webhook_review *wr = arg;

	if (status != HTTP_OK && status != 404) {
		give_up(wr, "cannot read lease " LEDGER_NAME, message);
		return;
	}
	wr->lease_read = true;
	if (status == HTTP_OK) {
		wr->lease = cJSON_Duplicate(answer, true);
		if (wr->lease == NULL) {
			give_up(wr, "cannot read lease " LEDGER_NAME, "out of memory");
			return;
		}
	}
	step(wr);
}

static void ledger_read(struct webhook_review *wr)
{
	char path[WEBHOOK_PATH_MAX];

	lease_path(wr->webhook, "/" LEDGER_NAME, path);
	kube_request(wr->webhook->client, "GET", path, NULL, NULL, on_ledger_read, wr);
}

// ── Facts ──────────────────────────────────────────────────────────────────────────────────────

static void on_facts(void *arg, int status, const cJSON *answer, const char *message)
{
	struct webhook_review *wr = arg;
	const char *token;
	char path[FACTS_PATH_MAX];
	int ret = facts_take(&wr->facts, &wr->request, status, answer, &token);

	if (ret < 0) {
		give_up(wr, "cannot read from the API server", message);
		return;
	}
	if (token == NULL) {
		step(wr);
		return;
	}
	if (!facts_continue(&wr->request, token, path)) {
		give_up(wr, "cannot read from the API server", "a list without end");
		return;
	}
	kube_request(wr->webhook->client, "GET", path, NULL, NULL, on_facts, wr);
}

static void judge(struct webhook_review *wr)
{
	struct webhook *w = wr->webhook;

	if (wr->takes_turn && ledger_apply(wr->lease, &wr->review, wall_ms(), &wr->facts) < 0) {
		give_up(wr, "cannot judge", "out of memory");
		return;
	}
	cJSON_Delete(wr->answer.patch);
	if (wr->mutates)
		judge_mutate(&w->judge, &wr->review, &wr->facts, &wr->answer);
	else
		judge_validate(&w->judge, &wr->review, &wr->facts, &wr->answer);
	// What the API server remembers may be older than what somebody has just applied.
	if (!wr->answer.allowed && !wr->fresh) {
		wr->fresh = true;
		facts_fini(&wr->facts);
		step(wr);
		return;
	}
	if (wr->takes_turn && wr->answer.allowed && ledger_takes(&wr->review))
		ledger_write(wr);
	else
		reply(wr);
}

static void step(struct webhook_review *wr)
{
	struct webhook *w = wr->webhook;

	if (wr->takes_turn && w->queue != wr)
		return; // its turn comes
	if (wr->takes_turn && !wr->lease_read)
		ledger_read(wr);
	else if (facts_next(&w->judge, &wr->review, &wr->facts, wr->fresh, &wr->request))
		kube_request(w->client, "GET", wr->request.path, NULL, NULL, on_facts, wr);
	else
		judge(wr);
}

// ── Beginnings ─────────────────────────────────────────────────────────────────────────────────

static void refuse(struct http_request *http, unsigned int status, const char *why)
{
	http_respond(http, status, NULL, why, strlen(why));
}

static struct webhook_review *review_new(
	struct webhook *w, struct http_request *http, const struct review *review, bool mutates)
{
	struct webhook_review *wr = calloc(1, sizeof(*wr));

	if (wr == NULL)
		return NULL;
	wr->webhook = w;
	wr->http = http;
	wr->review = *review;
	wr->mutates = mutates;
	wr->begun = uv_hrtime();
	wr->next = w->reviews;
	wr->from = &w->reviews;
	if (wr->next != NULL)
		wr->next->from = &wr->next;
	w->reviews = wr;
	w->n_reviews++;
	wr->takes_turn = !mutates &&
			 (review->kind == KIND_NETWORK || review->kind == KIND_SUBNET) &&
			 review->subresource[0] == '\0';
	wr->fresh = wr->takes_turn;
	if (wr->takes_turn) {
		*w->queue_end = wr;
		w->queue_end = &wr->next_in_queue;
	}
	return wr;
}

static void receive(struct webhook *w, struct http_request *http, bool mutates)
{
	char error[MODEL_ERROR_MAX];
	struct review review;
	size_t len;
	const char *body = http_body(http, &len);

	if (w->n_reviews >= WEBHOOK_REVIEWS_MAX) {
		refuse(http, HTTP_UNAVAILABLE, "too many reviews at a time\n");
		return;
	}
	if (review_decode(body, len, &review, error) < 0) {
		refuse(http, HTTP_BAD_REQUEST, error);
		return;
	}
	struct webhook_review *wr = review_new(w, http, &review, mutates);
	if (wr == NULL) {
		review_fini(&review);
		refuse(http, HTTP_UNAVAILABLE, "out of memory\n");
		return;
	}
	step(wr);
}

void webhook_validate(void *arg, struct http_request *r)
{
	receive(arg, r, false);
}

void webhook_mutate(void *arg, struct http_request *r)
{
	receive(arg, r, true);
}

void webhook_reviews_drop(struct webhook *w)
{
	w->queue = NULL;
	w->queue_end = &w->queue;
	while (w->reviews != NULL) {
		refuse(w->reviews->http, HTTP_UNAVAILABLE, "shutting down\n");
		review_free(w->reviews);
	}
}
