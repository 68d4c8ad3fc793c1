// Which Networks a node is in.
#include "ctrl/manager/state.h"

struct search {
	const struct object *node;
	bool found;
};

static bool match_bgp(const struct object *obj, void *arg)
{
	struct search *s = arg;
	const struct network *n = (const void *)obj;

	s->found = n->type == NETWORK_UNDERLAY && n->mode == NETWORK_BGP && !obj->meta.deleting &&
		   key_values_select(&n->node_selector, &s->node->meta.labels);
	return !s->found;
}

// Addresses of the GlobalBGP Network are announced by the nodes of those in BGP mode.
static bool has_bgp(const struct manager *m, const struct object *node)
{
	struct search s = {.node = node};

	cache_each(m->cache, KIND_NETWORK, match_bgp, &s);
	return s.found;
}

bool network_has_node(const struct manager *m, const struct network *n, const struct object *node)
{
	switch (n->type) {
	case NETWORK_UNDERLAY:
		return n->node_selector.n > 0 &&
		       key_values_select(&n->node_selector, &node->meta.labels);
	case NETWORK_OVERLAY:
		return true;
	case NETWORK_GLOBAL_BGP:
		return has_bgp(m, node);
	case NETWORK_TYPE_OTHER:
		break;
	}
	return false;
}
