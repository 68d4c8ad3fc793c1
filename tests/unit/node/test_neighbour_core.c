// The neighbours' state machine against a frozen clock: every transition, and when it asks whom.
#include "ctrl/node/neighbour_core.h"

#include "vswitch/tables.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define START 1000000
#define VLAN 56

static const uint8_t mac_a[6] = {0x02, 0, 0, 0, 0, 0x0a};
static const uint8_t mac_b[6] = {0x02, 0, 0, 0, 0, 0x0b};

struct world {
	struct neighbour_core core;
	uint64_t now;
	bool nobody_asks;
	uint32_t broadcasts, unicasts, changes, gone;
	uint8_t asked_mac[6];
	enum neighbour_state last_state;
};

static bool on_request(void *arg, const struct neighbour *, const uint8_t *mac)
{
	struct world *w = arg;

	if (w->nobody_asks)
		return false;
	if (mac == NULL) {
		w->broadcasts++;
		return true;
	}
	w->unicasts++;
	memcpy(w->asked_mac, mac, sizeof(w->asked_mac));
	return true;
}

static void on_changed(void *arg, struct neighbour *n)
{
	struct world *w = arg;

	w->changes++;
	w->last_state = n->state;
}

static void on_gone(void *arg, struct neighbour *)
{
	struct world *w = arg;

	w->gone++;
}

static const struct neighbour_core_ops ops = {
	.request = on_request,
	.changed = on_changed,
	.gone = on_gone,
};

static struct in6_addr ip4(uint32_t host)
{
	struct in6_addr ip = {.s6_addr = {[10] = 0xff, [11] = 0xff, [12] = 10}};

	ip.s6_addr[13] = (uint8_t)(host >> 16);
	ip.s6_addr[14] = (uint8_t)(host >> 8);
	ip.s6_addr[15] = (uint8_t)host;
	return ip;
}

static struct neighbour *get(struct world *w, uint32_t host)
{
	const struct in6_addr ip = ip4(host);
	return neighbour_core_get(&w->core, VLAN, &ip);
}

static struct neighbour *add(struct world *w, uint32_t host)
{
	const struct in6_addr ip = ip4(host);
	return neighbour_core_add(&w->core, VLAN, &ip, w->now);
}

static void want(struct world *w, uint32_t host)
{
	struct neighbour *n = add(w, host);
	if (n != NULL)
		neighbour_core_want(&w->core, n, w->now);
}

static void seen(struct world *w, uint32_t host, const uint8_t mac[6])
{
	const struct in6_addr ip = ip4(host);
	neighbour_core_seen(&w->core, VLAN, &ip, mac, w->now);
}

// Lets time pass, in steps, as the event loop would.
static void pass(struct world *w, uint64_t ms)
{
	uint64_t end = w->now + ms;

	for (uint64_t due = neighbour_core_due(&w->core); due <= end;
		due = neighbour_core_due(&w->core)) {
		w->now = due > w->now ? due : w->now;
		neighbour_core_tick(&w->core, w->now);
	}
	w->now = end;
}

static int setup(void **state)
{
	static struct world w;

	w = (struct world){.now = START};
	neighbour_core_init(&w.core, &ops, &w, 4, 42);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	neighbour_core_fini(&w->core);
	return 0;
}

static void a_wanted_address_is_asked_for_at_once_by_broadcast(void **state)
{
	struct world *w = *state;

	want(w, 1);

	assert_int_equal(w->broadcasts, 1);
	assert_int_equal(w->unicasts, 0);
	assert_int_equal(get(w, 1)->state, NEIGHBOUR_INCOMPLETE);
}

static void packets_that_keep_coming_cause_one_request_a_second(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 19; i++) {
		want(w, 1);
		pass(w, 100);
	}

	assert_int_equal(w->broadcasts, 2); // at 0 and 1000 ms, and not at 1900
}

static void an_answer_makes_it_reachable(void **state)
{
	struct world *w = *state;

	want(w, 1);
	seen(w, 1, mac_a);

	assert_int_equal(w->changes, 1);
	assert_int_equal(w->last_state, NEIGHBOUR_REACHABLE);
	assert_memory_equal(get(w, 1)->mac, mac_a, 6);
	pass(w, 20000);
	assert_int_equal(w->broadcasts + w->unicasts, 1); // believed without asking
}

static void an_answer_for_an_address_nobody_asked_for_is_not_remembered(void **state)
{
	struct world *w = *state;

	seen(w, 9, mac_a);

	assert_null(get(w, 9));
	assert_int_equal(w->changes, 0);
}

static void three_requests_without_answer_make_it_fail(void **state)
{
	struct world *w = *state;

	want(w, 1);
	pass(w, 2999);
	assert_int_equal(get(w, 1)->state, NEIGHBOUR_INCOMPLETE);
	pass(w, 1);

	assert_int_equal(w->broadcasts, 3);
	assert_int_equal(get(w, 1)->state, NEIGHBOUR_FAILED);
	assert_int_equal(w->last_state, NEIGHBOUR_FAILED);
}

