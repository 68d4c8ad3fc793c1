#include "tests/unit/dataplane/eal.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void eal_start(const char *prefix, const char *lcores)
{
	char unique[64];
	(void)snprintf(unique, sizeof(unique), "--file-prefix=%s%d", prefix, (int)getpid());

	const char *args[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		"-m", "128", "--log-level=error", "--lcores", lcores, unique};
	enum {
		N_ARGS = sizeof(args) / sizeof(args[0])
	};
	char *argv[N_ARGS + 1] = {0};
	for (int i = 0; i < N_ARGS; i++)
		argv[i] = (char *)(uintptr_t)args[i];

	if (rte_eal_init(N_ARGS, argv) < 0) {
		fputs("EAL does not start\n", stderr);
		exit(1);
	}
}
