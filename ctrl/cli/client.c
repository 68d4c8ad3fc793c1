#include "ctrl/cli/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct client {
	FILE *stream;
	char *line; // of getline
	size_t line_size;
};

struct client *client_open(const char *socket_path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	if (strlen(socket_path) >= sizeof(addr.sun_path)) {
		fprintf(stderr, "stratactl: socket path '%s' is too long\n", socket_path);
		return NULL;
	}
	strcpy(addr.sun_path, socket_path);

	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		fprintf(stderr,
			"stratactl: cannot reach the daemon at %s: %s\n"
			"Is strata-vswitchd running here, and is this its socket (--socket)?\n",
			socket_path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return NULL;
	}

	struct client *c = calloc(1, sizeof(*c));
	if (c != NULL)
		c->stream = fdopen(fd, "r+");
	if (c == NULL || c->stream == NULL) {
		fprintf(stderr, "stratactl: out of memory\n");
		close(fd);
		free(c);
		return NULL;
	}
	return c;
}

void client_close(struct client *c)
{
	if (c == NULL)
		return;
	(void)fclose(c->stream);
	free(c->line);
	free(c);
}

int client_send(struct client *c, const cJSON *request)
{
	char *text = cJSON_PrintUnformatted(request);
	int fd = fileno(c->stream);
	size_t len = text != NULL ? strlen(text) : 0;
	int ret = text != NULL ? 0 : -ENOMEM;

	if (ret == 0)
		text[len] = '\n'; // in place of the NUL: one line, one write
	for (size_t sent = 0; ret == 0 && sent < len + 1;) {
		ssize_t n = send(fd, text + sent, len + 1 - sent, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			ret = -errno;
		else if (n > 0)
			sent += (size_t)n;
	}
	cJSON_free(text);
	if (ret < 0)
		fprintf(stderr, "stratactl: cannot send to the daemon: %s\n", strerror(-ret));
	return ret;
}

// Prints an error answer: the rule's own words, and what to do about it.
static void print_error(const cJSON *error)
{
	const char *msg = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "msg"));
	const char *details =
		cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "details"));

	fprintf(stderr, "Error: %s\n", msg != NULL ? msg : "the daemon failed without a word");
	if (details != NULL && details[0] != '\0')
		fprintf(stderr, "%s\n", details);
}

cJSON *client_next(struct client *c, int *ret_failed)
{
	ssize_t len = getline(&c->line, &c->line_size, c->stream);
	if (len <= 0)
		return NULL;

	cJSON *answer = cJSON_ParseWithLength(c->line, (size_t)len);
	if (answer == NULL) {
		fprintf(stderr, "stratactl: the daemon's answer is no JSON\n");
		*ret_failed = 1;
		return NULL;
	}

	const cJSON *error = cJSON_GetObjectItemCaseSensitive(answer, "error");
	if (error != NULL) {
		print_error(error);
		cJSON_Delete(answer);
		*ret_failed = 1;
		return NULL;
	}
	return answer;
}
