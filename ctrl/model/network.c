// Decoding Networks.
#include "ctrl/model/network.h"

#include <stdlib.h>
#include <string.h>

#include "ctrl/model/decode.h"

static enum network_type type_of(const char *text)
{
	if (text[0] == '\0' || strcmp(text, "Underlay") == 0)
		return NETWORK_UNDERLAY;
	if (strcmp(text, "Overlay") == 0)
		return NETWORK_OVERLAY;
	return strcmp(text, "GlobalBGP") == 0 ? NETWORK_GLOBAL_BGP : NETWORK_TYPE_OTHER;
}

static enum network_mode mode_of(const char *text, enum network_type type)
{
	static const enum network_mode by_type[] = {
		[NETWORK_UNDERLAY] = NETWORK_VLAN,
		[NETWORK_OVERLAY] = NETWORK_VXLAN,
		[NETWORK_GLOBAL_BGP] = NETWORK_MODE_GLOBAL_BGP,
		[NETWORK_TYPE_OTHER] = NETWORK_MODE_OTHER,
	};

	if (text[0] == '\0')
		return by_type[type];
	if (strcmp(text, "VLAN") == 0)
		return NETWORK_VLAN;
	if (strcmp(text, "VXLAN") == 0)
		return NETWORK_VXLAN;
	if (strcmp(text, "BGP") == 0)
		return NETWORK_BGP;
	return strcmp(text, "GlobalBGP") == 0 ? NETWORK_MODE_GLOBAL_BGP : NETWORK_MODE_OTHER;
}

static void count_decode(
	struct reader *r, const cJSON *status, const char *path, struct ip_count *count)
{
	const cJSON *obj = field_object(r, status, path);
	bool has;

	field_int(r, obj, "status.total", &has, &count->total);
	field_int(r, obj, "status.used", &has, &count->used);
	field_int(r, obj, "status.available", &has, &count->available);
}

static void status_decode(struct reader *r, const cJSON *status, struct network *n)
{
	field_text(r, status, "status.lastAllocatedSubnet", n->status.last_allocated_subnet,
		sizeof(n->status.last_allocated_subnet));
	field_text(r, status, "status.lastAllocatedIPv6Subnet",
		n->status.last_allocated_ipv6_subnet, sizeof(n->status.last_allocated_ipv6_subnet));
	field_texts(r, status, "status.subnetList", &n->status.subnets, &n->status.n_subnets);
	field_texts(r, status, "status.nodeList", &n->status.nodes, &n->status.n_nodes);
	count_decode(r, status, "status.statistics", &n->status.v4);
	count_decode(r, status, "status.ipv6Statistics", &n->status.v6);
	count_decode(r, status, "status.dualStackStatistics", &n->status.dual);
}

static void peers_decode(struct reader *r, const cJSON *config, struct network *n)
{
	const cJSON *list = field_list(r, config, "spec.config.bgpPeers");
	const cJSON *peer;
	int n_peers = cJSON_GetArraySize(list);
	bool has;

	if (n_peers == 0)
		return;
	n->bgp_peers = calloc((size_t)n_peers, sizeof(*n->bgp_peers));
	if (n->bgp_peers == NULL) {
		reader_fail_memory(r);
		return;
	}
	cJSON_ArrayForEach (peer, list) {
		struct bgp_peer *p = &n->bgp_peers[n->n_bgp_peers++];

		if (!cJSON_IsObject(peer))
			reader_fail(r, "spec.config.bgpPeers", "a list of mappings", peer);
		field_text(r, peer, "spec.config.bgpPeers.address", p->address, sizeof(p->address));
		field_int(r, peer, "spec.config.bgpPeers.asn", &has, &p->asn);
		field_int(r, peer, "spec.config.bgpPeers.gracefulRestartSeconds", &has,
			&p->graceful_restart_seconds);
		field_text(
			r, peer, "spec.config.bgpPeers.password", p->password, sizeof(p->password));
		field_bool(r, peer, "spec.config.bgpPeers.doesNotRouteTraffic", &has,
			&p->does_not_route_traffic);
		field_bool(r, peer, "spec.config.bgpPeers.allowNotEstablished", &has,
			&p->allow_not_established);
	}
}

void network_decode(struct reader *r, const cJSON *json, struct network *n)
{
	const cJSON *spec = field_object(r, json, "spec");

	field_text(r, spec, "spec.type", n->type_text, sizeof(n->type_text));
	field_text(r, spec, "spec.mode", n->mode_text, sizeof(n->mode_text));
	n->type = type_of(n->type_text);
	n->mode = mode_of(n->mode_text, n->type);
	field_int(r, spec, "spec.netID", &n->has_net_id, &n->net_id);
	field_key_values(r, spec, "spec.nodeSelector", &n->node_selector);
	field_text(r, spec, "spec.switchID", n->switch_id, sizeof(n->switch_id));

	peers_decode(r, field_object(r, spec, "spec.config"), n);
	status_decode(r, field_object(r, json, "status"), n);
}

void network_fini(struct network *n)
{
	key_values_fini(&n->node_selector);
	free(n->bgp_peers);
	texts_fini(n->status.subnets, n->status.n_subnets);
	texts_fini(n->status.nodes, n->status.n_nodes);
}
