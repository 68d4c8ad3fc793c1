#include "ctrl/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MESSAGE_MAX 1024

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

// Writes text as a logfmt value: quoted, so that a newline or quote from outside cannot forge a line.
static void put_quoted(FILE *f, const char *text)
{
	putc_unlocked('"', f);
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\')
			fprintf(f, "\\%c", *c);
		else if (*c == '\n')
			fputs("\\n", f);
		else if ((unsigned char)*c < 0x20)
			fprintf(f, "\\x%02x", (unsigned char)*c);
		else
			putc_unlocked(*c, f);
	}
	putc_unlocked('"', f);
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

	flockfile(stderr);
	fprintf(stderr, "time=%s.%03ldZ level=%s msg=", stamp, now.tv_nsec / 1000000,
		level_names[level]);
	put_quoted(stderr, message);
	if (err != 0) {
		fputs(" err=", stderr);
		put_quoted(stderr, strerror(-err));
	}
	putc_unlocked('\n', stderr);
	funlockfile(stderr);
	return err;
}
