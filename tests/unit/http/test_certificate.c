// Certificates of our own making: what is made is good, and what is not good is seen.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctrl/http/certificate.h"

#define NOW 1700000000
#define DAY 86400

static const char *const names[] = {"strata-webhook.kube-system.svc",
	"strata-webhook.kube-system.svc.cluster.local", "127.0.0.1", "fd00::1"};
#define N_NAMES (sizeof(names) / sizeof(names[0]))

static struct certificate ca, server;

static int setup(void **)
{
	return certificate_make_ca("strata webhook CA", NULL, NOW, &ca) < 0 ||
	       certificate_make_server(&ca, names, N_NAMES, NOW, &server) < 0;
}

static int teardown(void **)
{
	certificate_fini(&ca);
	certificate_fini(&server);
	return 0;
}

static enum certificate_state state_at(time_t now)
{
	return certificate_server_state(&ca, &server, names, N_NAMES, now);
}

static void what_is_made_is_good(void **)
{
	assert_int_equal(certificate_ca_state(&ca, NOW), CERTIFICATE_GOOD);
	assert_int_equal(state_at(NOW), CERTIFICATE_GOOD);
	assert_non_null(strstr(server.key, "PRIVATE KEY"));
	assert_null(strstr(server.pem, "PRIVATE KEY"));
}

static void a_certificate_is_due_when_two_thirds_of_its_time_are_over(void **)
{
	assert_int_equal(state_at(NOW + 243 * DAY), CERTIFICATE_GOOD);
	assert_int_equal(state_at(NOW + 244 * DAY), CERTIFICATE_DUE);
	assert_int_equal(state_at(NOW + 364 * DAY), CERTIFICATE_DUE);
	assert_int_equal(certificate_ca_state(&ca, NOW + 2432 * (time_t)DAY), CERTIFICATE_GOOD);
	assert_int_equal(certificate_ca_state(&ca, NOW + 2434 * (time_t)DAY), CERTIFICATE_DUE);
}

static void a_certificate_is_bad_outside_its_time(void **)
{
	assert_int_equal(state_at(NOW + 366 * DAY), CERTIFICATE_BAD);
	assert_int_equal(state_at(NOW - 1 * DAY), CERTIFICATE_BAD);
	assert_int_equal(certificate_ca_state(&ca, NOW + 3651 * (time_t)DAY), CERTIFICATE_BAD);
}

static void a_certificate_for_other_names_is_bad(void **)
{
	static const char *const other[] = {"strata-webhook.other.svc"};
	static const char *const address[] = {"127.0.0.2"};

	assert_int_equal(certificate_server_state(&ca, &server, other, 1, NOW), CERTIFICATE_BAD);
	assert_int_equal(certificate_server_state(&ca, &server, address, 1, NOW), CERTIFICATE_BAD);
	assert_int_equal(
		certificate_server_state(&ca, &server, &names[1], 1, NOW), CERTIFICATE_GOOD);
}

static void a_key_of_another_certificate_is_bad(void **)
{
	struct certificate mixed = {.pem = server.pem, .key = ca.key};
	struct certificate mixed_ca = {.pem = ca.pem, .key = server.key};

	assert_int_equal(
		certificate_server_state(&ca, &mixed, names, N_NAMES, NOW), CERTIFICATE_BAD);
	assert_int_equal(certificate_ca_state(&mixed_ca, NOW), CERTIFICATE_BAD);
}

static void a_server_certificate_is_no_ca(void **)
{
	assert_int_equal(certificate_ca_state(&server, NOW), CERTIFICATE_BAD);
}

static void a_certificate_of_another_ca_is_bad(void **)
{
	struct certificate other;

	assert_int_equal(certificate_make_ca("another CA", NULL, NOW, &other), 0);
	assert_int_equal(
		certificate_server_state(&other, &server, names, N_NAMES, NOW), CERTIFICATE_BAD);
	certificate_fini(&other);
}

static void a_new_ca_keeps_the_former_one_until_it_is_out_of_date(void **)
{
	struct certificate next, later;

	assert_int_equal(
		certificate_make_ca("strata webhook CA", ca.pem, NOW + 3000 * (time_t)DAY, &next),
		0);
	assert_int_equal(certificate_ca_state(&next, NOW + 3000 * (time_t)DAY), CERTIFICATE_GOOD);
	// Whoever still has the certificate of the former one is believed.
	assert_non_null(strstr(next.pem, ca.pem));
	assert_int_equal(
		certificate_server_state(&next, &server, names, N_NAMES, NOW), CERTIFICATE_GOOD);

	assert_int_equal(certificate_make_ca(
				 "strata webhook CA", next.pem, NOW + 6000 * (time_t)DAY, &later),
		0);
	assert_null(strstr(later.pem, ca.pem));
	assert_non_null(strstr(later.pem, "END CERTIFICATE-----\n-----BEGIN"));
	certificate_fini(&next);
	certificate_fini(&later);
}

static void garbage_is_bad(void **)
{
	static char none[] = "", text[] = "-----BEGIN CERTIFICATE-----\nAAAA\n";
	struct certificate bad[] = {{0}, {.pem = none, .key = none}, {.pem = text, .key = text},
		{.pem = server.pem}, {.pem = server.pem, .key = text}};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(certificate_ca_state(&bad[i], NOW), CERTIFICATE_BAD);
		assert_int_equal(certificate_server_state(&ca, &bad[i], names, N_NAMES, NOW),
			CERTIFICATE_BAD);
		if (i < 3)
			assert_int_equal(
				certificate_server_state(&bad[i], &server, names, N_NAMES, NOW),
				CERTIFICATE_BAD);
	}
}

static void nothing_is_made_by_a_ca_that_is_none(void **)
{
	static char text[] = "no certificate";
	struct certificate bad = {.pem = text, .key = text}, made = {0};

	assert_true(certificate_make_server(&bad, names, N_NAMES, NOW, &made) < 0);
	assert_null(made.pem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_made_is_good),
		cmocka_unit_test(a_certificate_is_due_when_two_thirds_of_its_time_are_over),
		cmocka_unit_test(a_certificate_is_bad_outside_its_time),
		cmocka_unit_test(a_certificate_for_other_names_is_bad),
		cmocka_unit_test(a_key_of_another_certificate_is_bad),
		cmocka_unit_test(a_server_certificate_is_no_ca),
		cmocka_unit_test(a_certificate_of_another_ca_is_bad),
		cmocka_unit_test(a_new_ca_keeps_the_former_one_until_it_is_out_of_date),
		cmocka_unit_test(garbage_is_bad),
		cmocka_unit_test(nothing_is_made_by_a_ca_that_is_none),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
