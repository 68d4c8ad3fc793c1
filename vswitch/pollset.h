// Which queues a worker polls, and how it rests.
//
// A queue is hot or cold. A hot one is polled in every round. One that gave no packet for a while
// is armed and turns cold: only its descriptor, in the worker's epoll set, is looked at, now and
// then while other queues are hot. A worker without hot queues sleeps in epoll. So a worker
// with hundreds of silent ports costs no more than those that talk, and an idle one nothing.
// Queues without a descriptor never turn cold; when all others have, they are polled between
// short sleeps.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "pmd/port.h"

#define POLL_QUEUES_MAX 2048 // of one worker
#define POLLSET_EVENTS 32 // descriptors looked at in one go

// A queue's place in the list stays the same while it is published. A place without a queue has
// id 0; ids are never used twice, so that a place's new queue is not taken for its old one.
struct poll_queue {
	struct port *dev; // not owned; lives until a grace period after the list without it
	uint32_t id;
	uint16_t vport;
	uint16_t queue;
};

// What a worker polls: immutable, replaced as a whole. control: w, worker: r
struct poll_list {
	uint64_t version; // grows; addresses are used again
	uint32_t n;
	struct poll_queue queue[];
};

// What the worker remembers of the queue at one place.
struct queue_state {
	uint32_t id; // of the queue that it is about, 0: none
	int fd; // in the epoll set, or -1
	uint64_t last; // TSC when it last had packets
	uint8_t errors; // reports of its descriptor since it last had packets
	bool cold;
};

// Private to its worker, but for wake_fd, which anybody may write.
struct pollset {
	int epoll_fd;
	int wake_fd;
	bool busy; // never rests: all queues stay hot
	uint64_t pause; // TSC cycles without packets after which a queue turns cold
	uint64_t last_look; // TSC when the cold ones' descriptors were last looked at
	uint64_t last_rewarm;
	uint64_t last_packet; // of any queue
	uint32_t nap_us; // length of the last short sleep
	const struct poll_list *list; // that the states are about; valid while its worker is online
	uint64_t version; // of the list
	uint32_t n_states;
	uint32_t n_cold;
	uint32_t n_hot;
	uint16_t hot[POLL_QUEUES_MAX]; // places in the list
	struct queue_state state[POLL_QUEUES_MAX];
};

// 0 or -errno. pause_us 0: the default.
int pollset_init(struct pollset *s, bool busy, uint32_t pause_us);
void pollset_fini(struct pollset *s);

// Adopts a new list. Queues in both lists keep their state; new ones begin hot.
void pollset_follow(struct pollset *s, const struct poll_list *list, uint64_t now);

// The queue had packets.
static inline void pollset_touch(struct pollset *s, uint16_t place, uint64_t now)
{
	s->state[place].last = now;
	s->state[place].errors = 0;
	s->last_packet = now;
	s->nap_us = 0;
}
// The queue had none. If that has been so for long it is armed and true is returned: the caller
// polls once more and then calls pollset_cool, or pollset_disarm if there was something after all.
bool pollset_arm(struct pollset *s, uint16_t place, uint64_t now);
void pollset_disarm(struct pollset *s, uint16_t place);
void pollset_cool(struct pollset *s, uint16_t place); // the caller takes it out of hot[]

// Once per round: makes those cold queues hot whose descriptors are readable. Costs a system call
// every now and then.
void pollset_look(struct pollset *s, uint64_t now);

// Whether no queue had a packet for long. Those still hot after a round at `now` have no descriptor.
static inline bool pollset_may_sleep(const struct pollset *s, uint64_t now)
{
	return !s->busy && now - s->last_packet >= s->pause;
}

// Sleeps until a descriptor or wake_fd is readable, or for a short while if a queue has none. The
// list may be gone afterwards: the caller follows the current one, then hands over the events.
int pollset_sleep(struct pollset *s, struct epoll_event *events); // POLLSET_EVENTS of them
void pollset_woken(struct pollset *s, const struct epoll_event *events, int n, uint64_t now);

// Anybody: ends the sleep, or the next one before it begins.
void pollset_wake(struct pollset *s);
