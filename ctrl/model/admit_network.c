// The rules of Networks (hybridnet: pkg/webhook/validating/network.go), and those it lacks: the
// ranges of VLAN ids, VNIs and AS numbers.
#include <inttypes.h>
#include <string.h>

#include "ctrl/model/admit.h"

const struct network *view_network(const struct admission_view *view, const char *name)
{
	for (size_t i = 0; i < view->n_networks; i++) {
		if (strcmp(view->networks[i]->obj.meta.name, name) == 0)
			return view->networks[i];
	}
	return NULL;
}

static bool same(const struct network *a, const struct network *b)
{
	return strcmp(a->obj.meta.name, b->obj.meta.name) == 0;
}

static bool another_of_type(const struct admission_view *view, const struct network *n)
{
	for (size_t i = 0; i < view->n_networks; i++) {
		if (view->networks[i]->type == n->type && !same(view->networks[i], n))
			return true;
	}
	return false;
}

// By its labels, or by the status, which is older.
static bool has_node(const struct network *n, const struct object *node)
{
	if (n->node_selector.n > 0 && key_values_select(&n->node_selector, &node->meta.labels))
		return true;
	for (size_t i = 0; i < n->status.n_nodes; i++) {
		if (strcmp(n->status.nodes[i], node->meta.name) == 0)
			return true;
	}
	return false;
}

// A node may be in one Underlay Network only.
static bool node_is_in_two(const struct admission_view *view, const struct network *n)
{
	for (size_t i = 0; i < view->n_nodes; i++) {
		const struct object *node = view->nodes[i];

		if (!key_values_select(&n->node_selector, &node->meta.labels))
			continue;
		for (size_t k = 0; k < view->n_networks; k++) {
			const struct network *other = view->networks[k];

			if (other->type == NETWORK_UNDERLAY && !same(other, n) &&
				has_node(other, node))
				return true;
		}
	}
	return false;
}

static bool is_asn(int64_t n)
{
	return n >= 1 && n <= ASN_MAX;
}

// Peers of a Network in BGP mode: decoded and judged, though Strata does not serve BGP.
static bool admit_peers(const struct network *n, char message[ADMISSION_MESSAGE_MAX])
{
	struct in6_addr ip;

	if (n->n_bgp_peers == 0)
		return deny(message, "at least one bgp router need to be set");
	for (size_t i = 0; i < n->n_bgp_peers; i++) {
		const struct bgp_peer *peer = &n->bgp_peers[i];

		if (ip_parse(peer->address, &ip) < 0)
			return deny(message, "invalid bgp peer ip address %s", peer->address);
		if (peer->asn == 0)
			return deny(
				message, "bgp peer %s's AS number need to be set", peer->address);
		if (!is_asn(peer->asn))
			return deny(message,
				"bgp peer %s's AS number %" PRId64 " is out of range 1-%" PRId64,
				peer->address, peer->asn, (int64_t)ASN_MAX);
	}
	return true;
}

static bool admit_type(const struct admission_view *view, const struct network *n,
	char message[ADMISSION_MESSAGE_MAX])
{
	switch (n->type) {
	case NETWORK_UNDERLAY:
		if (n->node_selector.n == 0)
			return deny(message, "must have node selector for underlay network");
		return !node_is_in_two(view, n) ||
		       deny(message, "underlay network cannot be overlapped");
	case NETWORK_OVERLAY:
		if (another_of_type(view, n))
			return deny(message, "must have one overlay network at most");
		if (n->node_selector.n > 0)
			return deny(message, "must not assign node selector for overlay network");
		return n->has_net_id || deny(message, "must assign net ID for overlay network");
	case NETWORK_GLOBAL_BGP:
		if (another_of_type(view, n))
			return deny(message, "must have one global bgp network at most");
		if (n->node_selector.n > 0)
			return deny(
				message, "must not assign node selector for global bgp network");
		return !n->has_net_id ||
		       deny(message, "must not assign net ID for global bgp network");
	case NETWORK_TYPE_OTHER:
		break;
	}
	return deny(message, "unknown network type %s", n->type_text);
}

