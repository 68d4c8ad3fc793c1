#include "cni-shim/result.h"

#include <stdbool.h>
#include <string.h>

// A list of prev with the answer's behind it.
static cJSON *joined(const cJSON *prev, const cJSON *answer, const char *name)
{
	cJSON *list = cJSON_CreateArray();
	const cJSON *item;

	cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(prev, name)) {
		cJSON_AddItemToArray(list, cJSON_Duplicate(item, true));
	}
	cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(answer, name)) {
		cJSON_AddItemToArray(list, cJSON_Duplicate(item, true));
	}
	return list;
}

// Addresses name their interface by its place in the list, which earlier plugins' shift.
static void shift_interfaces(cJSON *ips, int n_prev_ips, int by)
{
	for (int i = n_prev_ips; i < cJSON_GetArraySize(ips); i++) {
		cJSON *index =
			cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(ips, i), "interface");

		if (cJSON_IsNumber(index))
			cJSON_SetNumberValue(index, index->valueint + by);
	}
}

// Before 1.0.0 an address said its family.
static void add_ip_versions(cJSON *ips)
{
	cJSON *ip;

	cJSON_ArrayForEach (ip, ips) {
		const char *address =
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(ip, "address"));
		bool v6 = address != NULL && strchr(address, ':') != NULL;

		cJSON_DeleteItemFromObjectCaseSensitive(ip, "version");
		cJSON_AddStringToObject(ip, "version", v6 ? "6" : "4");
	}
}

// Before 1.1.0 an interface was only name, mac and sandbox.
static void remove_new_fields(cJSON *interfaces)
{
	cJSON *interface;

	cJSON_ArrayForEach (interface, interfaces) {
		cJSON_DeleteItemFromObjectCaseSensitive(interface, "mtu");
		cJSON_DeleteItemFromObjectCaseSensitive(interface, "socketPath");
	}
}

cJSON *cni_result(const cJSON *answer, const cJSON *prev, enum cni_version version)
{
	cJSON *result = cJSON_CreateObject();
	cJSON *interfaces = joined(prev, answer, "interfaces");
	cJSON *ips = joined(prev, answer, "ips");
	int n_prev_ips = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(prev, "ips"));
	int n_prev_ifs = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(prev, "interfaces"));

	shift_interfaces(ips, n_prev_ips, n_prev_ifs);
	if (version < CNI_1_0_0)
		add_ip_versions(ips);
	if (version < CNI_1_1_0)
		remove_new_fields(interfaces);

	cJSON_AddStringToObject(result, "cniVersion", cni_version_text(version));
	cJSON_AddItemToObject(result, "interfaces", interfaces);
	cJSON_AddItemToObject(result, "ips", ips);
	cJSON_AddItemToObject(result, "routes", joined(prev, answer, "routes"));

	const cJSON *dns = cJSON_GetObjectItemCaseSensitive(prev, "dns");
	cJSON_AddItemToObject(
		result, "dns", dns != NULL ? cJSON_Duplicate(dns, true) : cJSON_CreateObject());
	return result;
}
