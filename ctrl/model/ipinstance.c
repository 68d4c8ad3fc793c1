// Decoding IPInstances, and their names.
#include "ctrl/model/ipinstance.h"

#include <stdio.h>
#include <string.h>

#include <md5.h>

#include "ctrl/model/decode.h"

#define TEXT_MAX 64 // of a kind or uid, with NUL
#define SANDBOX_MAX 128
#define TIME_TEXT_MAX 40

static void address_decode(struct reader *r, const cJSON *address, struct ipinstance *i)
{
	char ip[CIDR_TEXT_MAX] = "";

	field_version(
		r, address, "spec.address.version", i->address.version, sizeof(i->address.version));
	field_text(r, address, "spec.address.ip", ip, sizeof(ip));
	if (!r->failed && cidr_parse(ip, &i->address.ip) < 0)
		reader_fail(r, "spec.address.ip", "an address with its prefix length",
			field_get(address, "ip"));
	if (!r->failed && i->address.version[0] == '\0')
		strcpy(i->address.version, ip_is_v4(&i->address.ip.ip) ? "4" : "6");
	field_ip(r, address, "spec.address.gateway", &i->address.has_gateway, &i->address.gateway);
	field_int(r, address, "spec.address.netID", &i->address.has_net_id, &i->address.net_id);
	if (!r->failed && field_get(address, "mac") == NULL)
		reader_fail(r, "spec.address.mac", "a MAC address", NULL);
	field_mac(r, address, "spec.address.mac", i->address.mac);
}

static void binding_decode(struct reader *r, const cJSON *binding, struct ipinstance *i)
{
	const cJSON *ref = field_object(r, binding, "spec.binding.referredObject");
	const cJSON *stateful = field_object(r, binding, "spec.binding.stateful");

	field_borrow(r, binding, "spec.binding.nodeName", NAME_MAX_LEN, &i->binding.node_name);
	field_borrow(r, binding, "spec.binding.podName", NAME_MAX_LEN, &i->binding.pod_name);
	field_borrow(
		r, ref, "spec.binding.referredObject.kind", TEXT_MAX, &i->binding.referred_kind);
	field_borrow(r, ref, "spec.binding.referredObject.name", NAME_MAX_LEN,
		&i->binding.referred_name);
	field_borrow(r, ref, "spec.binding.referredObject.uid", TEXT_MAX, &i->binding.referred_uid);
	field_borrow(r, binding, "spec.binding.podUID", TEXT_MAX, &i->binding.pod_uid);
	field_int(r, stateful, "spec.binding.stateful.index", &i->binding.has_stateful_index,
		&i->binding.stateful_index);
}

static void status_decode(struct reader *r, const cJSON *status, struct ipinstance *i)
{
	field_borrow(r, status, "status.nodeName", NAME_MAX_LEN, &i->status.node_name);
	field_borrow(r, status, "status.podName", NAME_MAX_LEN, &i->status.pod_name);
	field_borrow(r, status, "status.podNamespace", LABEL_MAX_LEN, &i->status.pod_namespace);
	field_borrow(r, status, "status.sandboxID", SANDBOX_MAX, &i->status.sandbox_id);
	field_borrow(
		r, status, "status.updateTimestamp", TIME_TEXT_MAX, &i->status.update_timestamp);
}

void ipinstance_decode(struct reader *r, const cJSON *json, struct ipinstance *i)
{
	const cJSON *spec = field_object(r, json, "spec");

	field_borrow(r, spec, "spec.network", NAME_MAX_LEN, &i->network);
	field_borrow(r, spec, "spec.subnet", NAME_MAX_LEN, &i->subnet);
	address_decode(r, field_object(r, spec, "spec.address"), i);
	binding_decode(r, field_object(r, spec, "spec.binding"), i);
	status_decode(r, field_object(r, json, "status"), i);
}

void ipinstance_shed(struct ipinstance *i)
{
	i->binding.referred_uid = i->binding.pod_uid = "";
	i->status.sandbox_id = i->status.update_timestamp = "";
}

void ipinstance_name(const struct in6_addr *ip, char buf[64])
{
	const uint8_t *b = ip->s6_addr;
	size_t len = 0;

	if (ip_is_v4(ip)) {
		(void)snprintf(buf, 64, "%d-%d-%d-%d", b[12], b[13], b[14], b[15]);
		return;
	}
	for (int i = 0; i < 8; i++)
		len += (size_t)snprintf(buf + len, 64 - len, "%s%x", i > 0 ? "-" : "",
			(unsigned int)b[2 * i] << 8 | b[2 * i + 1]);
}

#define POD_LABEL_KEPT 31 // characters of a name that is too long for a label; MD5 makes 32 more

void ipinstance_pod_label(const char *pod_name, char buf[LABEL_MAX_LEN])
{
	if (strlen(pod_name) < LABEL_MAX_LEN) {
		strcpy(buf, pod_name);
		return;
	}
	memcpy(buf, pod_name, POD_LABEL_KEPT);
	const char *rest = pod_name + POD_LABEL_KEPT;
	(void)MD5Data((const uint8_t *)rest, strlen(rest), buf + POD_LABEL_KEPT);
}
