// Making certificates with GnuTLS (RFC 5280), and judging those that are there.
#include "ctrl/http/certificate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "ctrl/datum.h"

#define DAY_S 86400
// Certificates begin in the past, for clocks differ.
#define SKEW_S 3600
#define SERIAL_LEN 16
#define CHAIN_MAX 8

void certificate_fini(struct certificate *c)
{
	free(c->pem);
	free(c->key);
	c->pem = c->key = NULL;
}

// ── Making ─────────────────────────────────────────────────────────────────────────────────────

static int address_of(const char *name, unsigned char ret[16])
{
	if (inet_pton(AF_INET, name, ret) == 1)
		return 4;
	return inet_pton(AF_INET6, name, ret) == 1 ? 16 : 0;
}

static bool set_names(gnutls_x509_crt_t crt, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char ip[16];
		int len = address_of(names[i], ip);
		int ret = len > 0 ? gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS,
					    ip, (unsigned int)len, GNUTLS_FSAN_APPEND)
				  : gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME,
					    names[i], (unsigned int)strlen(names[i]),
					    GNUTLS_FSAN_APPEND);
		if (ret < 0)
			return false;
	}
	return true;
}

// What every certificate has: key, times, serial number, identifiers.
static bool set_common(
	gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const char *name, time_t now, int days)
{
	unsigned char serial[SERIAL_LEN], id[64];
	size_t id_len = sizeof(id);
	char common[64 + 1]; // RFC 5280: ub-common-name

	if (gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial)) < 0)
		return false;
	serial[0] &= 0x7f; // positive
	(void)snprintf(common, sizeof(common), "%s", name);
	return gnutls_x509_crt_set_version(crt, 3) >= 0 && gnutls_x509_crt_set_key(crt, key) >= 0 &&
	       gnutls_x509_crt_set_serial(crt, serial, sizeof(serial)) >= 0 &&
	       gnutls_x509_crt_set_activation_time(crt, now - SKEW_S) >= 0 &&
	       gnutls_x509_crt_set_expiration_time(crt, now + (time_t)days * DAY_S) >= 0 &&
	       gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, common,
		       (unsigned int)strlen(common)) >= 0 &&
	       gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA1, id, &id_len) >= 0 &&
	       gnutls_x509_crt_set_subject_key_id(crt, id, id_len) >= 0;
}

static int export_pair(
	gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, struct certificate *ret_certificate)
{
	struct certificate c = {0};
	gnutls_datum_t out;

	if (gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &out) == 0)
		c.pem = datum_take(&out);
	if (gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &out) == 0)
		c.key = datum_take(&out);
	if (c.pem == NULL || c.key == NULL) {
		certificate_fini(&c);
		return -ENOMEM;
	}
	*ret_certificate = c;
	return 0;
}

static int import_ca(
	const struct certificate *ca, gnutls_x509_crt_t ret_crt, gnutls_x509_privkey_t ret_key)
{
	gnutls_datum_t pem = datum_of_text(ca->pem), key = datum_of_text(ca->key);

	// Of several it reads the first.
	return gnutls_x509_crt_import(ret_crt, &pem, GNUTLS_X509_FMT_PEM) < 0 ||
			       gnutls_x509_privkey_import(ret_key, &key, GNUTLS_X509_FMT_PEM) < 0
		       ? -EINVAL
		       : 0;
}

