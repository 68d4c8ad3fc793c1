#include "cni-shim/version.h"

#include <string.h>

static const char *const texts[CNI_VERSION_COUNT] = {
	[CNI_0_3_0] = "0.3.0",
	[CNI_0_3_1] = "0.3.1",
	[CNI_0_4_0] = "0.4.0",
	[CNI_1_0_0] = "1.0.0",
	[CNI_1_1_0] = "1.1.0",
};

const char *cni_version_text(enum cni_version version)
{
	return texts[version];
}

bool cni_version_parse(const char *text, enum cni_version *ret_version)
{
	for (int i = 0; i < CNI_VERSION_COUNT; i++) {
		if (strcmp(text, texts[i]) == 0) {
			*ret_version = (enum cni_version)i;
			return true;
		}
	}
	return false;
}
