// Three bytes are four digits of six bits; a short end is padded with '='.
#include "ctrl/manager/base64.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const char *data, size_t len)
{
	const unsigned char *d = (const unsigned char *)data;
	char *out = malloc((len + 2) / 3 * 4 + 1);
	size_t n = 0;

	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)d[i] << 16;

		v |= i + 1 < len ? (uint32_t)d[i + 1] << 8 : 0;
		v |= i + 2 < len ? (uint32_t)d[i + 2] : 0;
		out[n++] = digits[v >> 18];
		out[n++] = digits[v >> 12 & 63];
		out[n++] = i + 1 < len ? digits[v >> 6 & 63] : '=';
		out[n++] = i + 2 < len ? digits[v & 63] : '=';
	}
	out[n] = '\0';
	return out;
}

char *base64_decode(const char *text, size_t *ret_len)
{
	size_t len = strlen(text), n = 0, padding;
	uint32_t v = 0;

	padding = len > 0 && text[len - 1] == '=' ? (len > 1 && text[len - 2] == '=' ? 2 : 1) : 0;
	char *out = len % 4 == 0 ? malloc(len / 4 * 3 + 1) : NULL;
	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		const char *digit =
			text[i] != '\0' && i < len - padding ? strchr(digits, text[i]) : digits;
		if (digit == NULL) {
			free(out);
			return NULL;
		}
		v = v << 6 | (uint32_t)(digit - digits);
		if (i % 4 != 3)
			continue;
		out[n++] = (char)(v >> 16 & 0xff);
		out[n++] = (char)(v >> 8 & 0xff);
		out[n++] = (char)(v & 0xff);
	}
	*ret_len = n - padding;
	out[*ret_len] = '\0';
	return out;
}
