// strata-cni: the CNI plugin. It reads the runtime's call, hands it to the node's daemon, and
// prints what the runtime wants to read. It keeps nothing and decides nothing.
#include <stdio.h>
#include <string.h>

#include "cni-shim/call.h"
#include "cni-shim/daemon.h"
#include "cni-shim/error.h"
#include "cni-shim/result.h"
#include "cni-shim/version.h"

static void print_json(cJSON *obj)
{
	char *text = cJSON_PrintUnformatted(obj);

	if (text != NULL)
		puts(text);
	cJSON_free(text);
	cJSON_Delete(obj);
}

static void print_versions(enum cni_version asked)
{
	cJSON *obj = cJSON_CreateObject();
	cJSON *list = cJSON_CreateArray();

	for (int i = 0; i < CNI_VERSION_COUNT; i++)
		cJSON_AddItemToArray(
			list, cJSON_CreateString(cni_version_text((enum cni_version)i)));
	cJSON_AddStringToObject(obj, "cniVersion", cni_version_text(asked));
	cJSON_AddItemToObject(obj, "supportedVersions", list);
	print_json(obj);
}

static int run(const struct cni_call *call, struct cni_error *err)
{
	cJSON *answer = NULL;

	if (call->command == CNI_VERSION) {
		print_versions(call->version);
		return 0;
	}
	int code = daemon_call(call, &answer, err);
	if (code != 0) {
		// A daemon that is not there is what STATUS is asked for.
		if (call->command == CNI_STATUS && code == CNI_TRY_AGAIN_LATER)
			err->code = CNI_NOT_AVAILABLE;
		return err->code;
	}
	if (call->command == CNI_ADD)
		print_json(cni_result(answer,
			cJSON_GetObjectItemCaseSensitive(call->config, "prevResult"),
			call->version));
	cJSON_Delete(answer);
	return 0;
}

static int usage(void)
{
	puts("strata-cni " STRATA_VERSION ": the CNI plugin of Strata\n"
	     "\n"
	     "A container runtime calls it with CNI_COMMAND and a network configuration on stdin:\n"
	     "  {\"cniVersion\": \"1.0.0\", \"name\": \"strata\", \"type\": \"strata-cni\",\n"
	     "   \"socket\": \"" DAEMON_SOCKET "\"}\n"
	     "See doc/operate.md.");
	return 0;
}

int main(int argc, char **argv)
{
	struct cni_call call;
	struct cni_error err = {0};

	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return usage();
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("strata-cni " STRATA_VERSION);
		return 0;
	}
	int code = cni_call_read(&call, &err);
	if (code == 0)
		code = run(&call, &err);
	if (code != 0)
		cni_error_print(&err, cni_version_text(call.version));
	cni_call_fini(&call);
	return code == 0 ? 0 : 1;
}
