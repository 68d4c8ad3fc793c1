// GnuTLS has it; this makes texts of its data.
#include "ctrl/base64.h"

#include "ctrl/datum.h"

char *base64_encode(const char *data, size_t len)
{
	const gnutls_datum_t in = datum_of(data, len);
	gnutls_datum_t out;

	if (len == 0)
		return strdup("");
	return gnutls_base64_encode2(&in, &out) < 0 ? NULL : datum_take(&out);
}

char *base64_decode(const char *text, size_t *ret_len)
{
	const gnutls_datum_t in = datum_of_text(text);
	gnutls_datum_t out;

	*ret_len = 0;
	if (in.size == 0)
		return strdup("");
	// GnuTLS takes a '-' for the end of a PEM block.
	if (strchr(text, '-') != NULL || gnutls_base64_decode2(&in, &out) < 0)
		return NULL;
	*ret_len = out.size;
	return datum_take(&out);
}
