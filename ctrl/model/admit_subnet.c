// The rules of Subnets (hybridnet: pkg/webhook/validating/subnet.go), and of IPInstances written
// by hand, which hybridnet does not look at.
//
// hybridnet refuses Subnets of more than 65536 addresses because it keeps them in a list; ours are
// a sparse bitmap, so that rule is left out and an IPv6 /64 is fine.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctrl/model/admit.h"

const struct subnet_obj *view_subnet(const struct admission_view *view, const char *name)
{
	for (size_t i = 0; i < view->n_subnets; i++) {
		if (strcmp(view->subnets[i]->obj.meta.name, name) == 0)
			return view->subnets[i];
	}
	return NULL;
}

static bool admit_vlan(
	const struct subnet_obj *s, const struct network *n, char message[ADMISSION_MESSAGE_MAX])
{
	if (!s->has_net_id && !n->has_net_id)
		return deny(message, "must have valid Net ID");
	if (s->has_net_id && n->has_net_id && s->net_id != n->net_id)
		return deny(message, "have inconsistent Net ID with network");
	if (s->has_auto_nat_outgoing)
		return deny(message, "must not set autoNatOutgoing with underlay subnet");
	if (s->range.gateway_text[0] == '\0')
		return deny(message, "must assign gateway for a vlan subnet");
	if (s->has_net_id && (s->net_id < 0 || s->net_id > VLAN_ID_MAX))
		return deny(message, "VLAN id %" PRId64 " is out of range 0-%d", s->net_id,
			VLAN_ID_MAX);
	return true;
}

static bool admit_mode(
	const struct subnet_obj *s, const struct network *n, char message[ADMISSION_MESSAGE_MAX])
{
	switch (n->mode) {
	case NETWORK_VLAN:
		return admit_vlan(s, n, message);
	case NETWORK_BGP:
	case NETWORK_MODE_GLOBAL_BGP:
		if (s->has_net_id)
			return deny(message, "must not assign net ID for (global) bgp subnet");
		return !s->has_auto_nat_outgoing ||
		       deny(message, "must not set autoNatOutgoing with underlay subnet");
	case NETWORK_VXLAN:
		return !s->has_net_id || deny(message, "must not assign net ID for overlay subnet");
	case NETWORK_MODE_OTHER:
		break;
	}
	return true;
}

// Against one other Subnet: whatever their Networks, prefixes are equal or disjoint.
static bool admit_beside(const struct subnet_obj *s, const struct subnet_obj *other,
	char message[ADMISSION_MESSAGE_MAX])
{
	const char *name = other->obj.meta.name;

	if (ip_is_v4(&s->range.cidr.ip) != ip_is_v4(&other->range.cidr.ip))
		return true;
	if (strcmp(s->range.cidr_text, other->range.cidr_text) != 0) {
		if (cidr_contains(&s->range.cidr, &other->range.cidr.ip) ||
			cidr_contains(&other->range.cidr, &s->range.cidr.ip))
			return deny(message,
				"different but overlapped CIDR with existing subnet %s, this is "
				"not suppored yet",
				name);
		return true;
	}
	if (strcmp(s->network, other->network) != 0)
		return deny(message,
			"the same CIDR with existing subnet %s, this is allowed but need to be in "
			"the same network",
			name);
	return !subnets_overlap(s, other) || deny(message, "overlap with existing subnet %s", name);
}

bool admit_subnet_create(const struct admission_view *view, const struct subnet_obj *s,
	char message[ADMISSION_MESSAGE_MAX])
{
	if (!admit_name(&s->obj.meta, message))
		return false;
	if (s->network[0] == '\0')
		return deny(message, "must have parent network");
	const struct network *n = view_network(view, s->network);
	if (n == NULL)
		return deny(message, "parent network %s does not exist", s->network);
	if (!admit_mode(s, n, message) || !admit_range(s, message))
		return false;
	// A /31 or /127 has no address beside network and last one.
	if (s->range.cidr.len > 126)
		return deny(message,
			"canonicalize subnet failed: CIDR %s too small to allocate from",
			s->range.cidr_text);
	if (!admit_order(s, message))
		return false;
	for (size_t i = 0; i < view->n_subnets; i++) {
		if (strcmp(view->subnets[i]->obj.meta.name, s->obj.meta.name) != 0 &&
			!admit_beside(s, view->subnets[i], message))
			return false;
	}
	return true;
}

static bool admit_mode_update(const struct subnet_obj *old, const struct subnet_obj *s,
	enum network_mode mode, char message[ADMISSION_MESSAGE_MAX])
{
	bool bgp = mode == NETWORK_BGP || mode == NETWORK_MODE_GLOBAL_BGP;

