// CNI errors: what a plugin prints on stdout when it fails, and the codes of the specification
// (CNI 1.1.0, section 5, "Error").
#pragma once

enum cni_code {
	CNI_INCOMPATIBLE_VERSION = 1,
	CNI_UNSUPPORTED_FIELD = 2,
	CNI_UNKNOWN_CONTAINER = 3,
	CNI_BAD_ENVIRONMENT = 4,
	CNI_IO_FAILURE = 5,
	CNI_DECODE_FAILURE = 6,
	CNI_BAD_CONFIG = 7,
	CNI_TRY_AGAIN_LATER = 11,
	CNI_NOT_AVAILABLE = 50, // STATUS: ADD would fail
};

#define CNI_TEXT_MAX 512

// An error on its way to stdout. Code 0 is no error.
struct cni_error {
	int code; // enum cni_code, or one of the daemon's from 100 (doc/protocol.md)
	char msg[CNI_TEXT_MAX]; // one sentence
	char details[CNI_TEXT_MAX]; // what to do about it, may be empty
};

// Fills *err and returns its code, so that a caller can `return cni_fail(…)`.
int cni_fail(struct cni_error *err, int code, const char *details, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

// Prints the error object in the given version's form.
void cni_error_print(const struct cni_error *err, const char *cni_version);
