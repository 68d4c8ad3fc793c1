// Generated MAC addresses: ours, and each once.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ctrl/ipam/mac.h"

struct macs {
	uint8_t mac[100][6];
	int n;
	int refusals; // how many draws to call in use, whatever they are
};

static bool is_known(void *arg, const uint8_t mac[6])
{
	struct macs *known = arg;

	if (known->refusals > 0) {
		known->refusals--;
		return true;
	}
	for (int i = 0; i < known->n; i++) {
		if (memcmp(known->mac[i], mac, 6) == 0)
			return true;
	}
	return false;
}

static void generated_macs_are_distinct_and_local(void **)
{
	struct macs known = {.refusals = 5};

	for (; known.n < 100; known.n++) {
		uint8_t *mac = known.mac[known.n];
		assert_int_equal(mac_generate(mac, is_known, &known), 0);
		assert_memory_equal(mac, "\x02\x12\x34", 3);
		for (int i = 0; i < known.n; i++)
			assert_memory_not_equal(known.mac[i], mac, 6);
	}
}

static void mac_generation_gives_up_when_all_are_in_use(void **)
{
	struct macs known = {.refusals = 1 << 24};
	uint8_t mac[6] = {0};

	assert_int_equal(mac_generate(mac, is_known, &known), -ENOSPC);
	assert_int_equal(mac[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(generated_macs_are_distinct_and_local),
		cmocka_unit_test(mac_generation_gives_up_when_all_are_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
