// Certificates of our own making: a CA (ECDSA P-256, 10 years) and with it the webhooks' server
// certificate (1 year). Both are due when two thirds of their time are over. Pure but for random
// numbers; time is handed in.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#define CERTIFICATE_CA_DAYS 3650
#define CERTIFICATE_SERVER_DAYS 365
#define CERTIFICATE_NAMES_MAX 16
#define CERTIFICATE_PEM_MAX (64 * 1024) // longest text that is looked at

// PEM, owned; NULL in a zeroed one. A CA may be several certificates: the key is the first one's,
// the others are those that it replaced and that may still be in use.
struct certificate {
	char *pem, *key;
};

enum certificate_state {
	CERTIFICATE_GOOD,
	CERTIFICATE_DUE, // works, but is to be replaced
	CERTIFICATE_BAD, // cannot be used: malformed, out of date, of other names, no pair
};

void certificate_fini(struct certificate *c);

// A CA. former: PEM of the one that it follows, NULL for none; what of it is in date at now is kept
// behind the new one. 0 or -errno.
int certificate_make_ca(const char *name, const char *former, time_t now, struct certificate *ret);
// A server's certificate for names (DNS names and addresses; the first is its subject too).
int certificate_make_server(const struct certificate *ca, const char *const *names, size_t n,
	time_t now, struct certificate *ret);

enum certificate_state certificate_ca_state(const struct certificate *ca, time_t now);
enum certificate_state certificate_server_state(const struct certificate *ca,
	const struct certificate *server, const char *const *names, size_t n, time_t now);
