// Leases: who may lead, by what a candidate has seen and when.
#include "ctrl/manager/lease.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct lease_conf conf = {
	.identity = "me", .duration_ms = 15000, .renew_deadline_ms = 10000};

static cJSON *written(const char *holder, int duration, const char *renewed, int version)
{
	char text[512];

	(void)snprintf(text, sizeof(text),
		"{\"metadata\":{\"resourceVersion\":\"%d\"},\"spec\":{\"holderIdentity\":\"%s\","
		"\"leaseDurationSeconds\":%d,\"renewTime\":\"%s\",\"acquireTime\":\"t0\","
		"\"leaseTransitions\":3}}",
		version, holder, duration, renewed);
	return cJSON_Parse(text);
}

static void see(struct lease *l, const char *holder, const char *renewed, int version, uint64_t now)
{
	cJSON *obj = written(holder, 15, renewed, version);

	lease_saw(l, obj, now);
	cJSON_Delete(obj);
}

static void a_lease_that_is_not_there_is_created(void **)
{
	struct lease l;

	lease_init(&l, &conf);
	lease_saw(&l, NULL, 0);
	assert_int_equal(lease_next(&l, 0), LEASE_CREATE);
	cJSON *obj = lease_object(&l, LEASE_CREATE, "kube-system", "manager", "now");
	char *text = cJSON_PrintUnformatted(obj);
	assert_string_equal(text,
		"{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\","
		"\"metadata\":{\"name\":\"manager\",\"namespace\":\"kube-system\"},"
		"\"spec\":{\"holderIdentity\":\"me\",\"leaseDurationSeconds\":15,"
		"\"acquireTime\":\"now\",\"renewTime\":\"now\",\"leaseTransitions\":0}}");
	free(text);
	cJSON_Delete(obj);
}

static void anothers_lease_is_taken_once_it_has_not_changed_for_its_duration(void **)
{
	struct lease l;

	lease_init(&l, &conf);
	see(&l, "other", "t1", 1, 1000);
	assert_int_equal(lease_next(&l, 15999), LEASE_WAIT);
	see(&l, "other", "t1", 1, 9000); // the same: no sign of life
	assert_int_equal(lease_next(&l, 15999), LEASE_WAIT);
	assert_int_equal(lease_next(&l, 16000), LEASE_TAKE);
	see(&l, "other", "t2", 2, 16000);
	assert_int_equal(lease_next(&l, 30999), LEASE_WAIT);
	assert_int_equal(lease_next(&l, 31000), LEASE_TAKE);
}

static void the_holders_clock_does_not_matter(void **)
{
	struct lease l;

	lease_init(&l, &conf);
	see(&l, "other", "1970-01-01T00:00:00.000000Z", 1, 1000);
	assert_int_equal(lease_next(&l, 1001), LEASE_WAIT);
}

static void a_lease_that_was_given_up_is_taken_at_once(void **)
{
	struct lease l;

	lease_init(&l, &conf);
	see(&l, "", "t1", 7, 1000);
	assert_int_equal(lease_next(&l, 1000), LEASE_TAKE);
	cJSON *obj = lease_object(&l, LEASE_TAKE, "n", "m", "now");
	const cJSON *spec = cJSON_GetObjectItem(obj, "spec");
	assert_int_equal(cJSON_GetObjectItem(spec, "leaseTransitions")->valueint, 4);
	assert_string_equal(
		cJSON_GetObjectItem(cJSON_GetObjectItem(obj, "metadata"), "resourceVersion")
			->valuestring,
		"7"); // so only one of two takers gets it
	cJSON_Delete(obj);
}

static void renewing_keeps_when_it_was_acquired(void **)
{
	struct lease l;

	lease_init(&l, &conf);
	see(&l, "me", "t1", 1, 0);
	assert_int_equal(lease_next(&l, 0), LEASE_RENEW);
	cJSON *obj = lease_object(&l, LEASE_RENEW, "n", "m", "t2");
	const cJSON *spec = cJSON_GetObjectItem(obj, "spec");
	assert_string_equal(cJSON_GetObjectItem(spec, "acquireTime")->valuestring, "t0");
	assert_string_equal(cJSON_GetObjectItem(spec, "renewTime")->valuestring, "t2");
	assert_int_equal(cJSON_GetObjectItem(spec, "leaseTransitions")->valueint, 3);
	cJSON_Delete(obj);
}

static void lead(struct lease *l, uint64_t sent_at, uint64_t now)
{
	cJSON *obj = written("me", 15, "t1", 1);

	lease_won(l, obj, sent_at, now);
	cJSON_Delete(obj);
}

static void a_leader_stops_at_its_deadline_counted_from_when_it_asked(void **)
{
	struct lease l;

	lease_init(&l, &conf);
	lead(&l, 1000, 4000); // the answer took three seconds
	assert_true(l.leading);
	assert_int_equal(lease_deadline(&l), 11000);
	assert_false(lease_lost(&l, 10999));
	assert_true(lease_lost(&l, 11000));
	lead(&l, 9000, 9010);
	assert_false(lease_lost(&l, 18999));
	assert_true(lease_lost(&l, 19000));
}

static void a_leader_stops_before_anybody_may_take_its_lease(void **)
{
	struct lease me, other;

	lease_init(&me, &conf);
	lease_init(&other, &(struct lease_conf){.identity = "other",
				   .duration_ms = conf.duration_ms,
				   .renew_deadline_ms = conf.renew_deadline_ms});
	lead(&me, 1000, 1000);
	see(&other, "me", "t1", 1, 1001); // nobody sees it before it was written
	for (uint64_t now = 1001; now < 30000; now++)
		assert_true(lease_lost(&me, now) || lease_next(&other, now) == LEASE_WAIT);
}

static void a_leader_that_sees_another_has_lost(void **)
{
	struct lease l;

	lease_init(&l, &conf);
	lead(&l, 1000, 1000);
	see(&l, "other", "t5", 9, 2000);
	assert_true(lease_lost(&l, 2000));
	lease_init(&l, &conf);
	lead(&l, 1000, 1000);
	lease_saw(&l, NULL, 2000); // somebody deleted it
	assert_true(lease_lost(&l, 2000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lease_that_is_not_there_is_created),
		cmocka_unit_test(anothers_lease_is_taken_once_it_has_not_changed_for_its_duration),
		cmocka_unit_test(the_holders_clock_does_not_matter),
		cmocka_unit_test(a_lease_that_was_given_up_is_taken_at_once),
		cmocka_unit_test(renewing_keeps_when_it_was_acquired),
		cmocka_unit_test(a_leader_stops_at_its_deadline_counted_from_when_it_asked),
		cmocka_unit_test(a_leader_stops_before_anybody_may_take_its_lease),
		cmocka_unit_test(a_leader_that_sees_another_has_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
