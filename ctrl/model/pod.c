// Decoding Pods: the few fields that matter here.
#include "ctrl/model/pod.h"

#include "ctrl/model/decode.h"

void pod_decode(struct reader *r, const cJSON *json, struct pod *p)
{
	const cJSON *spec = field_object(r, json, "spec");
	const cJSON *status = field_object(r, json, "status");
	const cJSON *containers = field_list(r, status, "status.containerStatuses");
	const cJSON *container;
	bool has;

	field_text(r, spec, "spec.nodeName", p->node_name, sizeof(p->node_name));
	field_bool(r, spec, "spec.hostNetwork", &has, &p->host_network);
	field_text(r, status, "status.phase", p->phase, sizeof(p->phase));
	field_text(r, status, "status.reason", p->reason, sizeof(p->reason));
	cJSON_ArrayForEach (container, containers) {
		if (field_get(field_get(container, "state"), "running") != NULL)
			p->any_container_running = true;
	}
	p->all_containers_have_status = cJSON_GetArraySize(containers) ==
					cJSON_GetArraySize(field_list(r, spec, "spec.containers"));
}
