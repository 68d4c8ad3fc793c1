// What stages share for rewriting headers, against the obvious way to do it.
#include "vswitch/packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

// The checksum of a header of three words, of which the last is the checksum itself.
static uint16_t checksum(uint16_t word, uint16_t rest)
{
	uint32_t s = (uint32_t)word + rest;
	return (uint16_t) ~((s & 0xffff) + (s >> 16));
}

// Every checksum there is, for changes that carry once, twice or not at all.
static void changed_checksum_is_what_a_new_one_would_be(void **)
{
	static const uint16_t words[] = {1, 2, 0x00ff, 0x0100, 0x0200, 0x7fff, 0xff00, 0xfffe};
	const size_t n = sizeof(words) / sizeof(words[0]);

	for (size_t i = 0; i < n * n; i++) {
		uint16_t old = words[i / n];
		uint16_t new = words[i % n];
		for (uint32_t rest = 1; rest < UINT16_MAX; rest++) {
			uint16_t changed = checksum_change(checksum(old, (uint16_t)rest), old, new);
			if (changed != checksum(new, (uint16_t)rest))
				fail_msg("%04x → %04x beside %04x: %04x", old, new, rest, changed);
		}
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(changed_checksum_is_what_a_new_one_would_be),
};

int main(void)
{
	return cmocka_run_group_tests_name("packet", tests, NULL, NULL);
}
