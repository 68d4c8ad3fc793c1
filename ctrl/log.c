#include "ctrl/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX 1024
#define LINE_LEN_MAX (4 * MESSAGE_MAX + 256) // every character escaped

static enum log_level threshold = LOG_LEVEL_NOTICE;

static const char *const level_names[] = {
	[LOG_LEVEL_ERR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_NOTICE] = "notice",
	[LOG_LEVEL_DEBUG] = "debug",
};

void log_set_level(enum log_level level)
{
	threshold = level;
}

int log_level_parse(const char *text, enum log_level *ret_level)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*ret_level = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

// A line while it is made. What does not fit is left out, but for the line's end.
struct line {
	char text[LINE_LEN_MAX];
	size_t len;
};

static void put(struct line *l, char c)
{
	if (l->len < sizeof(l->text) - 1)
		l->text[l->len++] = c;
}

static void put_text(struct line *l, const char *text)
{
	for (; *text != '\0'; text++)
		put(l, *text);
}

// Writes text as a logfmt value: quoted, so that a newline or quote from outside cannot forge a line.
static void put_quoted(struct line *l, const char *text)
{
	char escaped[8];

	put(l, '"');
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\') {
			put(l, '\\');
			put(l, *c);
		} else if (*c == '\n') {
			put_text(l, "\\n");
		} else if ((unsigned char)*c < 0x20) {
			(void)snprintf(escaped, sizeof(escaped), "\\x%02x", (unsigned char)*c);
			put_text(l, escaped);
		} else {
			put(l, *c);
		}
	}
	put(l, '"');
}

int log_write(enum log_level level, int err, const char *format, ...)
{
	if (level > threshold)
		return err;

	char message[MESSAGE_MAX];
	va_list ap;
	va_start(ap, format);
	(void)vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);

	struct timespec now;
	struct tm tm;
	char stamp[32];
	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	(void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);

	struct line line = {.len = 0};
	line.len = (size_t)snprintf(line.text, sizeof(line.text),
		"time=%s.%03ldZ level=%s msg=", stamp, now.tv_nsec / 1000000, level_names[level]);
	put_quoted(&line, message);
	if (err != 0) {
		put_text(&line, " err=");
		put_quoted(&line, strerror(-err));
	}
	line.text[line.len++] = '\n';
	// In one piece: stderr has no buffer, and would take a system call for every character.
	(void)!write(STDERR_FILENO, line.text, line.len);
	return err;
}
