// After a restart: the ports that attachment files tell of are brought back, as they were, without
// a new ADD. Traffic on a link that stayed goes on from here.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/log.h"
#include "ctrl/node/cni_inner.h"

// Opens and publishes the port of a slot whose link or directory is there.
static int bring_up(struct cni *cni, struct slot *s, int ifindex)
{
	char why[ATTACHMENT_WHY_MAX];

	int ret = port_open(cni, s, ifindex, why);
	if (ret < 0) {
		tell_pod(cni, s, true, "PortDown", why);
		return log_err(ret, "port '%s' stays down: %s", s->key, why);
	}
	ret = port_publish(cni, s);
	if (ret < 0) {
		s->dev->ops->close(s->dev);
		s->dev = NULL;
		return log_err(ret, "port '%s' stays down: no place in the switch", s->key);
	}
	return 0;
}

// The index of its link (0 for vhost-user), or -errno when it is gone and cannot come back.
static int find_link(const struct config *c, struct attachment *a)
{
	char why[ATTACHMENT_WHY_MAX];
	int ifindex = 0;

	if (!a->vhost)
		return link_index(a->host_ifname);
	int ret = port_make(c, a, &ifindex, why);
	return ret < 0 ? log_err(ret, "%s", why) : 0;
}

static void restore_one(void *arg, const char *file, const struct attachment *a, const char *why)
{
	struct cni *cni = arg;

	if (a == NULL) {
		(void)log_warn(0, "attachment file %s is ignored: %s", file, why);
		return;
	}
	struct slot *s = slot_get(cni, a->container_id, a->ifname);
	if (s == NULL) {
		(void)log_err(-ENOMEM, "port of attachment file %s stays down", file);
		return;
	}
	s->a = *a;
	s->attached = s->on_disk = s->made = true;
	int ifindex = find_link(cni->conf.config, &s->a);
	if (ifindex < 0) {
		log_notice("'%s' of pod '%s/%s' is gone: its attachment is dropped", s->key,
			s->a.namespace, s->a.pod);
		(void)op_delete(cni, s, NULL, NULL);
	} else if (!attachment_bound(cni, &s->a)) {
		(void)log_warn(0,
			"port '%s' stays down until the IPInstance of pod '%s/%s' is back", s->key,
			s->a.namespace, s->a.pod);
		tell_pod(cni, s, true, "PortDown",
			"the port stays down until the pod's IPInstance is back");
	} else if (bring_up(cni, s, ifindex) == 0 && status_is_due(cni, s)) {
		status_write(cni, s);
	}
}

void restore_address_event(struct cni *cni, const struct ipinstance *i)
{
	for (struct slot *s = cni->slots; s != NULL; s = s->hh.next) {
		if (!s->attached || s->port != VPORT_NONE || s->ops != NULL ||
			strcmp(s->a.uid, i->binding.pod_uid) != 0 || !attachment_bound(cni, &s->a))
			continue;
		int ifindex = s->a.vhost ? 0 : link_index(s->a.host_ifname);

		if (ifindex >= 0 && bring_up(cni, s, ifindex) == 0) {
			log_notice("port '%s' is back", s->key);
			tell_pod(cni, s, false, "PortUp", "the port is up again");
		}
	}
}

static void on_pod_deleted(void *, int err, const cJSON *, const char *message)
{
	if (err < 0 && err != -ENOENT)
		(void)log_warn(err, "cannot delete a stale Pod: %s",
			message != NULL ? message : "no reason given");
}

static bool is_attached(const struct cni *cni, const struct object *pod)
{
	for (const struct slot *s = cni->slots; s != NULL; s = s->hh.next) {
		if (strcmp(s->a.uid, pod->meta.uid) == 0)
			return true;
	}
	return false;
}

// A Pod that an ADD made which the process did not live to answer.
static bool drop_stale_pod(const struct object *obj, void *arg)
{
	struct cni *cni = arg;
	struct store *store = cni->conf.store;
	const struct pod *pod = (const void *)obj;

	if (strcmp(pod->node_name, cni->conf.config->node_name) != 0 ||
		key_values_get(&obj->meta.annotations, ANNOTATION_CONTAINER) == NULL ||
		is_attached(cni, obj))
		return true;
	log_notice("Pod '%s/%s' has no port: it is deleted", obj->meta.namespace, obj->meta.name);
	store->ops->delete (
		store, KIND_POD, obj->meta.namespace, obj->meta.name, on_pod_deleted, NULL);
	return true;
}

int cni_restore(struct cni *cni)
{
	int ret = attachment_load_all(cni->conf.config->state_dir, restore_one, cni);

	if (ret < 0)
		return log_err(ret, "cannot read %s/attachments", cni->conf.config->state_dir);
	if (!cni->conf.config->store_kube)
		cache_each(cni->conf.cache, KIND_POD, drop_stale_pod, cni);
	cni->serving = true;
	return 0;
}
