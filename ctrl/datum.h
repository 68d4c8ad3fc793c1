// Texts as GnuTLS takes and gives them.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/gnutls.h>

// Borrows len bytes, which GnuTLS takes as if it would change them, and only reads.
static inline gnutls_datum_t datum_of(const char *data, size_t len)
{
	return (gnutls_datum_t){
		.data = (unsigned char *)(uintptr_t)data, .size = (unsigned int)len};
}

static inline gnutls_datum_t datum_of_text(const char *text)
{
	return datum_of(text, strlen(text));
}

// Takes what GnuTLS made: its bytes from malloc, with a NUL behind them. NULL without memory.
static inline char *datum_take(gnutls_datum_t *made)
{
	char *text = malloc((size_t)made->size + 1);

	if (text != NULL) {
		memcpy(text, made->data, made->size);
		text[made->size] = '\0';
	}
	gnutls_free(made->data);
	return text;
}
