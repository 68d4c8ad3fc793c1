#include "cni-shim/call.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IFNAME_MAX 15 // IFNAMSIZ without its NUL

// What a command needs of the environment, and since when it exists.
struct command {
	const char *name;
	bool container; // CNI_CONTAINERID and CNI_IFNAME
	bool netns;
	enum cni_version since;
};

static const struct command commands[CNI_COMMAND_COUNT] = {
	[CNI_ADD] = {.name = "ADD", .container = true, .netns = true, .since = CNI_0_3_0},
	[CNI_DEL] = {.name = "DEL", .container = true, .since = CNI_0_3_0},
	[CNI_CHECK] = {.name = "CHECK", .container = true, .netns = true, .since = CNI_0_4_0},
	[CNI_GC] = {.name = "GC", .since = CNI_1_1_0},
	[CNI_STATUS] = {.name = "STATUS", .since = CNI_1_1_0},
	[CNI_VERSION] = {.name = "VERSION", .since = CNI_0_3_0},
};

const char *cni_command_name(enum cni_command command)
{
	return commands[command].name;
}

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value != NULL ? value : "";
}

static int read_command(struct cni_call *call, struct cni_error *err)
{
	const char *name = environment("CNI_COMMAND");

	for (int i = 0; i < CNI_COMMAND_COUNT; i++) {
		if (strcmp(name, commands[i].name) == 0) {
			call->command = (enum cni_command)i;
			return 0;
		}
	}
	if (name[0] == '\0')
		return cni_fail(err, CNI_BAD_ENVIRONMENT,
			"this is a CNI plugin: a container runtime calls it; see doc/operate.md",
			"CNI_COMMAND is not set");
	return cni_fail(err, CNI_BAD_ENVIRONMENT, "known: ADD, DEL, CHECK, GC, STATUS, VERSION",
		"CNI_COMMAND '%s' is unknown", name);
}

// A container id starts with a letter or digit, then letters, digits, '_', '.', '-' follow.
static bool container_id_valid(const char *id)
{
	if (!isalnum((unsigned char)id[0]))
		return false;
	for (const char *c = id; *c != '\0'; c++) {
		if (!isalnum((unsigned char)*c) && strchr("_.-", *c) == NULL)
			return false;
	}
	return true;
}

// As the kernel sees it (net/core/dev.c, dev_valid_name).
static bool ifname_valid(const char *name)
{
	if (name[0] == '\0' || strlen(name) > IFNAME_MAX || strcmp(name, ".") == 0 ||
		strcmp(name, "..") == 0)
		return false;
	for (const char *c = name; *c != '\0'; c++) {
		if (*c == '/' || *c == ':' || isspace((unsigned char)*c))
			return false;
	}
	return true;
}

static int check_environment(const struct cni_call *call, struct cni_error *err)
{
	const struct command *cmd = &commands[call->command];

	if (cmd->container && !container_id_valid(call->container_id))
		return cni_fail(err, CNI_BAD_ENVIRONMENT, "letters, digits, '_', '.' and '-'",
			"CNI_CONTAINERID '%s' is no container id", call->container_id);
	if (cmd->container && !ifname_valid(call->ifname))
		return cni_fail(err, CNI_BAD_ENVIRONMENT,
			"1 to 15 characters without '/', ':' and space",
			"CNI_IFNAME '%s' is no interface name", call->ifname);
	if (cmd->netns && call->netns[0] == '\0')
		return cni_fail(err, CNI_BAD_ENVIRONMENT, "the path of the pod's network namespace",
			"CNI_NETNS is not set, %s needs it", cmd->name);
	return 0;
}

// CNI_ARGS is "KEY=VALUE;KEY=VALUE".
static int read_args(struct cni_call *call, struct cni_error *err)
{
	char *text = strdup(environment("CNI_ARGS"));
	char *rest = text;
	int code = 0;

	call->args = cJSON_CreateObject();
	for (char *pair; code == 0 && (pair = strsep(&rest, ";")) != NULL;) {
		char *value = strchr(pair, '=');

		if (pair[0] == '\0')
			continue;
		if (value == NULL) {
			code = cni_fail(err, CNI_BAD_ENVIRONMENT, "KEY=VALUE, separated by ';'",
				"CNI_ARGS has '%s', which is no KEY=VALUE", pair);
			break;
		}
		*value++ = '\0';
		cJSON_DeleteItemFromObjectCaseSensitive(call->args, pair);
		cJSON_AddStringToObject(call->args, pair, value);
	}
	free(text);
	return code;
}

static int read_stdin(char **ret_text, struct cni_error *err)
{
	char *text = malloc(CNI_CONFIG_MAX + 1);
	size_t len = 0;

	if (text == NULL)
		return cni_fail(err, CNI_IO_FAILURE, "", "out of memory");
	for (;;) {
		ssize_t got = read(STDIN_FILENO, text + len, CNI_CONFIG_MAX + 1 - len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			free(text);
			return cni_fail(
				err, CNI_IO_FAILURE, "", "cannot read stdin: %s", strerror(errno));
		}
		if (got == 0)
			break;
		len += (size_t)got;
		if (len > CNI_CONFIG_MAX) {
			free(text);
			return cni_fail(err, CNI_DECODE_FAILURE, "",
				"the network configuration on stdin is longer than %d bytes",
				CNI_CONFIG_MAX);
		}
	}
	text[len] = '\0';
	*ret_text = text;
	return 0;
}

static int read_config(struct cni_call *call, struct cni_error *err)
{
	char *text = NULL;
	int code = read_stdin(&text, err);

	if (code != 0)
		return code;
	call->config = cJSON_Parse(text);
	free(text);
	if (!cJSON_IsObject(call->config))
		return cni_fail(err, CNI_DECODE_FAILURE, "the runtime passes it there",
			"the network configuration on stdin is no JSON object");

	const char *version =
		cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(call->config, "cniVersion"));
	if (version != NULL && !cni_version_parse(version, &call->version))
		return cni_fail(err, CNI_INCOMPATIBLE_VERSION,
			"spoken: 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0",
			"cniVersion '%s' is not supported", version);
	return 0;
}

int cni_call_read(struct cni_call *ret_call, struct cni_error *err)
{
	int code;

	*ret_call = (struct cni_call){
		.version = CNI_NEWEST,
		.container_id = environment("CNI_CONTAINERID"),
		.netns = environment("CNI_NETNS"),
		.ifname = environment("CNI_IFNAME"),
	};
	code = read_command(ret_call, err);
	if (code == 0)
		code = read_config(ret_call, err);
	if (code != 0 || ret_call->command == CNI_VERSION)
		return code;

	if (ret_call->version < commands[ret_call->command].since)
		return cni_fail(err, CNI_INCOMPATIBLE_VERSION,
			"raise cniVersion in the configuration", "cniVersion %s has no %s",
			cni_version_text(ret_call->version), cni_command_name(ret_call->command));
	code = check_environment(ret_call, err);
	if (code == 0)
		code = read_args(ret_call, err);
	return code;
}

void cni_call_fini(struct cni_call *call)
{
	cJSON_Delete(call->args);
	cJSON_Delete(call->config);
}
