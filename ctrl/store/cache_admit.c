// What may come into force. Files are written by people and checked by nobody, so everything that
// the webhooks would refuse, and what they would not but forwarding cannot bear, is refused here.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctrl/store/cache_item.h"

// The objects in force as admission wants them. Borrowed from the cache: valid until it changes.
static struct admission_view borrowed_view(const struct cache *c)
{
	const struct cache_list *l = c->list;
	enum kind nodes = cache_node_kind(c);

	// Each list holds objects of one kind, whose structs begin with struct object.
	return (struct admission_view){
		.networks = (const struct network *const *)l[KIND_NETWORK].obj,
		.n_networks = l[KIND_NETWORK].n,
		.subnets = (const struct subnet_obj *const *)l[KIND_SUBNET].obj,
		.n_subnets = l[KIND_SUBNET].n,
		.ipinstances = (const struct ipinstance *const *)l[KIND_IPINSTANCE].obj,
		.n_ipinstances = l[KIND_IPINSTANCE].n,
		.nodes = l[nodes].obj,
		.n_nodes = l[nodes].n,
	};
}

static enum verdict judge_network(const struct cache *c, const struct cache_item *item,
	const struct object *obj, char message[CACHE_MESSAGE_MAX])
{
	const struct admission_view view = borrowed_view(c);
	const struct network *n = (const void *)obj;
	bool ok = item->obj != NULL
			  ? admit_network_update(&view, (const void *)item->obj, n, message)
			  : admit_network_create(&view, n, message);
	return ok ? VERDICT_GOOD : VERDICT_BAD;
}

static enum verdict judge_subnet(const struct cache *c, const struct cache_item *item,
	const struct object *obj, char message[CACHE_MESSAGE_MAX])
{
	const struct admission_view view = borrowed_view(c);
	const struct subnet_obj *s = (const void *)obj;

	if (s->network[0] != '\0' && cache_get(c, KIND_NETWORK, NULL, s->network) == NULL) {
		(void)snprintf(
			message, CACHE_MESSAGE_MAX, "parent network %s does not exist", s->network);
		return VERDICT_WAIT;
	}
	bool ok = item->obj != NULL
			  ? admit_subnet_update(&view, (const void *)item->obj, s, message)
			  : admit_subnet_create(&view, s, message);
	return ok ? VERDICT_GOOD : VERDICT_BAD;
}

static enum verdict judge_ipinstance(const struct cache *c, const struct cache_item *item,
	const struct object *obj, char message[CACHE_MESSAGE_MAX])
{
	const struct admission_view view = borrowed_view(c);
	const struct ipinstance *i = (const void *)obj;
	const struct cache_item *other;

	if (i->subnet[0] != '\0' && cache_get(c, KIND_SUBNET, NULL, i->subnet) == NULL) {
		(void)snprintf(message, CACHE_MESSAGE_MAX, "subnet %s does not exist", i->subnet);
		return VERDICT_WAIT;
	}
	if (!admit_ipinstance(&view, i, message))
		return VERDICT_BAD;
	other = cache_item_at(c, &i->address.ip.ip);
	if (other != NULL && other != item) {
		char text[IP_TEXT_MAX];
		(void)snprintf(message, CACHE_MESSAGE_MAX,
			"address %s is already that of ipinstance %s",
			ip_text(&i->address.ip.ip, text), other->key);
		return VERDICT_BAD;
	}
	return VERDICT_GOOD;
}

enum verdict cache_judge(
	const struct cache *c, const struct cache_item *item, char message[CACHE_MESSAGE_MAX])
{
	switch ((enum kind)item->kind) {
	case KIND_NETWORK:
		return judge_network(c, item, item->next, message);
	case KIND_SUBNET:
		return judge_subnet(c, item, item->next, message);
	case KIND_IPINSTANCE:
		return judge_ipinstance(c, item, item->next, message);
	case KIND_NODEINFO:
	case KIND_POD:
	case KIND_NODE:
	case KIND_NAMESPACE:
	case KIND_COUNT:
		break;
	}
	return VERDICT_GOOD;
}

int cache_decode(const cJSON *json, struct object **ret_obj, char message[CACHE_MESSAGE_MAX])
{
	char buf[MODEL_ERROR_MAX];
	// Statuses are written by programs, also by newer ones: what they add harms nobody.
	const char *unknown = object_unknown_field(json, false, buf);

	if (unknown != NULL) {
		(void)snprintf(message, CACHE_MESSAGE_MAX, "unknown field %s", unknown);
		return -EINVAL;
	}
	int ret = object_decode(json, ret_obj, buf);
	if (ret < 0)
		(void)snprintf(message, CACHE_MESSAGE_MAX, "%s", buf);
	return ret;
}

bool cache_in_use(
	const struct cache *c, const struct cache_item *item, char message[CACHE_MESSAGE_MAX])
{
	if (item->obj == NULL)
		return false;
	for (size_t i = 0; item->kind == KIND_NETWORK && i < c->list[KIND_SUBNET].n; i++) {
		const struct subnet_obj *s = (const void *)c->list[KIND_SUBNET].obj[i];
		if (strcmp(s->network, item->obj->meta.name) != 0)
			continue;
		(void)snprintf(message, CACHE_MESSAGE_MAX,
			"removed while in use, stays in force: still have child subnet %s",
			s->obj.meta.name);
		return true;
	}
	for (size_t i = 0; item->kind == KIND_SUBNET && i < c->list[KIND_IPINSTANCE].n; i++) {
		const struct ipinstance *ip = (const void *)c->list[KIND_IPINSTANCE].obj[i];
		if (strcmp(ip->subnet, item->obj->meta.name) != 0)
			continue;
		(void)snprintf(message, CACHE_MESSAGE_MAX,
			"removed while in use, stays in force: still have using ip %s",
			ip->obj.meta.name);
		return true;
	}
	return false;
}
