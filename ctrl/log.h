// Structured logging to stderr, one logfmt line per message:
//   time=2026-01-02T03:04:05.678Z level=warn msg="ipinstance 'a/b' is malformed, ignoring" err="Invalid argument"
// Only the control side logs; the data path counts. Quiet in the steady state.
#pragma once

enum log_level {
	LOG_LEVEL_ERR, // this operation failed
	LOG_LEVEL_WARN, // we went on
	LOG_LEVEL_NOTICE, // an operator should know
	LOG_LEVEL_DEBUG,
};

void log_set_level(enum log_level level);
// "error", "warn", "notice", "debug" → 0 with *ret_level set; -EINVAL.
int log_level_parse(const char *text, enum log_level *ret_level);

// err: 0, or a negative errno that is added as err="…". Returns err, so that a handler can
// `return log_err(ret, …)`.
int log_write(enum log_level level, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define log_err(err, ...) log_write(LOG_LEVEL_ERR, (err), __VA_ARGS__)
#define log_warn(err, ...) log_write(LOG_LEVEL_WARN, (err), __VA_ARGS__)
#define log_notice(...) ((void)log_write(LOG_LEVEL_NOTICE, 0, __VA_ARGS__))
#define log_debug(...) ((void)log_write(LOG_LEVEL_DEBUG, 0, __VA_ARGS__))
