// CNI ADD: how many addresses a pod is to have. The webhook has written that down on the pod; where
// it was bypassed the same rules are applied here as by the manager, so that both expect the same.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/ipam/selection.h"
#include "ctrl/node/cni_inner.h"

#define KEPT_MAX 8 // more than a pod can have; the rules then say what is wrong

static const struct network *find_network(void *arg, const char *name)
{
	return (const void *)cache_get(arg, KIND_NETWORK, NULL, name);
}

static const struct subnet_obj *find_subnet(void *arg, const char *name)
{
	return (const void *)cache_get(arg, KIND_SUBNET, NULL, name);
}

struct kept {
	const struct pod *pod;
	const struct ipinstance *ips[KEPT_MAX];
	size_t n;
};

static bool collect_kept(const struct object *obj, void *arg)
{
	struct kept *k = arg;
	const struct ipinstance *i =
		(const void *)obj; // its labels say the same, but may not be here

	if (!obj->meta.deleting && strcmp(i->binding.pod_name, k->pod->obj.meta.name) == 0 &&
		strcmp(obj->meta.namespace, k->pod->obj.meta.namespace) == 0)
		k->ips[k->n++] = i;
	return k->n < KEPT_MAX;
}

// By the rules, for a pod that the webhook has not seen.
static bool select_family(const struct cni_conf *conf, const struct pod *pod,
	enum ip_family *ret_family, struct cni_failure *f)
{
	const struct selection_conf rules = {
		.network_type = conf->config->manager.default_network_type,
		.ip_family = conf->config->manager.default_ip_family,
		.stateful_kinds = conf->config->manager.stateful_kinds,
		.ip_retain = conf->config->manager.default_ip_retain,
	};
	const struct selection_lookup lookup = {
		.network = find_network, .subnet = find_subnet, .arg = conf->cache};
	struct selection selection;
	struct kept kept = {.pod = pod};
	char error[SELECTION_ERROR_MAX];

	if (selection_retains(&rules, pod))
		cache_each(conf->cache, KIND_IPINSTANCE, collect_kept, &kept);
	if (!selection_make(&rules, &lookup, pod,
		    cache_get(conf->cache, KIND_NAMESPACE, NULL, pod->obj.meta.namespace), kept.ips,
		    kept.n, &selection, error)) {
		(void)cni_failure_set(f, CNI_REFUSED, NULL, "pod '%s/%.100s': %.200s",
			pod->obj.meta.namespace, pod->obj.meta.name, error);
		return false;
	}
	*ret_family = selection.family;
	return true;
}

bool add_family(
	const struct cni_conf *conf, const struct pod *pod, size_t *ret_n, struct cni_failure *f)
{
	const struct key_values *said = &pod->obj.meta.annotations;
	const char *handled = key_values_get(said, ANNOTATION_HANDLED_BY_WEBHOOK);
	const char *text = key_values_get(said, ANNOTATION_IP_FAMILY);
	enum ip_family family;

	if (conf->config->store_kube && (handled == NULL || strcmp(handled, "true") != 0)) {
		if (!select_family(conf, pod, &family, f))
			return false;
	} else {
		if (text == NULL || text[0] == '\0')
			text = conf->config->manager.default_ip_family;
		if (ip_family_parse(text, &family) < 0) {
			(void)cni_failure_set(f, CNI_REFUSED,
				"known: IPv4, IPv6, DualStack (annotation ip-family)",
				"unrecognized ip family %.100s", text);
			return false;
		}
	}
	*ret_n = family == IP_FAMILY_DUAL_STACK ? 2 : 1;
	return true;
}
