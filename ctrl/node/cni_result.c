// The result of an ADD, in the form of CNI 1.1.
#include <stdio.h>

#include "ctrl/node/cni_inner.h"

#define GATEWAY4 "169.254.1.1"
#define GATEWAY6 "fe80::ecee:eeff:feee:eeee"

static cJSON *pod_interface(const struct attachment *a)
{
	cJSON *interface = cJSON_CreateObject();
	char mac[MAC_TEXT_MAX];

	cJSON_AddStringToObject(interface, "name", a->ifname);
	cJSON_AddStringToObject(interface, "mac", mac_text(a->mac, mac));
	cJSON_AddNumberToObject(interface, "mtu", a->mtu);
	cJSON_AddStringToObject(interface, "sandbox", a->netns);
	if (a->vhost)
		cJSON_AddStringToObject(interface, "socketPath", a->socket_path);
	return interface;
}

static cJSON *host_interface(const struct attachment *a)
{
	cJSON *interface = cJSON_CreateObject();
	char mac[MAC_TEXT_MAX];

	cJSON_AddStringToObject(interface, "name", a->host_ifname);
	cJSON_AddStringToObject(interface, "mac", mac_text(a->host_mac, mac));
	return interface;
}

static void append_address(const struct attachment *a, size_t i, cJSON *ips, cJSON *routes)
{
	const struct link_address *addr = &a->addr[i].link;
	bool v4 = ip_is_v4(&addr->ip);
	char ip[IP_TEXT_MAX], text[CIDR_TEXT_MAX];
	cJSON *item = cJSON_CreateObject(), *route = cJSON_CreateObject();

	(void)snprintf(text, sizeof(text), "%s/%u", ip_text(&addr->ip, ip), addr->prefix_len);
	cJSON_AddStringToObject(item, "address", text);
	cJSON_AddStringToObject(item, "gateway", v4 ? GATEWAY4 : GATEWAY6);
	cJSON_AddNumberToObject(item, "interface", a->vhost ? 0 : 1);
	cJSON_AddItemToArray(ips, item);

	cJSON_AddStringToObject(route, "dst", v4 ? "0.0.0.0/0" : "::/0");
	cJSON_AddStringToObject(route, "gw", v4 ? GATEWAY4 : GATEWAY6);
	cJSON_AddItemToArray(routes, route);
}

cJSON *cni_result(const struct attachment *a)
{
	cJSON *result = cJSON_CreateObject();
	cJSON *interfaces = cJSON_AddArrayToObject(result, "interfaces");
	cJSON *ips = cJSON_AddArrayToObject(result, "ips");
	cJSON *routes = cJSON_AddArrayToObject(result, "routes");

	if (!a->vhost)
		cJSON_AddItemToArray(interfaces, host_interface(a));
	cJSON_AddItemToArray(interfaces, pod_interface(a));
	for (size_t i = 0; i < a->n_addr; i++)
		append_address(a, i, ips, routes);
	return result;
}