	if (mode == NETWORK_VLAN && (s->has_net_id != old->has_net_id || s->net_id != old->net_id))
		return deny(message, "must not change net ID");
	if (mode == NETWORK_VLAN && s->has_auto_nat_outgoing)
		return deny(message, "must not set autoNatOutgoing with vlan subnet");
	if (mode == NETWORK_VXLAN && s->has_net_id)
		return deny(message, "must not assign net ID for overlay subnet");
	if (bgp && s->has_net_id)
		return deny(message, "must not assign net ID for (global) bgp subnet");
	if (bgp && s->has_auto_nat_outgoing)
		return deny(message, "must not set autoNatOutgoing with (global) bgp subnet");
	return true;
}

bool admit_subnet_update(const struct admission_view *view, const struct subnet_obj *old,
	const struct subnet_obj *s, char message[ADMISSION_MESSAGE_MAX])
{
	if (strcmp(s->network, old->network) != 0)
		return deny(message, "must not change parent network");
	const struct network *n = view_network(view, s->network);
	if (n != NULL && !admit_mode_update(old, s, n->mode, message))
		return false;
	if (!admit_range(s, message))
		return false;
	if (strcmp(s->range.start_text, old->range.start_text) != 0)
		return deny(message, "must not change range start");
	if (strcmp(s->range.end_text, old->range.end_text) != 0)
		return deny(message, "must not change range end");
	if (strcmp(s->range.gateway_text, old->range.gateway_text) != 0)
		return deny(message, "must not change range gateway");
	if (strcmp(s->range.cidr_text, old->range.cidr_text) != 0)
		return deny(message, "must not change range CIDR");
	return ranges_exclude_same(s, old) || deny(message, "must not change excluded IPs");
}

bool admit_subnet_delete(const struct admission_view *view, const struct subnet_obj *s,
	char message[ADMISSION_MESSAGE_MAX])
{
	char list[ADMISSION_MESSAGE_MAX - 32] = "";
	size_t len = 0;

	for (size_t i = 0; i < view->n_ipinstances; i++) {
		char buf[IP_TEXT_MAX];

		if (strcmp(view->ipinstances[i]->subnet, s->obj.meta.name) != 0)
			continue;
		if (len + IP_TEXT_MAX + 1 >= sizeof(list))
			break; // enough to see what is meant
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", len > 0 ? " " : "",
			ip_text(&view->ipinstances[i]->address.ip.ip, buf));
	}
	return len == 0 || deny(message, "still have using ips [%s]", list);
}

bool admit_ipinstance(const struct admission_view *view, const struct ipinstance *i,
	char message[ADMISSION_MESSAGE_MAX])
{
	static const uint8_t no_mac[6];
	const struct in6_addr *ip = &i->address.ip.ip;
	const struct subnet_obj *s = view_subnet(view, i->subnet);
	char buf[IP_TEXT_MAX], mac[MAC_TEXT_MAX];

	if (view_network(view, i->network) == NULL)
		return deny(message, "network %s does not exist", i->network);
	if (s == NULL)
		return deny(message, "subnet %s does not exist", i->subnet);
	if (strcmp(s->network, i->network) != 0)
		return deny(message, "subnet %s is of network %s, not of %s", i->subnet, s->network,
			i->network);
	if (strcmp(i->address.version, ip_is_v4(ip) ? "4" : "6") != 0)
		return deny(message, "address families of ip version %s and address %s mismatch",
			i->address.version, ip_text(ip, buf));
	if (!cidr_contains(&s->range.cidr, ip))
		return deny(message, "address %s is not in CIDR %s of subnet %s", ip_text(ip, buf),
			s->range.cidr_text, i->subnet);
	if ((i->address.mac[0] & 1) != 0 || memcmp(i->address.mac, no_mac, sizeof(no_mac)) == 0)
		return deny(message, "%s is not the MAC address of an interface",
			mac_text(i->address.mac, mac));
	return true;
}

bool admit_ipinstance_address(const struct admission_view *view, const struct ipinstance *i,
	char message[ADMISSION_MESSAGE_MAX])
{
	const struct in6_addr *ip = &i->address.ip.ip;
	char buf[IP_TEXT_MAX];

	for (size_t k = 0; k < view->n_ipinstances; k++) {
		const struct meta *meta = &view->ipinstances[k]->obj.meta;

		if (ip_cmp(&view->ipinstances[k]->address.ip.ip, ip) == 0 &&
			(strcmp(meta->name, i->obj.meta.name) != 0 ||
				strcmp(meta->namespace, i->obj.meta.namespace) != 0))
			return deny(message, "address %s is already that of ipinstance %s/%s",
				ip_text(ip, buf), meta->namespace, meta->name);
	}
	return true;
}
