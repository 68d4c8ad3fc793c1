// Pools: which element is a pod's, and hybridnet's words for what is wrong with it.
#include "ctrl/manager/pools.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ctrl/model/object.h"

static char error[POOL_ERROR_MAX];

static void assert_ips(const char *pool, int32_t ordinal, const char *first, const char *second)
{
	char text[IP_TEXT_MAX];
	struct in6_addr ip[2];
	size_t n;

	assert_true(pool_ips(pool, ordinal, ip, &n, error));
	assert_int_equal(n, second != NULL ? 2 : 1);
	assert_string_equal(ip_text(&ip[0], text), first);
	if (second != NULL)
		assert_string_equal(ip_text(&ip[1], text), second);
}

static void assert_no_ips(const char *pool, int32_t ordinal, const char *want)
{
	struct in6_addr ip[2];
	size_t n;

	assert_false(pool_ips(pool, ordinal, ip, &n, error));
	assert_string_equal(error, want);
}

static void the_ordinal_is_the_number_after_the_last_dash(void **)
{
	assert_int_equal(pool_ordinal("web-0"), 0);
	assert_int_equal(pool_ordinal("web-3-12"), 12);
	assert_int_equal(pool_ordinal("web"), INT32_MAX);
	assert_int_equal(pool_ordinal("web-1a"), INT32_MAX);
	assert_int_equal(pool_ordinal("web-"), INT32_MAX);
	assert_int_equal(pool_ordinal("web-99999999999"), INT32_MAX);
}

static void each_pod_has_its_element(void **)
{
	assert_ips("10.0.0.1,10.0.0.2", 1, "10.0.0.2", NULL);
	assert_ips("10.0.0.1/fd00::1, 10.0.0.2/fd00::2", 1, "10.0.0.2", "fd00::2");
	assert_ips("10.0.0.1,rubbish", 0, "10.0.0.1", NULL); // another pod's
}

static void a_bad_element_is_named(void **)
{
	assert_no_ips("10.0.0.1", 1, "unable to find assigned ip in ip-pool 10.0.0.1 by index 1");
	assert_no_ips("10.0.0.1,,10.0.0.3", 1,
		"the 1 assigned ip section is empty in ip-pool 10.0.0.1,,10.0.0.3");
	assert_no_ips("10.0.0.1,10.0.0", 1, "the assigned ip 10.0.0 is illegal");
	assert_no_ips("10.0.0.1/fd00::1/10.0.0.2", 0, "the assigned ip 10.0.0.2 is illegal");
	assert_no_ips("10.0.0.1", INT32_MAX,
		"unable to find assigned ip in ip-pool 10.0.0.1 by index 2147483647");
}

static void macs_are_taken_in_any_form(void **)
{
	uint8_t mac[6];
	char text[MAC_TEXT_MAX];

	assert_true(pool_mac("00:16:3E:00:00:01,00-16-3e-00-00-02", 1, mac, error));
	assert_string_equal(mac_text(mac, text), "00:16:3e:00:00:02");
	assert_false(pool_mac("00:16:3e:00:00:01", 3, mac, error));
	assert_string_equal(error,
		"unable to find assigned mac address in mac pool 00:16:3e:00:00:01 by index 3");
	assert_false(pool_mac(",x", 0, mac, error));
	assert_string_equal(error, "the 0 assigned mac address is empty in mac pool ,x");
	assert_false(pool_mac(",x", 1, mac, error));
	assert_string_equal(error, "the assigned mac address x is illegal");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_ordinal_is_the_number_after_the_last_dash),
		cmocka_unit_test(each_pod_has_its_element),
		cmocka_unit_test(a_bad_element_is_named),
		cmocka_unit_test(macs_are_taken_in_any_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
