#include "cni-shim/daemon.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX (1024 * 1024)
// The daemon has limits of its own for each step of an ADD; this one only ends a wait for a
// daemon that hangs, before the runtime's own limit (kubelet: 2 minutes) does without a word.
#define ANSWER_TIMEOUT_S 100

static int connect_daemon(const char *path, struct cni_error *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};

	if (strlen(path) >= sizeof(addr.sun_path)) {
		(void)cni_fail(err, CNI_BAD_CONFIG, "at most 107 bytes",
			"the configuration's socket '%s' is too long", path);
		return -1;
	}
	strcpy(addr.sun_path, path);

	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		(void)cni_fail(err, CNI_IO_FAILURE, "", "no socket: %s", strerror(errno));
		return -1;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		(void)cni_fail(err, CNI_TRY_AGAIN_LATER,
			"is strata-vswitchd running on this node, and is this its socket?",
			"cannot reach the daemon at %s: %s", path, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

static bool send_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		text += sent;
		len -= (size_t)sent;
	}
	return true;
}

// Reads until the end of the line or of the stream. NULL with errno set on failure.
static char *receive_line(int fd)
{
	char *text = malloc(ANSWER_MAX);
	size_t len = 0;

	while (text != NULL && len < ANSWER_MAX - 1) {
		ssize_t got = recv(fd, text + len, ANSWER_MAX - 1 - len, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			free(text);
			return NULL;
		}
		len += (size_t)got;
		text[len] = '\0';
		if (got == 0 || memchr(text + len - got, '\n', (size_t)got) != NULL)
			return text;
	}
	free(text);
	errno = EMSGSIZE;
	return NULL;
}

static char *request_text(const struct cni_call *call)
{
	cJSON *request = cJSON_CreateObject();

	cJSON_AddStringToObject(request, "cni", cni_command_name(call->command));
	cJSON_AddStringToObject(request, "containerID", call->container_id);
	cJSON_AddStringToObject(request, "netns", call->netns);
	cJSON_AddStringToObject(request, "ifname", call->ifname);
	cJSON_AddItemReferenceToObject(request, "args", call->args);
	cJSON_AddItemReferenceToObject(request, "config", call->config);
	char *text = cJSON_PrintUnformatted(request);
	cJSON_Delete(request);
	return text;
}

// What the daemon refused with, in its own words.
static int daemon_refusal(const cJSON *error, struct cni_error *err)
{
	const cJSON *code = cJSON_GetObjectItemCaseSensitive(error, "code");
	const char *msg = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "msg"));
	const char *details =
		cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "details"));

	return cni_fail(err,
		cJSON_IsNumber(code) && code->valueint > 0 ? code->valueint : CNI_IO_FAILURE,
		details != NULL ? details : "", "%s",
		msg != NULL ? msg : "the daemon failed without a word");
}

static int exchange(int fd, const struct cni_call *call, cJSON **ret_answer, struct cni_error *err)
{
	char *request = request_text(call);
	bool sent =
		request != NULL && send_all(fd, request, strlen(request)) && send_all(fd, "\n", 1);

	cJSON_free(request);
	if (!sent)
		return cni_fail(
			err, CNI_IO_FAILURE, "", "cannot send to the daemon: %s", strerror(errno));

	char *text = receive_line(fd);
	if (text == NULL)
		return cni_fail(err, CNI_TRY_AGAIN_LATER, "see the daemon's log",
			"no answer from the daemon: %s", strerror(errno));
	cJSON *answer = cJSON_Parse(text);
	free(text);
	if (!cJSON_IsObject(answer)) {
		cJSON_Delete(answer);
		return cni_fail(err, CNI_TRY_AGAIN_LATER, "see the daemon's log",
			"the daemon ended before it answered");
	}

	const cJSON *error = cJSON_GetObjectItemCaseSensitive(answer, "error");
	if (error != NULL) {
		int code = daemon_refusal(error, err);
		cJSON_Delete(answer);
		return code;
	}
	*ret_answer = answer;
	return 0;
}

int daemon_call(const struct cni_call *call, cJSON **ret_answer, struct cni_error *err)
{
	const cJSON *path = cJSON_GetObjectItemCaseSensitive(call->config, "socket");

	if (path != NULL && !cJSON_IsString(path))
		return cni_fail(err, CNI_BAD_CONFIG, "", "the configuration's socket is no string");

	int fd = connect_daemon(path != NULL ? path->valuestring : DAEMON_SOCKET, err);
	if (fd < 0)
		return err->code;
	int code = exchange(fd, call, ret_answer, err);
	close(fd);
	return code;
}
