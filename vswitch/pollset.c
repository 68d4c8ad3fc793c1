// One epoll set per worker. Descriptors are watched one-shot: a report turns the queue hot, and
// nothing more is heard of it until it is armed again. So a descriptor that is readable all the
// time, or in error, cannot make the worker spin in epoll.
#include "vswitch/pollset.h"

#include <rte_branch_prediction.h>
#include <rte_cycles.h>

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

// Long enough for the gaps within a flow, among them a round trip between two pods; short enough
// that a node with a few packets per second idles.
#define PAUSE_US 100
// How often cold descriptors are looked at while others are hot: about 1 % of a worker's time,
// and the most that it adds to the first packet's latency.
#define LOOK_US 50
// A cold queue is polled this often all the same: the descriptor of a guest that has reconnected
// is a new one, which the set does not know yet.
#define REWARM_MS 100
// Sleeps between polls of queues without a descriptor.
#define NAP_MIN_US 50
#define NAP_MAX_US 1000
// A descriptor that only ever reports errors counts as none.
#define ERRORS_MAX 8

#define WAKE_ID 0 // in epoll's data; no queue has it

static uint64_t cycles(uint64_t us)
{
	return us * rte_get_tsc_hz() / 1000000;
}

static uint64_t event_data(uint32_t id, uint16_t place)
{
	return (uint64_t)id << 16 | place;
}

int pollset_init(struct pollset *s, bool busy, uint32_t pause_us)
{
	struct epoll_event wake = {.events = EPOLLIN, .data.u64 = WAKE_ID};
	int ret;

	s->busy = busy;
	s->pause = cycles(pause_us == 0 ? PAUSE_US : pause_us);
	s->wake_fd = -1;
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll_fd < 0)
		return -errno;
	s->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (s->wake_fd < 0 || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->wake_fd, &wake) < 0) {
		ret = -errno;
		pollset_fini(s);
		return ret;
	}
	return 0;
}

void pollset_fini(struct pollset *s)
{
	if (s->wake_fd >= 0)
		(void)close(s->wake_fd);
	if (s->epoll_fd >= 0)
		(void)close(s->epoll_fd);
}

static void set_wakeup(const struct poll_queue *q, bool on)
{
	if (q->dev->ops->rx_wakeup != NULL)
		q->dev->ops->rx_wakeup(q->dev, q->queue, on);
}

// ── The list ───────────────────────────────────────────────────────────────────────────────────

static void forget(struct pollset *s, uint16_t place)
{
	struct queue_state *state = &s->state[place];

	// If the device is closed already the kernel has removed the descriptor, and this fails.
	if (state->fd >= 0)
		(void)epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, state->fd, NULL);
	if (state->cold)
		s->n_cold--;
	*state = (struct queue_state){.fd = -1};
}

void pollset_follow(struct pollset *s, const struct poll_list *list, uint64_t now)
{
	s->list = list;
	if (list->version == s->version)
		return;
	s->version = list->version;

	// All that is gone goes first: a new queue's descriptor may have an old one's number.
	for (uint16_t i = 0; i < s->n_states; i++) {
		uint32_t id = i < list->n ? list->queue[i].id : 0;
		if (s->state[i].id != 0 && s->state[i].id != id)
			forget(s, i);
	}
	s->n_states = list->n;
	s->n_hot = 0;
	for (uint16_t i = 0; i < list->n; i++) {
		struct queue_state *state = &s->state[i];
		if (list->queue[i].id == 0)
			continue;
		if (state->id == 0) {
			*state = (struct queue_state){
				.id = list->queue[i].id, .fd = -1, .last = now};
			s->last_packet = now;
			set_wakeup(&list->queue[i], false); // another worker may have wanted it
		}
		if (!state->cold)
			s->hot[s->n_hot++] = i;
	}
}

// ── Hot and cold ───────────────────────────────────────────────────────────────────────────────