static bool admit_net_id(const struct network *n, char message[ADMISSION_MESSAGE_MAX])
{
	if (!n->has_net_id)
		return true;
	if (n->mode == NETWORK_VLAN && (n->net_id < 0 || n->net_id > VLAN_ID_MAX))
		return deny(message, "VLAN id %" PRId64 " is out of range 0-%d", n->net_id,
			VLAN_ID_MAX);
	if (n->mode == NETWORK_VXLAN && (n->net_id < 1 || n->net_id > VNI_MAX))
		return deny(message, "VNI %" PRId64 " is out of range 1-%d", n->net_id, VNI_MAX);
	if (n->mode == NETWORK_BGP && !is_asn(n->net_id))
		return deny(message, "AS number %" PRId64 " is out of range 1-%" PRId64, n->net_id,
			(int64_t)ASN_MAX);
	return true;
}

static bool admit_mode(const struct network *n, char message[ADMISSION_MESSAGE_MAX])
{
	switch (n->mode) {
	case NETWORK_BGP:
		if (n->type != NETWORK_UNDERLAY)
			return deny(message, "BGP mode can only be used for underlay network");
		if (!n->has_net_id)
			return deny(message, "must assign net ID for bgp network");
		return admit_peers(n, message);
	case NETWORK_VLAN:
		return n->type == NETWORK_UNDERLAY ||
		       deny(message, "VLAN mode can only be used for underlay network");
	case NETWORK_VXLAN:
		return n->type == NETWORK_OVERLAY ||
		       deny(message, "VXLAN mode can only be used for overlay network");
	case NETWORK_MODE_GLOBAL_BGP:
		return n->type == NETWORK_GLOBAL_BGP ||
		       deny(message, "GlobalBGP mode can only be used for global bgp network");
	case NETWORK_MODE_OTHER:
		break;
	}
	return deny(message, "unknown network mode %s", n->mode_text);
}

bool admit_network_create(const struct admission_view *view, const struct network *n,
	char message[ADMISSION_MESSAGE_MAX])
{
	return admit_name(&n->obj.meta, message) && admit_type(view, n, message) &&
	       admit_mode(n, message) && admit_net_id(n, message);
}

bool admit_network_update(const struct admission_view *view, const struct network *old,
	const struct network *n, char message[ADMISSION_MESSAGE_MAX])
{
	if (n->type != old->type ||
		(n->type == NETWORK_TYPE_OTHER && strcmp(n->type_text, old->type_text) != 0))
		return deny(message, "network type must not be changed");
	if (n->type == NETWORK_UNDERLAY && n->node_selector.n == 0)
		return deny(message, "must have node selector for underlay network");
	if (n->type == NETWORK_OVERLAY && n->node_selector.n > 0)
		return deny(message, "node selector must not be assigned for overlay network");
	if (n->type == NETWORK_GLOBAL_BGP && n->node_selector.n > 0)
		return deny(message, "node selector must not be assigned for global bgp network");
	if (n->type == NETWORK_TYPE_OTHER)
		return deny(message, "unknown network type %s", n->type_text);
	if (strcmp(n->mode_text, old->mode_text) != 0)
		return deny(message, "network mode must not be changed");
	if (n->mode == NETWORK_BGP && !admit_peers(n, message))
		return false;
	if (n->mode == NETWORK_MODE_OTHER)
		return deny(message, "unknown network mode %s", n->mode_text);
	if (n->has_net_id != old->has_net_id || n->net_id != old->net_id)
		return deny(message, "net ID must not be changed");
	// hybridnet does not look at the selector again; a node in two Networks is as wrong as at creation.
	return n->type != NETWORK_UNDERLAY || !node_is_in_two(view, n) ||
	       deny(message, "underlay network cannot be overlapped");
}

// Whether an address of the GlobalBGP Network is on a node of n, which alone announces it.
static bool global_bgp_is_used(const struct admission_view *view, const struct network *n)
{
	for (size_t i = 0; i < view->n_ipinstances; i++) {
		const struct ipinstance *ip = view->ipinstances[i];
		const struct network *of = view_network(view, ip->network);

		if (of == NULL || of->type != NETWORK_GLOBAL_BGP)
			continue;
		for (size_t k = 0; k < n->status.n_nodes; k++) {
			if (strcmp(ip->binding.node_name, n->status.nodes[k]) == 0)
				return true;
		}
	}
	return false;
}

bool admit_network_delete(const struct admission_view *view, const struct network *n,
	char message[ADMISSION_MESSAGE_MAX])
{
	for (size_t i = 0; i < view->n_subnets; i++) {
		if (strcmp(view->subnets[i]->network, n->obj.meta.name) == 0)
			return deny(message, "still have child subnet %s",
				view->subnets[i]->obj.meta.name);
	}
	if (n->mode == NETWORK_BGP && global_bgp_is_used(view, n))
		return deny(message, "still have global bgp ip instance in use");
	return true;
}
