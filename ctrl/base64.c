// GnuTLS has it; this makes texts of its data.
#include "ctrl/base64.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/gnutls.h>

// The data, from malloc, with a NUL behind them.
static char *text_of(const gnutls_datum_t *data)
{
	char *text = malloc((size_t)data->size + 1);

	if (text == NULL)
		return NULL;
	memcpy(text, data->data, data->size);
	text[data->size] = '\0';
	return text;
}

// GnuTLS takes what it only reads as if it would change it.
static gnutls_datum_t borrowed(const char *data, size_t len)
{
	return (gnutls_datum_t){
		.data = (unsigned char *)(uintptr_t)data, .size = (unsigned int)len};
}

char *base64_encode(const char *data, size_t len)
{
	const gnutls_datum_t in = borrowed(data, len);
	gnutls_datum_t out;

	if (len == 0)
		return strdup("");
	if (gnutls_base64_encode2(&in, &out) < 0)
		return NULL;
	char *text = text_of(&out);
	gnutls_free(out.data);
	return text;
}

char *base64_decode(const char *text, size_t *ret_len)
{
	const gnutls_datum_t in = borrowed(text, strlen(text));
	gnutls_datum_t out;

	*ret_len = 0;
	if (in.size == 0)
		return strdup("");
	// GnuTLS takes a '-' for the end of a PEM block.
	if (strchr(text, '-') != NULL || gnutls_base64_decode2(&in, &out) < 0)
		return NULL;
	char *data = text_of(&out);
	*ret_len = out.size;
	gnutls_free(out.data);
	return data;
}
