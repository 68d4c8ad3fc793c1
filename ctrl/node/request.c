// Dispatch of the socket's requests (doc/protocol.md).
#include <errno.h>
#include <string.h>

#include "ctrl/log.h"
#include "ctrl/node/daemon.h"

const char *request_text(const cJSON *request, const char *key)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(request, key));
}

void request_handle(void *daemon, struct conn *conn, const cJSON *request)
{
	struct daemon *d = daemon;
	const cJSON *value;

	if (cJSON_GetObjectItemCaseSensitive(request, "cni") != NULL) {
		cni_handle(d->cni, conn, request);
	} else if (request_text(request, "get") != NULL) {
		answer_get(d, conn, request);
	} else if (request_text(request, "show") != NULL) {
		answer_show(d, conn, request);
	} else if ((value = cJSON_GetObjectItemCaseSensitive(request, "apply")) != NULL) {
		answer_apply(d, conn, value);
	} else if ((value = cJSON_GetObjectItemCaseSensitive(request, "delete")) != NULL) {
		answer_delete(d, conn, value);
	} else {
		conn_fail(conn, EINVAL, "unknown request", "known: cni, get, show, apply, delete");
	}
}

static void on_cache_event(void *arg, enum kind kind, enum cache_event event,
	const struct object *obj, const struct object *)
{
	if (kind == KIND_IPINSTANCE && event == CACHE_PUT)
		tell_acceptance(arg, obj);
	if (event != CACHE_SYNCED)
		watch_event(arg, event, obj);
}

static void on_bad(void *arg, enum kind kind, const char *key, const char *message)
{
	if (kind == KIND_IPINSTANCE)
		tell_refusal(arg, key, message);
	if (kind < KIND_COUNT)
		(void)log_warn(0, "%s '%s' is ignored: %s", kind_name(kind), key, message);
	else
		(void)log_warn(0, "'%s' is ignored: %s", key, message);
}

void request_init(struct daemon *d)
{
	d->subscriber = (struct cache_subscriber){.event = on_cache_event, .bad = on_bad, .arg = d};
	cache_subscribe(d->cache, &d->subscriber);
}
