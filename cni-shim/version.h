// The versions of the CNI specification that the plugin speaks.
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum cni_version {
	CNI_0_3_0,
	CNI_0_3_1,
	CNI_0_4_0, // CHECK
	CNI_1_0_0, // ips[] without "version"
	CNI_1_1_0, // GC, STATUS; mtu and socketPath of an interface
	CNI_VERSION_COUNT
};

#define CNI_NEWEST CNI_1_1_0

const char *cni_version_text(enum cni_version version);
// False if text names none that we speak.
bool cni_version_parse(const char *text, enum cni_version *ret_version);
