#include "ctrl/node/attachment.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ID_HASH_DIGITS 13 // all that IFNAMSIZ leaves after "st"

void attachment_host_ifname(const char *container_id, const char *ifname, char buf[LINK_NAME_LEN])
{
	uint64_t hash = 0xcbf29ce484222325; // FNV-1a

	for (const char *c = container_id; *c != '\0'; c++)
		hash = (hash ^ (uint8_t)*c) * 0x100000001b3;
	hash *= 0x100000001b3; // the NUL between them
	for (const char *c = ifname; *c != '\0'; c++)
		hash = (hash ^ (uint8_t)*c) * 0x100000001b3;
	(void)snprintf(buf, LINK_NAME_LEN, "st%0*llx", ID_HASH_DIGITS,
		(unsigned long long)(hash >> (64 - 4 * ID_HASH_DIGITS)));
}

void attachment_key(const char *container_id, const char *ifname, char buf[ATTACHMENT_KEY_MAX])
{
	(void)snprintf(buf, ATTACHMENT_KEY_MAX, "%s-%s", container_id, ifname);
}

static cJSON *encode_addresses(const struct attachment *a)
{
	cJSON *list = cJSON_CreateArray();

	for (size_t i = 0; i < a->n_addr; i++) {
		const struct link_address *link = &a->addr[i].link;
		char ip[IP_TEXT_MAX], text[CIDR_TEXT_MAX];
		cJSON *item = cJSON_CreateObject();

		(void)snprintf(
			text, sizeof(text), "%s/%u", ip_text(&link->ip, ip), link->prefix_len);
		cJSON_AddStringToObject(item, "address", text);
		cJSON_AddStringToObject(item, "subnet", a->addr[i].subnet);
		cJSON_AddItemToArray(list, item);
	}
	return list;
}

cJSON *attachment_encode(const struct attachment *a)
{
	cJSON *json = cJSON_CreateObject();
	char mac[MAC_TEXT_MAX];

	cJSON_AddStringToObject(json, "containerID", a->container_id);
	cJSON_AddStringToObject(json, "ifname", a->ifname);
	cJSON_AddStringToObject(json, "netns", a->netns);
	cJSON_AddStringToObject(json, "networkName", a->network_name);
	cJSON_AddStringToObject(json, "namespace", a->namespace);
	cJSON_AddStringToObject(json, "pod", a->pod);
	cJSON_AddStringToObject(json, "uid", a->uid);
	cJSON_AddStringToObject(json, "kind", a->vhost ? "vhost-user" : "afxdp");
	if (a->vhost) {
		cJSON_AddStringToObject(json, "socketPath", a->socket_path);
	} else {
		cJSON_AddStringToObject(json, "hostInterface", a->host_ifname);
		cJSON_AddStringToObject(json, "hostMAC", mac_text(a->host_mac, mac));
	}
	cJSON_AddStringToObject(json, "mac", mac_text(a->mac, mac));
	cJSON_AddNumberToObject(json, "mtu", a->mtu);
	cJSON_AddStringToObject(json, "network", a->network);
	cJSON_AddBoolToObject(json, "overlay", a->overlay);
	cJSON_AddItemToObject(json, "addresses", encode_addresses(a));
	return json;
}

static bool get_text(const cJSON *json, const char *key, char *buf, size_t size)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, key));

	if (text == NULL || strlen(text) >= size)
		return false;
	strcpy(buf, text);
	return true;
}

static bool get_mac(const cJSON *json, const char *key, uint8_t mac[6])
{
	char text[MAC_TEXT_MAX];

	return get_text(json, key, text, sizeof(text)) && mac_parse(text, mac) == 0;
}

static bool get_address(const cJSON *json, struct attachment_address *ret)
{
	char text[CIDR_TEXT_MAX];
	struct cidr cidr;

	if (!get_text(json, "address", text, sizeof(text)) || cidr_parse(text, &cidr) < 0 ||
		!get_text(json, "subnet", ret->subnet, sizeof(ret->subnet)))
		return false;
	ret->link.ip = cidr.ip;
	ret->link.prefix_len = (uint8_t)(ip_is_v4(&cidr.ip) ? cidr.len - 96 : cidr.len);
	return true;
}

static bool get_port(const cJSON *json, struct attachment *a)
{
	char kind[16];

	if (!get_text(json, "kind", kind, sizeof(kind)))
		return false;
	a->vhost = strcmp(kind, "vhost-user") == 0;
	if (a->vhost)
		return get_text(json, "socketPath", a->socket_path, sizeof(a->socket_path));
	return strcmp(kind, "afxdp") == 0 &&
	       get_text(json, "hostInterface", a->host_ifname, sizeof(a->host_ifname)) &&
	       get_mac(json, "hostMAC", a->host_mac);
}

// The name of the first field that is not as it should be, NULL if all are.
static const char *decode(const cJSON *json, struct attachment *a)
{
	const cJSON *mtu = cJSON_GetObjectItemCaseSensitive(json, "mtu");
	const cJSON *addresses = cJSON_GetObjectItemCaseSensitive(json, "addresses");
	const cJSON *item;
	const struct {
		const char *key;
		char *buf;
		size_t size;
	} texts[] = {
		{"containerID", a->container_id, sizeof(a->container_id)},
		{"ifname", a->ifname, sizeof(a->ifname)},
		{"netns", a->netns, sizeof(a->netns)},
		{"networkName", a->network_name, sizeof(a->network_name)},
		{"namespace", a->namespace, sizeof(a->namespace)},
		{"pod", a->pod, sizeof(a->pod)},
		{"uid", a->uid, sizeof(a->uid)},
		{"network", a->network, sizeof(a->network)},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (!get_text(json, texts[i].key, texts[i].buf, texts[i].size))
			return texts[i].key;
	}
	if (!get_port(json, a))
		return "kind";
	if (!get_mac(json, "mac", a->mac))
		return "mac";
	if (!cJSON_IsNumber(mtu) || mtu->valuedouble < 1 || mtu->valuedouble > UINT16_MAX)
		return "mtu";
	a->mtu = (uint16_t)mtu->valuedouble;
	a->overlay = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "overlay"));
	if (cJSON_GetArraySize(addresses) < 1 || cJSON_GetArraySize(addresses) > 2)
		return "addresses";
	cJSON_ArrayForEach (item, addresses) {
		if (!get_address(item, &a->addr[a->n_addr++]))
			return "addresses";
	}
	return NULL;
}

int attachment_decode(const cJSON *json, struct attachment *ret, char why[ATTACHMENT_WHY_MAX])
{
	struct attachment a = {0};
	const char *field = decode(json, &a);

	if (field != NULL) {
		(void)snprintf(why, ATTACHMENT_WHY_MAX, "field '%s' is missing or wrong", field);
		return -EINVAL;
	}
	*ret = a;
	return 0;
}
