// Base64 (RFC 4648, section 4), as JSON and YAML have bytes: Secrets, patches, certificates. Pure.
#pragma once

#include <stddef.h>

// malloc'ed text; NULL without memory.
char *base64_encode(const char *data, size_t len);
// malloc'ed bytes with a NUL behind them; NULL if text is no base64, or without memory. Line breaks and
// blanks are passed over.
char *base64_decode(const char *text, size_t *ret_len);