// Watches fd for one report, whether or not it was watched before.
static bool watch(struct pollset *s, uint16_t place, int fd)
{
	struct queue_state *state = &s->state[place];
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLONESHOT, .data.u64 = event_data(state->id, place)};

	if (state->fd >= 0 && state->fd != fd) {
		(void)epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, state->fd, NULL);
		state->fd = -1;
	}
	if (fd < 0)
		return false;
	// A descriptor that was closed and opened anew is not in the set although its number is known.
	if ((state->fd < 0 || epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, fd, &event) < 0) &&
		epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		fd = -1;
	state->fd = fd;
	return fd >= 0;
}

bool pollset_arm(struct pollset *s, uint16_t place, uint64_t now)
{
	const struct poll_queue *q = &s->list->queue[place];
	const struct queue_state *state = &s->state[place];

	if (s->busy || now - state->last < s->pause)
		return false;
	if (!watch(s, place,
		    state->errors < ERRORS_MAX ? q->dev->ops->rx_fd(q->dev, q->queue) : -1))
		return false;
	set_wakeup(q, true);
	return true;
}

void pollset_disarm(struct pollset *s, uint16_t place)
{
	set_wakeup(&s->list->queue[place], false);
}

void pollset_cool(struct pollset *s, uint16_t place)
{
	s->state[place].cold = true;
	s->n_cold++;
}

static void warm(struct pollset *s, uint16_t place, uint64_t last)
{
	struct queue_state *state = &s->state[place];

	state->cold = false;
	state->last = last;
	s->n_cold--;
	s->hot[s->n_hot++] = place;
	pollset_disarm(s, place);
}

void pollset_woken(struct pollset *s, const struct epoll_event *events, int n, uint64_t now)
{
	eventfd_t count;

	for (int i = 0; i < n; i++) {
		uint32_t id = (uint32_t)(events[i].data.u64 >> 16);
		uint16_t place = (uint16_t)events[i].data.u64;

		if (id == WAKE_ID) {
			(void)eventfd_read(s->wake_fd, &count);
			continue;
		}
		if (place >= s->n_states || s->state[place].id != id || !s->state[place].cold)
			continue;
		// The first packet is seldom the last: keep polling for as long as after any other.
		if ((events[i].events & EPOLLIN) != 0) {
			s->last_packet = now;
			warm(s, place, now);
		} else {
			s->state[place].errors++;
			warm(s, place, now - s->pause); // polled once
		}
	}
}

// Makes all cold queues hot for one poll.
static void rewarm(struct pollset *s, uint64_t now)
{
	s->last_rewarm = now;
	for (uint16_t i = 0; i < s->n_states; i++) {
		if (s->state[i].cold)
			warm(s, i, now - s->pause);
	}
}

void pollset_look(struct pollset *s, uint64_t now)
{
	struct epoll_event events[POLLSET_EVENTS];

	if (s->n_cold == 0 || now - s->last_look < cycles(LOOK_US))
		return;
	s->last_look = now;
	int n = epoll_wait(s->epoll_fd, events, POLLSET_EVENTS, 0);
	pollset_woken(s, events, n, now);
	if (now - s->last_rewarm >= cycles(REWARM_MS * 1000))
		rewarm(s, now);
}

// ── Sleep ──────────────────────────────────────────────────────────────────────────────────────

int pollset_sleep(struct pollset *s, struct epoll_event *events)
{
	struct timespec timeout = {.tv_nsec = REWARM_MS * 1000000L};

	if (s->n_hot > 0) {
		s->nap_us = s->nap_us == 0 ? NAP_MIN_US : RTE_MIN(2 * s->nap_us, NAP_MAX_US);
		timeout.tv_nsec = s->nap_us * 1000L;
	}
	return epoll_pwait2(s->epoll_fd, events, POLLSET_EVENTS, &timeout, NULL);
}

void pollset_wake(struct pollset *s)
{
	(void)eventfd_write(s->wake_fd, 1); // EAGAIN: it is readable already
}
