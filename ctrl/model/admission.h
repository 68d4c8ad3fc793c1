// Admission: the rules that Networks and Subnets must obey, with hybridnet's messages word for
// word, plus the rules it lacks (id ranges, address family). Pure: what else exists is handed in.
//
// Used by the daemon's apply and delete (dir store), by the ingest of files that nobody checked,
// and by the webhooks.
#pragma once

#include "ctrl/model/ipinstance.h"
#include "ctrl/model/network.h"
#include "ctrl/model/nodeinfo.h"
#include "ctrl/model/subnet.h"

#define ADMISSION_MESSAGE_MAX 512

// Everything that exists, as the caller sees it. All arrays are borrowed.
struct admission_view {
	const struct network *const *networks;
	size_t n_networks;
	const struct subnet_obj *const *subnets;
	size_t n_subnets;
	const struct ipinstance *const *ipinstances;
	size_t n_ipinstances;
	const struct object *const
		*nodes; // Nodes, or the NodeInfos that stand for them: name and labels
	size_t n_nodes;
};

// Each returns true if the operation is allowed; false with the reason in message. An object of
// the same name in the view is ignored by `create` (so an existing object can be re-checked).
bool admit_network_create(const struct admission_view *view, const struct network *n,
	char message[ADMISSION_MESSAGE_MAX]);
bool admit_network_update(const struct admission_view *view, const struct network *old,
	const struct network *n, char message[ADMISSION_MESSAGE_MAX]);
bool admit_network_delete(const struct admission_view *view, const struct network *n,
	char message[ADMISSION_MESSAGE_MAX]);
bool admit_subnet_create(const struct admission_view *view, const struct subnet_obj *s,
	char message[ADMISSION_MESSAGE_MAX]);
bool admit_subnet_update(const struct admission_view *view, const struct subnet_obj *old,
	const struct subnet_obj *s, char message[ADMISSION_MESSAGE_MAX]);
bool admit_subnet_delete(const struct admission_view *view, const struct subnet_obj *s,
	char message[ADMISSION_MESSAGE_MAX]);
// IPInstances are written by the manager, but may be written by hand: Network and Subnet exist, the
// address is inside the Subnet and of its version, the MAC is that of an interface.
bool admit_ipinstance(const struct admission_view *view, const struct ipinstance *i,
	char message[ADMISSION_MESSAGE_MAX]);
// And nobody else has its address. Apart, because it looks at every IPInstance: for one that is
// applied by hand; the cache has an index by address instead.
bool admit_ipinstance_address(const struct admission_view *view, const struct ipinstance *i,
	char message[ADMISSION_MESSAGE_MAX]);
