// Decoding Pods: the few fields that matter here.
#include "ctrl/model/pod.h"

#include <string.h>

#include "ctrl/model/decode.h"

static bool any_running(struct reader *r, const cJSON *status, const char *path)
{
	const cJSON *container;

	cJSON_ArrayForEach (container, field_list(r, status, path)) {
		if (field_get(field_get(container, "state"), "running") != NULL)
			return true;
	}
	return false;
}

void pod_decode(struct reader *r, const cJSON *json, struct pod *p)
{
	const cJSON *spec = field_object(r, json, "spec");
	const cJSON *status = field_object(r, json, "status");
	const char *reason = cJSON_GetStringValue(field_get(status, "reason"));
	bool has;

	field_text(r, spec, "spec.nodeName", p->node_name, sizeof(p->node_name));
	field_bool(r, spec, "spec.hostNetwork", &has, &p->host_network);
	field_text(r, status, "status.phase", p->phase, sizeof(p->phase));
	if (reason != NULL && strlen(reason) < sizeof(p->reason))
		strcpy(p->reason, reason);
	p->any_container_running = any_running(r, status, "status.containerStatuses") ||
				   any_running(r, status, "status.initContainerStatuses") ||
				   any_running(r, status, "status.ephemeralContainerStatuses");
	p->all_containers_have_status =
		cJSON_GetArraySize(field_list(r, status, "status.containerStatuses")) ==
		cJSON_GetArraySize(field_list(r, spec, "spec.containers"));
}

const struct owner_ref *pod_controller(const struct pod *pod)
{
	for (size_t i = 0; i < pod->obj.meta.n_owners; i++) {
		if (pod->obj.meta.owners[i].controller)
			return &pod->obj.meta.owners[i];
	}
	return NULL;
}