static void a_failed_neighbour_is_not_asked_for_again_until_it_is_forgotten(void **state)
{
	struct world *w = *state;

	want(w, 1);
	pass(w, 3000);
	want(w, 1);
	pass(w, NEIGHBOUR_FAILED_MS - 1);
	assert_int_equal(w->broadcasts, 3);
	pass(w, 1);
	assert_null(get(w, 1));
	assert_int_equal(w->gone, 1);

	want(w, 1);
	assert_int_equal(w->broadcasts, 4);
}

static void a_failed_neighbour_that_speaks_up_is_reachable(void **state)
{
	struct world *w = *state;

	want(w, 1);
	pass(w, 3000);
	seen(w, 1, mac_a);

	assert_int_equal(get(w, 1)->state, NEIGHBOUR_REACHABLE);
}

static void a_pinned_neighbour_that_failed_is_asked_for_again(void **state)
{
	struct world *w = *state;

	neighbour_core_pin(&w->core, add(w, 1), w->now);
	pass(w, 3000);
	assert_int_equal(get(w, 1)->state, NEIGHBOUR_FAILED);
	pass(w, NEIGHBOUR_FAILED_MS);

	assert_int_equal(get(w, 1)->state, NEIGHBOUR_INCOMPLETE);
	assert_int_equal(w->broadcasts, 4);
}

static void a_reachable_neighbour_is_verified_in_private_before_it_expires(void **state)
{
	struct world *w = *state;

	want(w, 1);
	seen(w, 1, mac_a);
	pass(w, NEIGHBOUR_REACHABLE_MS * 5 / 4);

	assert_true(w->unicasts >= 1);
	assert_memory_equal(w->asked_mac, mac_a, 6);
}

static void a_verified_neighbour_is_reachable_again(void **state)
{
	struct world *w = *state;

	want(w, 1);
	seen(w, 1, mac_a);
	while (get(w, 1)->state != NEIGHBOUR_STALE)
		pass(w, 1000);
	assert_memory_equal(get(w, 1)->mac, mac_a, 6); // in use meanwhile
	seen(w, 1, mac_a);

	assert_int_equal(get(w, 1)->state, NEIGHBOUR_REACHABLE);
	assert_int_equal(w->broadcasts, 1);
}

static void a_stale_neighbour_that_is_silent_is_asked_for_by_broadcast_and_then_fails(void **state)
{
	struct world *w = *state;

	want(w, 1);
	seen(w, 1, mac_a);
	while (get(w, 1)->state == NEIGHBOUR_REACHABLE)
		pass(w, 10);
	assert_int_equal(w->unicasts, 1);
	assert_int_equal(w->broadcasts, 1);
	pass(w, 3000);

	assert_int_equal(w->unicasts, 1);
	assert_int_equal(w->broadcasts, 3);
	assert_int_equal(get(w, 1)->state, NEIGHBOUR_FAILED);
}

static void a_new_mac_address_is_taken_over(void **state)
{
	struct world *w = *state;

	want(w, 1);
	seen(w, 1, mac_a);
	seen(w, 1, mac_a);
	assert_int_equal(w->changes, 1); // saying the same again is no change
	seen(w, 1, mac_b);

	assert_int_equal(w->changes, 2);
	assert_memory_equal(get(w, 1)->mac, mac_b, 6);
}

static void a_neighbour_in_doubt_is_asked_for_by_broadcast_and_used_meanwhile(void **state)
{
	struct world *w = *state;

	want(w, 1);
	seen(w, 1, mac_a);
	pass(w, 5000);
	neighbour_core_doubt(&w->core, get(w, 1), w->now);

	assert_int_equal(get(w, 1)->state, NEIGHBOUR_STALE);
	assert_int_equal(w->unicasts, 0);
	assert_int_equal(w->broadcasts, 2);
}

static void a_neighbour_that_nobody_wants_any_more_is_forgotten(void **state)
{
	struct world *w = *state;

	want(w, 1);
	seen(w, 1, mac_a);
	for (uint64_t t = 0; t < NEIGHBOUR_KEEP_MS; t += 1000) {
		assert_non_null(get(w, 1));
		seen(w, 1, mac_a); // the station's own talk does not keep it
		pass(w, 1000);
	}

	assert_null(get(w, 1));
}

static void a_pinned_neighbour_stays_for_ever(void **state)
{
	struct world *w = *state;

	neighbour_core_pin(&w->core, add(w, 1), w->now);
	seen(w, 1, mac_a);
	for (int s = 0; s < 3600; s++) {
		uint32_t unicasts = w->unicasts;
		pass(w, 1000);
		if (w->unicasts != unicasts)
			seen(w, 1, mac_a);
	}

	assert_non_null(get(w, 1));
	assert_int_equal(w->broadcasts, 1);
	assert_in_range(w->unicasts, 3600 / 38, 3600 / 22);
}

