// What was said about objects lately, so that what is said again is counted and what is said too often
// is not: the rules of client-go's EventCorrelator. Pure: time is a parameter.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ctrl/store/store.h"

#define EVENT_BURST 25 // about one object at once,
#define EVENT_REFILL_S 300 // then one in so many seconds
#define EVENT_SIMILAR_MAX 10 // different messages of one reason, before they are put together
#define EVENT_SIMILAR_S 600 // in this time
#define EVENT_LOG_MAX 8192 // entries; the least recent make room
#define EVENT_MESSAGE_MAX 1024 // the API's limit

struct kube_event_log;

// What is to be sent.
struct event_plan {
	uint64_t id; // the same for the same thing said about the same object
	uint32_t count; // times so far; 1: an Event is to be made, else to be counted up
	int64_t first, last; // s since 1970
	char message[EVENT_MESSAGE_MAX];
};

struct kube_event_log *kube_event_log_new(void); // NULL: no memory
void kube_event_log_free(struct kube_event_log *l);
// False: it is said too often (or there is no memory), nothing is to be sent.
bool kube_event_admit(struct kube_event_log *l, const struct store_event_record *r, int64_t now,
	struct event_plan *ret_plan);
// The server has counted more, in the life of the process before this one.
void kube_event_counted(struct kube_event_log *l, uint64_t id, uint32_t count);
