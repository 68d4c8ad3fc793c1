// The list of a test program: each test once per address family, in a world of its own.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/vswitch/world.h"

// The family a test runs for is its initial state.
#define IN_FAMILY(prefix, f, family)                                                   \
	{                                                                              \
		prefix #f, f, world_setup, world_teardown, (void *)(uintptr_t)(family) \
	}
#define TEST4(f) IN_FAMILY("IPv4: ", f, IP4)
#define TEST6(f) IN_FAMILY("IPv6: ", f, IP6)
#define BOTH(f) TEST4(f), TEST6(f)

static inline enum family family(void **state)
{
	return (enum family)(uintptr_t)*state;
}

// Starts EAL and runs the tests.
#define RUN_TESTS(tests)                 \
	(eal_start(tests##_prefix, "0"), \
		cmocka_run_group_tests_name(tests##_prefix, tests, NULL, NULL))
