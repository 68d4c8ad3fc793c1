// Everything that a candidate remembers is in struct lease; nothing here waits or asks.
#include "ctrl/manager/lease.h"

#include <stdio.h>
#include <string.h>

#include "ctrl/model/field.h"

void lease_init(struct lease *l, const struct lease_conf *conf)
{
	*l = (struct lease){.conf = *conf};
}

static int64_t number(const cJSON *obj, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(obj, name);

	return cJSON_IsNumber(item) ? (int64_t)item->valuedouble : 0;
}

static void decode(const cJSON *obj, struct lease_record *r)
{
	const cJSON *spec = cJSON_GetObjectItemCaseSensitive(obj, "spec");

	*r = (struct lease_record){0};
	(void)snprintf(r->holder, sizeof(r->holder), "%s", field_string(spec, "holderIdentity"));
	(void)snprintf(
		r->acquire_time, sizeof(r->acquire_time), "%s", field_string(spec, "acquireTime"));
	(void)snprintf(r->renew_time, sizeof(r->renew_time), "%s", field_string(spec, "renewTime"));
	(void)snprintf(r->version, sizeof(r->version), "%s",
		field_string(field_get(obj, "metadata"), "resourceVersion"));
	r->duration_s = number(spec, "leaseDurationSeconds");
	r->transitions = number(spec, "leaseTransitions");
}

void lease_saw(struct lease *l, const cJSON *obj, uint64_t now)
{
	struct lease_record r;

	if (obj == NULL) {
		l->known = false;
		return;
	}
	decode(obj, &r);
	// Its version is part of it: an exact copy written again is a sign of life, too.
	if (l->known && memcmp(&r, &l->seen, sizeof(r)) == 0)
		return;
	l->known = true;
	l->seen = r;
	l->seen_at = now;
}

static bool is_ours(const struct lease *l)
{
	return strcmp(l->seen.holder, l->conf.identity) == 0;
}

// Its holder says how long it may be silent; who says nothing gets what we would get.
static uint64_t silence_ms(const struct lease *l)
{
	return l->seen.duration_s > 0 ? (uint64_t)l->seen.duration_s * 1000 : l->conf.duration_ms;
}

enum lease_step lease_next(const struct lease *l, uint64_t now)
{
	if (!l->known)
		return LEASE_CREATE;
	if (is_ours(l))
		return LEASE_RENEW;
	if (l->seen.holder[0] == '\0' || now >= l->seen_at + silence_ms(l))
		return LEASE_TAKE;
	return LEASE_WAIT;
}

static cJSON *object(const struct lease *l, const char *namespace, const char *name,
	const struct lease_record *r)
{
	cJSON *obj = cJSON_CreateObject();

	(void)cJSON_AddStringToObject(obj, "apiVersion", "coordination.k8s.io/v1");
	(void)cJSON_AddStringToObject(obj, "kind", "Lease");
	cJSON *meta = cJSON_AddObjectToObject(obj, "metadata");
	cJSON *spec = cJSON_AddObjectToObject(obj, "spec");
	(void)cJSON_AddStringToObject(meta, "name", name);
	(void)cJSON_AddStringToObject(meta, "namespace", namespace);
	if (l->known && l->seen.version[0] != '\0')
		(void)cJSON_AddStringToObject(meta, "resourceVersion", l->seen.version);
	(void)cJSON_AddStringToObject(spec, "holderIdentity", r->holder);
	(void)cJSON_AddNumberToObject(spec, "leaseDurationSeconds", (double)r->duration_s);
	(void)cJSON_AddStringToObject(spec, "acquireTime", r->acquire_time);
	(void)cJSON_AddStringToObject(spec, "renewTime", r->renew_time);
	if (cJSON_AddNumberToObject(spec, "leaseTransitions", (double)r->transitions) != NULL)
		return obj;
	cJSON_Delete(obj);
	return NULL;
}

cJSON *lease_object(const struct lease *l, enum lease_step step, const char *namespace,
	const char *name, const char *time_now)
{
	struct lease_record r = {.duration_s = (int64_t)(l->conf.duration_ms / 1000)};

	(void)snprintf(r.holder, sizeof(r.holder), "%s", l->conf.identity);
	(void)snprintf(r.renew_time, sizeof(r.renew_time), "%s", time_now);
	(void)snprintf(r.acquire_time, sizeof(r.acquire_time), "%s",
		step == LEASE_RENEW && l->seen.acquire_time[0] != '\0' ? l->seen.acquire_time
								       : time_now);
	if (step == LEASE_RENEW)
		r.transitions = l->seen.transitions;
	else if (step == LEASE_TAKE)
		r.transitions = l->seen.transitions + 1;
	return object(l, namespace, name, &r);
}

cJSON *lease_release_object(
	const struct lease *l, const char *namespace, const char *name, const char *time_now)
{
	struct lease_record r = {.duration_s = 1, .transitions = l->seen.transitions};

	(void)snprintf(r.renew_time, sizeof(r.renew_time), "%s", time_now);
	(void)snprintf(r.acquire_time, sizeof(r.acquire_time), "%s", time_now);
	return object(l, namespace, name, &r);
}

void lease_won(struct lease *l, const cJSON *answer, uint64_t sent_at, uint64_t now)
{
	lease_saw(l, answer, now);
	if (!l->known || !is_ours(l))
		return;
	l->leading = true;
	l->renewed_at = sent_at;
}

uint64_t lease_deadline(const struct lease *l)
{
	return l->renewed_at + l->conf.renew_deadline_ms;
}

bool lease_lost(const struct lease *l, uint64_t now)
{
	return l->leading && (!l->known || !is_ours(l) || now >= lease_deadline(l));
}
