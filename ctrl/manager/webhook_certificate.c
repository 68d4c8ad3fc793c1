// The certificate's keeping: in a Secret that all replicas share. Whoever finds it missing, due or
// bad writes another one; the API server takes one writer's and sends the others to read again.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctrl/base64.h"
#include "ctrl/log.h"
#include "ctrl/manager/webhook_inner.h"

#define LOOK_MS 10000
#define RETRY_MS 1000 // until there is a certificate
#define CA_NAME "strata webhook CA"

#define KEY_CA "ca.crt"
#define KEY_CA_KEY "ca.key"
#define KEY_SERVER "tls.crt"
#define KEY_SERVER_KEY "tls.key"

static void look(struct webhook *w);

static void on_timer(uv_timer_t *timer)
{
	look(timer->data);
}

static void look_later(struct webhook *w)
{
	(void)uv_timer_start(
		&w->certificate_timer, on_timer, w->served != NULL ? LOOK_MS : RETRY_MS, 0);
}

// ── The Secret ─────────────────────────────────────────────────────────────────────────────────

// malloc'ed, NULL if it is not there.
static char *member(const cJSON *secret, const char *key)
{
	const cJSON *data = cJSON_GetObjectItemCaseSensitive(secret, "data");
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(data, key));
	size_t len;

	return text != NULL ? base64_decode(text, &len) : NULL;
}

static void secret_read(const cJSON *secret, struct certificate *ca, struct certificate *server)
{
	ca->pem = member(secret, KEY_CA);
	ca->key = member(secret, KEY_CA_KEY);
	server->pem = member(secret, KEY_SERVER);
	server->key = member(secret, KEY_SERVER_KEY);
}

static bool add_member(cJSON *data, const char *key, const char *pem)
{
	char *text = base64_encode(pem, strlen(pem));
	bool ok = text != NULL && cJSON_AddStringToObject(data, key, text) != NULL;

	free(text);
	return ok;
}

// The Secret to be written in place of old (NULL: none). Owned.
static cJSON *secret_make(const struct webhook *w, const cJSON *old, const struct certificate *ca,
	const struct certificate *server)
{
	cJSON *secret = old != NULL ? cJSON_Duplicate(old, true) : cJSON_CreateObject();

	if (old == NULL) {
		(void)cJSON_AddStringToObject(secret, "apiVersion", "v1");
		(void)cJSON_AddStringToObject(secret, "kind", "Secret");
		(void)cJSON_AddStringToObject(secret, "type", "kubernetes.io/tls");
		cJSON *meta = cJSON_AddObjectToObject(secret, "metadata");
		(void)cJSON_AddStringToObject(meta, "name", w->secret);
		(void)cJSON_AddStringToObject(meta, "namespace", w->namespace);
	}
	cJSON_DeleteItemFromObjectCaseSensitive(secret, "data");
	cJSON *data = cJSON_AddObjectToObject(secret, "data");
	if (add_member(data, KEY_CA, ca->pem) && add_member(data, KEY_CA_KEY, ca->key) &&
		add_member(data, KEY_SERVER, server->pem) &&
		add_member(data, KEY_SERVER_KEY, server->key))
		return secret;
	cJSON_Delete(secret);
	return NULL;
}

// ── What is to be done with it ─────────────────────────────────────────────────────────────────

// Serves what is there and can be used.
static void serve(struct webhook *w, const struct certificate *ca, const struct certificate *server)
{
	char *pem = strdup(server->pem), *ca_pem = strdup(ca->pem);
	bool other = pem != NULL && (w->served == NULL || strcmp(w->served, pem) != 0);

	if (pem == NULL || ca_pem == NULL ||
		(other && http_set_certificate(w->server, server->pem, server->key) < 0)) {
		free(pem);
		free(ca_pem);
		log_warn(0, "cannot serve the certificate of secret '%s/%s'", w->namespace,
			w->secret);
		return;
	}
	if (other)
		log_notice("webhooks serve the certificate of secret '%s/%s'", w->namespace,
			w->secret);
	bool other_ca = w->ca_pem == NULL || strcmp(w->ca_pem, ca_pem) != 0;
	free(w->served);
	free(w->ca_pem);
	w->served = pem;
	w->ca_pem = ca_pem;
	if (other_ca)
		webhook_bundle_look(w);
}

