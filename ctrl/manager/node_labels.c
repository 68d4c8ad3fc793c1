// Labels of Nodes that the scheduler goes by: which types of Network a node is in, and whether its
// underlay Network has addresses left. Values as hybridnet's: "true" or no label; "nonempty", "empty",
// or no label for a node without an underlay Network.
#include <string.h>

#include "ctrl/manager/state.h"

#define UNDERLAY ANNOTATION_PREFIX "underlay-network-attachment"
#define OVERLAY ANNOTATION_PREFIX "overlay-network-attachment"
#define BGP ANNOTATION_PREFIX "bgp-network-attachment"
#define QUOTA4 ANNOTATION_PREFIX "ipv4-address-quota"
#define QUOTA6 ANNOTATION_PREFIX "ipv6-address-quota"
#define QUOTA_DUAL ANNOTATION_PREFIX "dualstack-address-quota"

struct attachment { // of one node
	const struct manager *m;
	const struct object *node;
	const struct network *underlay; // the first by name
	bool overlay, bgp_mode, global_bgp;
};

static bool attach(const struct object *obj, void *arg)
{
	struct attachment *a = arg;
	const struct network *n = (const void *)obj;

	if (obj->meta.deleting)
		return true;
	a->overlay |= n->type == NETWORK_OVERLAY;
	a->global_bgp |= n->type == NETWORK_GLOBAL_BGP;
	if (n->type != NETWORK_UNDERLAY || !network_has_node(a->m, n, a->node))
		return true;
	a->bgp_mode |= n->mode == NETWORK_BGP;
	if (a->underlay == NULL)
		a->underlay = n;
	return true;
}

// Adds to patch what makes the label be value (NULL: absent).
static void want(cJSON *patch, const struct object *node, const char *key, const char *value)
{
	const char *is = key_values_get(&node->meta.labels, key);

	if (value != NULL && (is == NULL || strcmp(is, value) != 0))
		(void)cJSON_AddStringToObject(patch, key, value);
	else if (value == NULL && is != NULL)
		(void)cJSON_AddNullToObject(patch, key);
}

static const char *quota(bool any, bool known)
{
	return !known ? NULL : any ? "nonempty" : "empty";
}

static bool label(const struct object *node, void *arg)
{
	struct manager *m = arg;
	struct attachment a = {.m = m, .node = node};
	bool free4 = false, free6 = false;
	cJSON *patch;

	if (node->meta.deleting)
		return true;
	cache_each(m->cache, KIND_NETWORK, attach, &a);
	if (a.underlay != NULL)
		ipam_network_free(m->ipam, a.underlay->obj.meta.name, &free4, &free6);
	patch = cJSON_CreateObject();
	want(patch, node, UNDERLAY, a.underlay != NULL ? "true" : NULL);
	want(patch, node, OVERLAY, a.overlay ? "true" : NULL);
	want(patch, node, BGP, a.bgp_mode && a.global_bgp ? "true" : NULL);
	want(patch, node, QUOTA4, quota(free4, a.underlay != NULL));
	want(patch, node, QUOTA6, quota(free6, a.underlay != NULL));
	want(patch, node, QUOTA_DUAL, quota(free4 && free6, a.underlay != NULL));
	if (patch->child != NULL)
		request_label(m, node->meta.name, patch); // takes it
	else
		cJSON_Delete(patch);
	return true;
}

void node_labels_write(struct manager *m)
{
	cache_each(m->cache, KIND_NODE, label, m);
}
