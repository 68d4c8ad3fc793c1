// An IPInstance as JSON again, from what was decoded.
#include "ctrl/model/ipinstance.h"

static void add_text(cJSON *to, const char *name, const char *text)
{
	if (text[0] != '\0')
		(void)cJSON_AddStringToObject(to, name, text);
}

static void add_meta(cJSON *json, const struct meta *m)
{
	cJSON *meta = cJSON_AddObjectToObject(json, "metadata");

	add_text(meta, "name", m->name);
	add_text(meta, "namespace", m->namespace);
	add_text(meta, "uid", m->uid);
	add_text(meta, "resourceVersion", m->resource_version);
	if (m->has_generation)
		(void)cJSON_AddNumberToObject(meta, "generation", (double)m->generation);
	add_text(meta, "creationTimestamp", m->creation_time);
}

static void add_address(cJSON *spec, const struct ipinstance *i)
{
	cJSON *address = cJSON_AddObjectToObject(spec, "address");
	char text[CIDR_TEXT_MAX];

	add_text(address, "version", i->address.version);
	add_text(address, "ip", cidr_text(&i->address.ip, text));
	if (i->address.has_gateway)
		add_text(address, "gateway", ip_text(&i->address.gateway, text));
	if (i->address.has_net_id)
		(void)cJSON_AddNumberToObject(address, "netID", (double)i->address.net_id);
	add_text(address, "mac", mac_text(i->address.mac, text));
}

static void add_binding(cJSON *spec, const struct ipinstance *i)
{
	cJSON *binding = cJSON_AddObjectToObject(spec, "binding");
	cJSON *referred = cJSON_AddObjectToObject(binding, "referredObject");

	add_text(referred, "kind", i->binding.referred_kind);
	add_text(referred, "name", i->binding.referred_name);
	add_text(referred, "uid", i->binding.referred_uid);
	add_text(binding, "nodeName", i->binding.node_name);
	add_text(binding, "podUID", i->binding.pod_uid);
	add_text(binding, "podName", i->binding.pod_name);
	if (!i->binding.has_stateful_index)
		return;
	cJSON *stateful = cJSON_AddObjectToObject(binding, "stateful");
	(void)cJSON_AddNumberToObject(stateful, "index", (double)i->binding.stateful_index);
}

static void add_status(cJSON *json, const struct ipinstance *i)
{
	cJSON *status = cJSON_AddObjectToObject(json, "status");

	add_text(status, "nodeName", i->status.node_name);
	add_text(status, "podName", i->status.pod_name);
	add_text(status, "podNamespace", i->status.pod_namespace);
	add_text(status, "sandboxID", i->status.sandbox_id);
	add_text(status, "updateTimestamp", i->status.update_timestamp);
}

cJSON *ipinstance_encode(const struct ipinstance *i)
{
	cJSON *json = cJSON_CreateObject();

	if (json == NULL)
		return NULL;
	add_text(json, "apiVersion", API_VERSION);
	add_text(json, "kind", kind_name(KIND_IPINSTANCE));
	add_meta(json, &i->obj.meta);
	cJSON *spec = cJSON_AddObjectToObject(json, "spec");
	add_text(spec, "network", i->network);
	add_text(spec, "subnet", i->subnet);
	add_address(spec, i);
	add_binding(spec, i);
	add_status(json, i);
	return json;
}