// Replaces what is not good. Returns whether anything was: 0 or 1, or -errno.
static int renew(const struct webhook *w, struct certificate *ca, struct certificate *server)
{
	time_t now = time(NULL);
	enum certificate_state ca_state = certificate_ca_state(ca, now);
	enum certificate_state state =
		certificate_server_state(ca, server, w->name_list, w->n_names, now);
	struct certificate made;
	int ret;

	if (ca_state != CERTIFICATE_GOOD) {
		// A CA that is only due stays believed beside the new one, and so does the server's
		// certificate: whoever calls learns of the new CA before it signs anything.
		ret = certificate_make_ca(
			CA_NAME, ca_state == CERTIFICATE_DUE ? ca->pem : NULL, now, &made);
		if (ret < 0)
			return ret;
		certificate_fini(ca);
		*ca = made;
	}
	if (ca_state == CERTIFICATE_BAD || state == CERTIFICATE_BAD ||
		(state == CERTIFICATE_DUE && ca_state == CERTIFICATE_GOOD)) {
		ret = certificate_make_server(ca, w->name_list, w->n_names, now, &made);
		if (ret < 0)
			return ret;
		certificate_fini(server);
		*server = made;
		return 1;
	}
	return ca_state != CERTIFICATE_GOOD;
}

static void on_written(void *arg, int status, const cJSON *, const char *message)
{
	struct webhook *w = arg;

	if (status == 200 || status == 201)
		log_notice("wrote a new certificate into secret '%s/%s'", w->namespace, w->secret);
	else if (status != 409) // then another replica was faster
		log_warn(0, "cannot write secret '%s/%s': %s", w->namespace, w->secret,
			message != NULL ? message : "?");
	if (status == 200 || status == 201 || status == 409)
		look(w);
	else
		look_later(w);
}

static int secret_write(struct webhook *w, const cJSON *old, const struct certificate *ca,
	const struct certificate *server)
{
	cJSON *secret = secret_make(w, old, ca, server);
	char path[WEBHOOK_PATH_MAX];

	if (secret == NULL)
		return -ENOMEM;
	(void)snprintf(path, sizeof(path), "/api/v1/namespaces/%s/secrets%s%s", w->namespace,
		old != NULL ? "/" : "", old != NULL ? w->secret : "");
	kube_request(w->client, old != NULL ? "PUT" : "POST", path, NULL, secret, on_written, w);
	cJSON_Delete(secret);
	return 0;
}

static void on_read(void *arg, int status, const cJSON *answer, const char *message)
{
	struct webhook *w = arg;
	struct certificate ca = {0}, server = {0};

	if (status != 200 && status != 404) {
		log_warn(0, "cannot read secret '%s/%s': %s", w->namespace, w->secret,
			message != NULL ? message : "?");
		look_later(w);
		return;
	}
	const cJSON *secret = status == 200 ? answer : NULL;
	secret_read(secret, &ca, &server);
	int ret = renew(w, &ca, &server);
	if (ret == 0)
		serve(w, &ca, &server);
	if (ret > 0)
		ret = secret_write(w, secret, &ca, &server); // looks again when it is done
	else
		look_later(w);
	if (ret < 0) {
		log_err(ret, "cannot make a certificate for the webhooks");
		look_later(w);
	}
	certificate_fini(&ca);
	certificate_fini(&server);
}

static void look(struct webhook *w)
{
	char path[WEBHOOK_PATH_MAX];

	(void)snprintf(
		path, sizeof(path), "/api/v1/namespaces/%s/secrets/%s", w->namespace, w->secret);
	kube_request(w->client, "GET", path, NULL, NULL, on_read, w);
}

void webhook_certificate_start(struct webhook *w)
{
	look(w);
}
