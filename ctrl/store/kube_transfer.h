// The client from the inside. kube_client.c decides when a request is sent and again; kube_transfer.c
// makes it one of libcurl's and its answer one of ours; kube_loop.c turns libcurl in the event loop.
//
// Nothing of a caller's is called from within libcurl's call-backs, where it could not start or end
// requests: what arrives is kept until libcurl has returned.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>
#include <uv.h>

#include "ctrl/store/kube_client.h"
#include "ctrl/store/kube_credentials.h"
#include "ctrl/store/kube_rate.h"

// Limits.
#define KUBE_ANSWER_MAX (64 * 1024 * 1024) // bytes of an answer that is not handed on as it arrives
#define KUBE_FLIGHTS_MAX 64 // requests under way at a time, watches apart
#define KUBE_CONNECTIONS_MAX 24 // enough for all watches where there is no HTTP/2
#define KUBE_TRIES_MAX 8 // of a request that the server put off
#define KUBE_CONNECT_MS 10000
#define KUBE_REQUEST_MS 30000
// A request that brings less than so many bytes a second, for so long, is given up.
#define KUBE_SLOW_BYTES 512
#define KUBE_SLOW_S 15
#define KUBE_SLOW_LIST_S 60 // a whole list, which the server makes before it sends
#define KUBE_REFRESH_MS 30000 // until tokens and certificates are looked at again
#define KUBE_REFRESH_AGAIN_MS 1000 // at least, if a server does not like them

// A part of a stream's answer; data may be written to, and ends with the call.
typedef void kube_data(void *arg, char *data, size_t len);

// As kube_done, but answer may be changed; it is deleted after the call all the same.
typedef void kube_answered(void *arg, int status, cJSON *answer, const char *message);

// What is asked.
struct kube_call {
	const char *method, *path, *content_type; // borrowed
	const cJSON *body; // borrowed
	unsigned int timeout_ms; // of the whole; 0: as long as something comes
	unsigned int
		stall_s; // a request that brings next to nothing for so long is given up; 0: the usual
	kube_data *data; // a good answer (200) goes here as it arrives, done has the rest; or NULL
	bool endless; // a watch: is not counted, and may have nothing to say
	kube_done *done; // one of the two, or none
	kube_answered *answered;
	void *arg;
};

enum kube_flight {
	FLIGHT_WAITS, // for its time or for others to land
	FLIGHT_FLIES, // libcurl has it
	FLIGHT_LANDED, // is in no list any more
};

struct kube_transfer {
	struct kube_client *client;
	enum kube_flight state;
	CURL *easy;
	struct curl_slist *headers, *connect_to; // owned
	char *method, *path, *content_type, *body; // owned
	unsigned int timeout_ms, stall_s;
	kube_data *data;
	bool endless;
	kube_done *done;
	kube_answered *answered;
	void *arg;

	uint64_t due; // not before; ms of the loop
	unsigned int n_tries;
	bool refreshed; // after a 401
	// The answer.
	char *buf; // owned; what has arrived, or, of a stream, what was not handed on
	size_t len, size;
	int failed; // -errno that libcurl does not know of
	int retry_after; // s; -1: not said
	char priority[64]; // the server's priority level for us, by its UID
	char error[CURL_ERROR_SIZE];
	bool ready; // in client->ready
	struct kube_transfer *prev, *next; // in client->waits or client->flies
	struct kube_transfer *ready_prev, *ready_next;
};

struct kube_client {
	uv_loop_t *loop;
	CURLM *multi;
	uv_timer_t curl_timer; // libcurl's
	uv_timer_t wake_timer; // when the next of those that wait is due
	uv_timer_t refresh_timer;
	unsigned int n_handles; // that are not closed yet
	bool closing;
	char *agent; // owned
	struct kube_access access;
	struct kube_credentials credentials;
	uint64_t refreshed_at; // ms of the loop
	char complaint[MODEL_ERROR_MAX]; // logged last about credentials; "": all is well
	struct kube_transfer *waits, *flies, *ready; // owned; in order
	unsigned int n_flies; // without watches
	struct kube_rate rate; // likewise
};

// Starts a request; NULL without memory. It is the client's and ends with done, or with kube_cancel.
struct kube_transfer *kube_start(struct kube_client *c, const struct kube_call *call);
// Whether the server has begun to answer.
bool kube_is_answered(const struct kube_transfer *t);
// No call-back comes any more. Not for one that has had its done.
void kube_cancel(struct kube_transfer *t);

// ── kube_client.c ──────────────────────────────────────────────────────────────────────────────
// A transfer has ended for libcurl: done is called, or it is tried again. May free it.
void kube_landed(struct kube_transfer *t, CURLcode result);
// Reads tokens and certificates again.
void kube_refresh(struct kube_client *c);

// ── kube_transfer.c ────────────────────────────────────────────────────────────────────────────
// Makes t->easy for one try. -ENOMEM.
int kube_transfer_arm(struct kube_transfer *t);
void kube_transfer_disarm(struct kube_transfer *t); // forgets try and answer
// The outcome for done; *ret_answer is the caller's to delete. Returns status or -errno.
int kube_transfer_outcome(struct kube_transfer *t, CURLcode result, cJSON **ret_answer,
	char message[MODEL_ERROR_MAX]);
void kube_transfer_free(struct kube_transfer *t);

// ── kube_loop.c ────────────────────────────────────────────────────────────────────────────────
int kube_loop_open(struct kube_client *c);
void kube_loop_close(struct kube_client *c);