static void an_unpinned_neighbour_that_no_packet_wanted_goes_at_once(void **state)
{
	struct world *w = *state;

	neighbour_core_pin(&w->core, add(w, 1), w->now);
	neighbour_core_unpin(&w->core, get(w, 1));
	assert_null(get(w, 1));

	want(w, 2);
	neighbour_core_pin(&w->core, get(w, 2), w->now);
	neighbour_core_unpin(&w->core, get(w, 2));
	assert_non_null(get(w, 2));
}

static void without_anybody_to_ask_for_it_a_pinned_neighbour_waits_and_then_is_woken(void **state)
{
	struct world *w = *state;

	w->nobody_asks = true;
	neighbour_core_pin(&w->core, add(w, 1), w->now);
	assert_true(neighbour_core_due(&w->core) == NEIGHBOUR_NEVER);
	pass(w, 60000);
	assert_int_equal(get(w, 1)->state, NEIGHBOUR_INCOMPLETE);

	w->nobody_asks = false;
	neighbour_core_wake(&w->core, get(w, 1), w->now);
	assert_int_equal(w->broadcasts, 1);
	neighbour_core_wake(&w->core, get(w, 1), w->now);
	assert_int_equal(w->broadcasts, 1);
}

static void without_anybody_to_ask_for_it_a_wanted_neighbour_is_not_kept(void **state)
{
	struct world *w = *state;

	w->nobody_asks = true;
	want(w, 1);

	assert_null(get(w, 1));
}

static void a_reachable_neighbour_whose_askers_are_gone_is_incomplete(void **state)
{
	struct world *w = *state;

	neighbour_core_pin(&w->core, add(w, 1), w->now);
	seen(w, 1, mac_a);
	w->nobody_asks = true;
	pass(w, NEIGHBOUR_REACHABLE_MS * 5 / 4);

	assert_int_equal(get(w, 1)->state, NEIGHBOUR_INCOMPLETE);
	assert_int_equal(w->last_state, NEIGHBOUR_INCOMPLETE);
}

static void too_many_questions_displace_the_oldest_that_is_unanswered(void **state)
{
	struct world *w = *state;

	neighbour_core_pin(&w->core, add(w, 1), w->now);
	want(w, 2);
	seen(w, 2, mac_a);
	want(w, 3);
	want(w, 4);
	want(w, 5);

	assert_non_null(get(w, 1)); // pinned
	assert_non_null(get(w, 2)); // in use
	assert_null(get(w, 3));
	assert_non_null(get(w, 4));
	assert_non_null(get(w, 5));
}

static void there_is_no_room_when_all_neighbours_are_in_use(void **state)
{
	struct world *w = *state;

	for (uint32_t i = 1; i <= 4; i++) {
		want(w, i);
		seen(w, i, mac_a);
	}

	assert_null(add(w, 5));
}

static void neighbours_learnt_together_are_not_verified_together(void **state)
{
	struct world *w = *state;

	for (uint32_t i = 1; i <= 4; i++) {
		want(w, i);
		seen(w, i, mac_a);
	}

	assert_int_not_equal(get(w, 1)->due, get(w, 2)->due);
	for (uint32_t i = 1; i <= 4; i++)
		assert_in_range(get(w, i)->due - w->now, NEIGHBOUR_REACHABLE_MS * 3 / 4,
			NEIGHBOUR_REACHABLE_MS * 5 / 4);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_wanted_address_is_asked_for_at_once_by_broadcast),
		TEST(packets_that_keep_coming_cause_one_request_a_second),
		TEST(an_answer_makes_it_reachable),
		TEST(an_answer_for_an_address_nobody_asked_for_is_not_remembered),
		TEST(three_requests_without_answer_make_it_fail),
		TEST(a_failed_neighbour_is_not_asked_for_again_until_it_is_forgotten),
		TEST(a_failed_neighbour_that_speaks_up_is_reachable),
		TEST(a_pinned_neighbour_that_failed_is_asked_for_again),
		TEST(a_reachable_neighbour_is_verified_in_private_before_it_expires),
		TEST(a_verified_neighbour_is_reachable_again),
		TEST(a_stale_neighbour_that_is_silent_is_asked_for_by_broadcast_and_then_fails),
		TEST(a_new_mac_address_is_taken_over),
		TEST(a_neighbour_in_doubt_is_asked_for_by_broadcast_and_used_meanwhile),
		TEST(a_neighbour_that_nobody_wants_any_more_is_forgotten),
		TEST(a_pinned_neighbour_stays_for_ever),
		TEST(an_unpinned_neighbour_that_no_packet_wanted_goes_at_once),
		TEST(without_anybody_to_ask_for_it_a_pinned_neighbour_waits_and_then_is_woken),
		TEST(without_anybody_to_ask_for_it_a_wanted_neighbour_is_not_kept),
		TEST(a_reachable_neighbour_whose_askers_are_gone_is_incomplete),
		TEST(too_many_questions_displace_the_oldest_that_is_unanswered),
		TEST(there_is_no_room_when_all_neighbours_are_in_use),
		TEST(neighbours_learnt_together_are_not_verified_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
