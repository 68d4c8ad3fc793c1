// The caBundle of the webhook configurations: written by the leader, and again when somebody has
// changed it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/base64.h"
#include "ctrl/log.h"
#include "ctrl/manager/webhook_inner.h"

#define LOOK_MS 10000

// Sets it where it is another one. Whether anything was to be set.
static bool set_bundle(cJSON *configuration, const char *bundle)
{
	cJSON *hook;
	bool changed = false;

	cJSON_ArrayForEach (hook, cJSON_GetObjectItemCaseSensitive(configuration, "webhooks")) {
		cJSON *client = cJSON_GetObjectItemCaseSensitive(hook, "clientConfig");
		const char *there =
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(client, "caBundle"));

		if (!cJSON_IsObject(client) || (there != NULL && strcmp(there, bundle) == 0))
			continue;
		cJSON_DeleteItemFromObjectCaseSensitive(client, "caBundle");
		changed = cJSON_AddStringToObject(client, "caBundle", bundle) != NULL || changed;
	}
	return changed;
}

static void path_of(const struct bundle_look *l, char path[WEBHOOK_PATH_MAX])
{
	(void)snprintf(path, WEBHOOK_PATH_MAX, "/apis/admissionregistration.k8s.io/v1/%s/%s",
		l->plural, l->name);
}

static void on_written(void *arg, int status, const cJSON *, const char *message)
{
	struct bundle_look *l = arg;

	l->busy = false;
	if (status >= 200 && status <= 299)
		log_notice("wrote the caBundle of '%s'", l->name);
	else if (status != 409) // then it is looked at again
		log_warn(0, "cannot write the caBundle of '%s': %s", l->name,
			message != NULL ? message : "?");
}

static void on_read(void *arg, int status, const cJSON *answer, const char *message)
{
	struct bundle_look *l = arg;
	struct webhook *w = l->webhook;
	char path[WEBHOOK_PATH_MAX];

	l->busy = false;
	// Not installed: nobody asks us then.
	if (status != 200 && status != 404)
		log_warn(0, "cannot read '%s': %s", l->name, message != NULL ? message : "?");
	if (status != 200 || answer == NULL)
		return;
	char *bundle = base64_encode(w->ca_pem, strlen(w->ca_pem));
	cJSON *configuration = bundle != NULL ? cJSON_Duplicate(answer, true) : NULL;
	if (configuration != NULL && set_bundle(configuration, bundle)) {
		path_of(l, path);
		l->busy = true;
		kube_request(w->client, "PUT", path, NULL, configuration, on_written, l);
	}
	cJSON_Delete(configuration);
	free(bundle);
}

void webhook_bundle_look(struct webhook *w)
{
	char path[WEBHOOK_PATH_MAX];

	if (w->ca_pem == NULL || (w->leads != NULL && !w->leads(w->leads_arg)))
		return;
	for (size_t i = 0; i < sizeof(w->bundles) / sizeof(w->bundles[0]); i++) {
		struct bundle_look *l = &w->bundles[i];

		if (l->name[0] == '\0' || l->busy)
			continue;
		path_of(l, path);
		l->busy = true;
		kube_request(w->client, "GET", path, NULL, NULL, on_read, l);
	}
}

static void on_timer(uv_timer_t *timer)
{
	webhook_bundle_look(timer->data);
}

void webhook_bundle_start(struct webhook *w)
{
	w->bundles[0] = (struct bundle_look){
		.webhook = w, .plural = "validatingwebhookconfigurations", .name = w->validating};
	w->bundles[1] = (struct bundle_look){
		.webhook = w, .plural = "mutatingwebhookconfigurations", .name = w->mutating};
	(void)uv_timer_start(&w->bundle_timer, on_timer, LOOK_MS, LOOK_MS);
}
