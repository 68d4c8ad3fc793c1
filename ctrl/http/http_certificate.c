// The server's certificate: chosen at each handshake, so that it may be another one from one
// connection to the next.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/datum.h"
#include "ctrl/http/http_inner.h"

// Whether the key is the leaf's.
static bool is_pair(const struct http_certificate *c)
{
	unsigned char a[64], b[64];
	size_t n_a = sizeof(a), n_b = sizeof(b);
	gnutls_pubkey_t key;
	bool same = false;

	if (gnutls_pubkey_init(&key) < 0)
		return false;
	if (gnutls_pubkey_import_privkey(key, c->key, 0, 0) == 0 &&
		gnutls_pubkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, a, &n_a) == 0 &&
		gnutls_pubkey_get_key_id(c->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, b, &n_b) == 0)
		same = n_a == n_b && memcmp(a, b, n_a) == 0;
	gnutls_pubkey_deinit(key);
	return same;
}

int http_certificate_parse(
	const char *certificate, const char *key, struct http_certificate **ret_certificate)
{
	struct http_certificate *c = calloc(1, sizeof(*c));
	gnutls_datum_t text = datum_of_text(certificate), key_text = datum_of_text(key);

	if (c == NULL)
		return -ENOMEM;
	c->users = 1;
	c->n = HTTP_CHAIN_MAX;
	if (gnutls_pcert_list_import_x509_raw(c->chain, &c->n, &text, GNUTLS_X509_FMT_PEM, 0) < 0)
		c->n = 0;
	if (c->n == 0 || gnutls_privkey_init(&c->key) < 0 ||
		gnutls_privkey_import_x509_raw(c->key, &key_text, GNUTLS_X509_FMT_PEM, NULL, 0) <
			0 ||
		!is_pair(c)) {
		http_certificate_put(c);
		return -EINVAL;
	}
	*ret_certificate = c;
	return 0;
}

void http_certificate_put(struct http_certificate *c)
{
	if (c == NULL || --c->users > 0)
		return;
	for (unsigned int i = 0; i < c->n; i++)
		gnutls_pcert_deinit(&c->chain[i]);
	if (c->key != NULL)
		gnutls_privkey_deinit(c->key);
	free(c);
}

int http_certificate_retrieve(gnutls_session_t session, const gnutls_datum_t *, int,
	const gnutls_pk_algorithm_t *, int, gnutls_pcert_st **ret_chain, unsigned int *ret_n,
	gnutls_privkey_t *ret_key)
{
	// MHD's own pointer: it has no other way to tell which connection this is.
	struct http_connection *c = http_connection_of(gnutls_session_get_ptr(session));

	if (c == NULL || c->server->certificate == NULL)
		return -1;
	if (c->certificate == NULL) {
		c->certificate = c->server->certificate;
		c->certificate->users++;
	}
	*ret_chain = c->certificate->chain;
	*ret_n = c->certificate->n;
	*ret_key = c->certificate->key;
	return 0;
}