// Signs a certificate for the names by ca; by itself, as a CA, if ca is NULL.
static int sign(const struct certificate *ca, gnutls_x509_crt_t crt, gnutls_x509_privkey_t key,
	const char *const *names, size_t n)
{
	gnutls_x509_crt_t issuer;
	gnutls_x509_privkey_t issuer_key;
	unsigned char id[64];
	size_t id_len = sizeof(id);
	int ret = -EIO;

	if (ca == NULL)
		return gnutls_x509_crt_set_basic_constraints(crt, 1, 0) < 0 ||
				       gnutls_x509_crt_set_key_usage(crt,
					       GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN) <
					       0 ||
				       gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0) <
					       0
			       ? -EIO
			       : 0;
	if (gnutls_x509_crt_init(&issuer) < 0)
		return -ENOMEM;
	if (gnutls_x509_privkey_init(&issuer_key) < 0) {
		gnutls_x509_crt_deinit(issuer);
		return -ENOMEM;
	}
	if (import_ca(ca, issuer, issuer_key) < 0)
		ret = -EINVAL;
	else if (gnutls_x509_crt_set_basic_constraints(crt, 0, -1) >= 0 &&
		 gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE) >= 0 &&
		 gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0) >= 0 &&
		 gnutls_x509_crt_get_subject_key_id(issuer, id, &id_len, NULL) >= 0 &&
		 gnutls_x509_crt_set_authority_key_id(crt, id, id_len) >= 0 &&
		 set_names(crt, names, n) &&
		 gnutls_x509_crt_sign2(crt, issuer, issuer_key, GNUTLS_DIG_SHA256, 0) >= 0)
		ret = 0;
	gnutls_x509_privkey_deinit(issuer_key);
	gnutls_x509_crt_deinit(issuer);
	return ret;
}

static int make(const struct certificate *ca, const char *const *names, size_t n, time_t now,
	struct certificate *ret_certificate)
{
	int days = ca == NULL ? CERTIFICATE_CA_DAYS : CERTIFICATE_SERVER_DAYS;
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t key;
	int ret = -EIO;

	if (gnutls_x509_crt_init(&crt) < 0)
		return -ENOMEM;
	if (gnutls_x509_privkey_init(&key) < 0) {
		gnutls_x509_crt_deinit(crt);
		return -ENOMEM;
	}
	if (gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
		    GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) >= 0 &&
		set_common(crt, key, names[0], now, days)) {
		ret = sign(ca, crt, key, names, n);
		if (ret == 0)
			ret = export_pair(crt, key, ret_certificate);
	}
	gnutls_x509_privkey_deinit(key);
	gnutls_x509_crt_deinit(crt);
	return ret;
}

int certificate_make_server(const struct certificate *ca, const char *const *names, size_t n,
	time_t now, struct certificate *ret)
{
	return make(ca, names, n, now, ret);
}

// ── Judging ────────────────────────────────────────────────────────────────────────────────────

struct chain {
	gnutls_x509_crt_t crt[CHAIN_MAX];
	unsigned int n;
};

static void chain_fini(struct chain *c)
{
	for (unsigned int i = 0; i < c->n; i++)
		gnutls_x509_crt_deinit(c->crt[i]);
	c->n = 0;
}

static bool chain_read(const char *pem, struct chain *ret)
{
	ret->n = 0;
	if (pem == NULL || strnlen(pem, CERTIFICATE_PEM_MAX) == CERTIFICATE_PEM_MAX)
		return false;
	gnutls_datum_t text = datum_of_text(pem);
	unsigned int n = CHAIN_MAX;
	if (gnutls_x509_crt_list_import(ret->crt, &n, &text, GNUTLS_X509_FMT_PEM,
		    GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED) < 0)
		return false;
	ret->n = n;
	return n > 0;
}

// Whether key is the private half of crt.
static bool is_pair(gnutls_x509_crt_t crt, const char *key)
{
	unsigned char a[64], b[64];
	size_t n_a = sizeof(a), n_b = sizeof(b);
	gnutls_x509_privkey_t private;
	bool same = false;

	if (key == NULL || strnlen(key, CERTIFICATE_PEM_MAX) == CERTIFICATE_PEM_MAX ||
		gnutls_x509_privkey_init(&private) < 0)
		return false;
	gnutls_datum_t text = datum_of_text(key);
	if (gnutls_x509_privkey_import(private, &text, GNUTLS_X509_FMT_PEM) == 0 &&
		gnutls_x509_privkey_get_key_id(private, GNUTLS_KEYID_USE_SHA256, a, &n_a) == 0 &&
		gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, b, &n_b) == 0)
		same = n_a == n_b && memcmp(a, b, n_a) == 0;
	gnutls_x509_privkey_deinit(private);
	return same;
}

