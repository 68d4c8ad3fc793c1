// What the log says of an API server that cannot be followed: once that it does not answer, whatever the
// number of kinds that are asked for, and once that it does again; of a server that does answer, once for
// each kind what is wrong with it.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctrl/log.h"
#include "ctrl/store/kube.h"

#define COMPLAIN_MS 10000

// Whether another kind has the same to complain of.
static bool is_common(const struct kube_reflector *r, const char *message)
{
	for (enum kind k = 0; k < KIND_COUNT; k++) {
		const struct kube_reflector *other = &r->store->reflectors[k];

		if (other != r && strcmp(other->complaint, message) == 0)
			return true;
	}
	return false;
}

// ── The server ─────────────────────────────────────────────────────────────────────────────────

bool kube_is_lost(int status)
{
	return status < 0 && status != -EMSGSIZE && status != -EPROTO && status != -ENOMEM;
}

void kube_reflector_lost(struct kube_reflector *r, int status, const char *message)
{
	struct kube_store *k = r->store;
	uint64_t now = uv_now(k->loop);
	bool untrusted = status == -EACCES;

	// One that has just come back says of much that it may not be had, and gives it a moment later.
	r->complain_again = now + COMPLAIN_MS;
	r->lost = true;
	if (!k->lost)
		(void)log_warn(0, "the API server does not answer: %s; what is known of it stays",
			message);
	else if (untrusted != k->untrusted && now >= k->complain_again)
		(void)log_warn(0, "the API server still does not answer: %s", message);
	else
		return;
	k->lost = true;
	k->untrusted = untrusted;
	k->complain_again = now + COMPLAIN_MS;
}

static void answers(struct kube_reflector *r)
{
	struct kube_store *k = r->store;

	r->lost = false;
	for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
		if (k->reflectors[kind].lost)
			return;
	}
	if (k->lost)
		log_notice("the API server answers again");
	k->lost = false;
}

// ── A kind ─────────────────────────────────────────────────────────────────────────────────────

void kube_reflector_complain(struct kube_reflector *r, const char *message)
{
	uint64_t now = uv_now(r->store->loop);

	answers(r);
	// A server that comes and goes has something else to say each time: now and then is enough.
	if (strcmp(r->complaint, message) == 0 || now < r->complain_again)
		return;
	bool common = is_common(r, message);
	(void)snprintf(r->complaint, sizeof(r->complaint), "%s", message);
	r->complain_again = now + COMPLAIN_MS;
	if (!common)
		(void)log_warn(0, "cannot follow %s: %s; what is known of them stays",
			kind_plural(r->kind), message);
}

void kube_reflector_well(struct kube_reflector *r)
{
	char old[MODEL_ERROR_MAX];

	answers(r);
	if (r->complaint[0] == '\0')
		return;
	memcpy(old, r->complaint, sizeof(old));
	r->complaint[0] = '\0';
	if (!is_common(r, old))
		log_notice("the API server's %s are followed again", kind_plural(r->kind));
}
