// Decoding NodeInfos.
#include "ctrl/model/nodeinfo.h"

#include <stdlib.h>

#include "ctrl/model/decode.h"

void nodeinfo_decode(struct reader *r, const cJSON *json, struct nodeinfo *n)
{
	const cJSON *vtep = field_object(r, field_object(r, json, "spec"), "spec.vtepInfo");

	field_ip(r, vtep, "spec.vtepInfo.ip", &n->has_vtep, &n->vtep_ip);
	field_mac(r, vtep, "spec.vtepInfo.mac", n->vtep_mac);
	if (!r->failed && n->has_vtep && field_get(vtep, "mac") == NULL)
		reader_fail(r, "spec.vtepInfo.mac", "a MAC address", NULL);
	field_ips(r, vtep, "spec.vtepInfo.localIPs", &n->local_ips, &n->n_local_ips);
	field_text(r, field_object(r, json, "status"), "status.updateTimestamp",
		n->update_timestamp, sizeof(n->update_timestamp));
}

void nodeinfo_fini(struct nodeinfo *n)
{
	free(n->local_ips);
}