static enum certificate_state state_by_time(gnutls_x509_crt_t crt, time_t now)
{
	time_t from = gnutls_x509_crt_get_activation_time(crt);
	time_t to = gnutls_x509_crt_get_expiration_time(crt);

	if (from == (time_t)-1 || to == (time_t)-1 || now < from || now >= to)
		return CERTIFICATE_BAD;
	return (to - now) < (to - from) / 3 ? CERTIFICATE_DUE : CERTIFICATE_GOOD;
}

enum certificate_state certificate_ca_state(const struct certificate *ca, time_t now)
{
	enum certificate_state state = CERTIFICATE_BAD;
	unsigned int critical;
	struct chain c;

	if (!chain_read(ca->pem, &c))
		return state;
	if (gnutls_x509_crt_get_ca_status(c.crt[0], &critical) == 1 && is_pair(c.crt[0], ca->key))
		state = state_by_time(c.crt[0], now);
	chain_fini(&c);
	return state;
}

static bool has_names(gnutls_x509_crt_t crt, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char ip[16];
		int len = address_of(names[i], ip);

		if (len > 0 ? gnutls_x509_crt_check_ip(crt, ip, (unsigned int)len, 0) == 0
			    : gnutls_x509_crt_check_hostname(crt, names[i]) == 0)
			return false;
	}
	return true;
}

enum certificate_state certificate_server_state(const struct certificate *ca,
	const struct certificate *server, const char *const *names, size_t n, time_t now)
{
	enum certificate_state state = CERTIFICATE_BAD;
	struct chain roots, c;
	unsigned int wrong = 0;

	if (!chain_read(ca->pem, &roots))
		return state;
	if (chain_read(server->pem, &c)) {
		if (is_pair(c.crt[0], server->key) && has_names(c.crt[0], names, n) &&
			gnutls_x509_crt_list_verify(c.crt, c.n, roots.crt, roots.n, NULL, 0,
				GNUTLS_VERIFY_DISABLE_TIME_CHECKS, &wrong) == 0 &&
			wrong == 0)
			state = state_by_time(c.crt[0], now);
		chain_fini(&c);
	}
	chain_fini(&roots);
	return state;
}

// ── CAs that follow each other ─────────────────────────────────────────────────────────────────

// Appends the certificates of pem that are in date.
static int append_in_date(char **text, const char *pem, time_t now)
{
	struct chain c;
	int ret = 0;

	if (!chain_read(pem, &c))
		return 0; // of no use to anybody
	for (unsigned int i = 0; ret == 0 && i < c.n && i < CHAIN_MAX - 1; i++) {
		gnutls_datum_t out;
		char *longer;

		if (state_by_time(c.crt[i], now) == CERTIFICATE_BAD)
			continue;
		if (gnutls_x509_crt_export2(c.crt[i], GNUTLS_X509_FMT_PEM, &out) < 0) {
			ret = -ENOMEM;
			break;
		}
		if (asprintf(&longer, "%s%.*s", *text, (int)out.size, (const char *)out.data) < 0) {
			ret = -ENOMEM;
		} else {
			free(*text);
			*text = longer;
		}
		gnutls_free(out.data);
	}
	chain_fini(&c);
	return ret;
}

int certificate_make_ca(const char *name, const char *former, time_t now, struct certificate *ret)
{
	struct certificate ca;
	int err = make(NULL, &name, 1, now, &ca);

	if (err < 0)
		return err;
	err = former != NULL ? append_in_date(&ca.pem, former, now) : 0;
	if (err < 0) {
		certificate_fini(&ca);
		return err;
	}
	*ret = ca;
	return 0;
}
