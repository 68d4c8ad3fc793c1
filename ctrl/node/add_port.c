// CNI ADD, last part: what the addresses must be like, the underlay's checks, the port, the file,
// the answer.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctrl/log.h"
#include "ctrl/node/cni_inner.h"

// ── Consistency ────────────────────────────────────────────────────────────────────────────────

struct collect {
	struct add *add;
	bool has_ip4, has_ip6;
	const char *wrong; // NULL if all is well
};

// Takes one more of the pod's IPInstances into the attachment.
static bool collect_address(const struct object *obj, const cJSON *, void *arg)
{
	struct collect *c = arg;
	struct attachment *a = &c->add->op->slot->a;
	const struct ipinstance *i = (const void *)obj;
	const char *node = c->add->op->cni->conf.config->node_name;
	bool v4 = ip_is_v4(&i->address.ip.ip);
	bool *has = v4 ? &c->has_ip4 : &c->has_ip6;

	if (obj->meta.deleting || strcmp(i->binding.pod_uid, a->uid) != 0 ||
		strcmp(i->binding.node_name, node) != 0)
		return true;
	if (*has)
		c->wrong = v4 ? "two IPv4 addresses" : "two IPv6 addresses";
	else if (a->n_addr > 0 && memcmp(a->mac, i->address.mac, sizeof(a->mac)) != 0)
		c->wrong = "addresses with different MAC addresses";
	else if (a->n_addr > 0 && strcmp(a->network, i->network) != 0)
		c->wrong = "addresses of different Networks";
	if (c->wrong != NULL)
		return false;
	*has = true;
	memcpy(a->mac, i->address.mac, sizeof(a->mac));
	strcpy(a->network, i->network);
	struct attachment_address *addr = &a->addr[a->n_addr++];
	strcpy(addr->subnet, i->subnet);
	addr->link.ip = i->address.ip.ip;
	addr->link.prefix_len = (uint8_t)(v4 ? i->address.ip.len - 96 : i->address.ip.len);
	if (strcmp(i->status.node_name, node) != 0)
		c->add->held_before = false;
	return true;
}

// IPv4 before IPv6, as results have them.
static void sort_addresses(struct attachment *a)
{
	if (a->n_addr == 2 && !ip_is_v4(&a->addr[0].link.ip)) {
		struct attachment_address first = a->addr[0];

		a->addr[0] = a->addr[1];
		a->addr[1] = first;
	}
}

// Whether this node belongs to the (underlay) Network.
static bool node_in_network(const struct cni_conf *conf, const struct network *n)
{
	const struct object *info =
		cache_get(conf->cache, KIND_NODEINFO, NULL, conf->config->node_name);

	return key_values_select(
		&n->node_selector, info != NULL ? &info->meta.labels : &conf->config->node_labels);
}

static void on_underlay_checked(void *arg, int err, const char *message)
{
	struct add *add = arg;

	if (add_ended(add))
		return;
	if (err < 0) {
		(void)cni_failure_set(&add->failure, CNI_CHECK_FAILED,
			"attach.checkTimeout is how long answers are waited for", "%.300s",
			message);
		add_fail(add);
		return;
	}
	add_port(add);
}

static void check_underlay(struct add *add)
{
	const struct cni_conf *conf = &add->op->cni->conf;
	struct fib_pod pod;

	if (conf->config->check_timeout_ms == 0 || add->held_before) {
		add_port(add);
		return;
	}
	fib_pod_of(&add->op->slot->a, &pod);
	fib_check_underlay(
		conf->fib, &pod, conf->config->check_timeout_ms, on_underlay_checked, add);
}

void add_checks(struct add *add)
{
	const struct cni_conf *conf = &add->op->cni->conf;
	struct attachment *a = &add->op->slot->a;
	struct collect c = {.add = add};

	add->held_before = true;
	a->n_addr = 0;
	cache_each(conf->cache, KIND_IPINSTANCE, collect_address, &c);
	const struct network *n =
		(const void *)cache_get(conf->cache, KIND_NETWORK, NULL, a->network);
	if (c.wrong != NULL || n == NULL) {
		(void)cni_failure_set(&add->failure, CNI_INCONSISTENT,
			"its IPInstances are at fault: stratactl get ipinstance",
			"pod '%s/%.100s' has %s", a->namespace, a->pod,
			c.wrong != NULL ? c.wrong : "an address of a Network that does not exist");
		add_fail(add);
		return;
	}
	sort_addresses(a);
	a->overlay = n->type == NETWORK_OVERLAY;
	a->mtu = fib_pod_mtu(conf->fib, a->overlay);
	if (a->overlay) {
		add_port(add);
	} else if (!node_in_network(conf, n)) {
		(void)cni_failure_set(&add->failure, CNI_INCONSISTENT,
			"its nodeSelector must match the node's labels (node.labels)",
			"node '%.100s' does not belong to Network '%.100s'",
			conf->config->node_name, a->network);
		add_fail(add);
	} else {
		check_underlay(add);
	}
}

// ── The port ───────────────────────────────────────────────────────────────────────────────────

static void fail_port(struct add *add, const char *step)
{
	(void)cni_failure_set(&add->failure, CNI_NO_PORT, add->why,
		"cannot make the port of '%.128s': %s", add->op->slot->key, step);
	add_fail(add);
}

static void status_of(const struct attachment *a, const char *node, cJSON *status)
{
	time_t now = time(NULL);
	struct tm tm;
	char text[40];

	(void)gmtime_r(&now, &tm);
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	cJSON_AddStringToObject(status, "sandboxID", a->container_id);
	cJSON_AddStringToObject(status, "nodeName", node);
	cJSON_AddStringToObject(status, "podName", a->pod);
	cJSON_AddStringToObject(status, "podNamespace", a->namespace);
	cJSON_AddStringToObject(status, "updateTimestamp", text);
}

static void on_status_written(void *, int err, const cJSON *, const char *message)
{
	if (err < 0 && err != -ENOENT)
		(void)log_warn(err, "cannot write an IPInstance's status: %s",
			message != NULL ? message : "no reason given");
}

// Nobody waits for this: it tells people where the address is, and the next ADD who held it last.
static void write_statuses(const struct cni *cni, const struct attachment *a)
{
	struct store *store = cni->conf.store;

	for (size_t i = 0; i < a->n_addr; i++) {
		cJSON *obj = cJSON_CreateObject();
		char name[64];

		ipinstance_name(&a->addr[i].link.ip, name);
		cJSON_AddStringToObject(obj, "apiVersion", kind_api_version(KIND_IPINSTANCE));
		cJSON_AddStringToObject(obj, "kind", kind_name(KIND_IPINSTANCE));
		cJSON *meta = cJSON_AddObjectToObject(obj, "metadata");
		cJSON_AddStringToObject(meta, "name", name);
		cJSON_AddStringToObject(meta, "namespace", a->namespace);
		status_of(a, cni->conf.config->node_name, cJSON_AddObjectToObject(obj, "status"));
		store->ops->update_status(store, obj, on_status_written, NULL);
		cJSON_Delete(obj);
	}
}

static void save(void *arg)
{
	struct add *add = arg;

	add->err =
		attachment_save(add->op->cni->conf.config->state_dir, &add->op->slot->a, add->why);
}

static void on_saved(void *arg)
{
	struct add *add = arg;
	struct slot *s = add->op->slot;

	s->on_disk = true; // perhaps only in part
	if (add_ended(add))
		return;
	if (add->err < 0) {
		fail_port(add, "its file");
		return;
	}
	s->attached = true;
	write_statuses(add->op->cni, &s->a);
	log_debug("attached '%s' as port %u", s->key, s->port);
	op_reply(add->op, cni_result(&s->a));
}

// Opening a socket takes the kernel tens of milliseconds: it has a table for all packet buffers.
static void make(void *arg)
{
	struct add *add = arg;
	struct slot *s = add->op->slot;
	int ifindex = 0;

	add->err = port_make(add->op->cni->conf.config, &s->a, &ifindex, add->why);
	add->made = add->err == 0;
	if (add->made)
		add->err = port_open(add->op->cni, s, ifindex, add->why);
}

static void on_made(void *arg)
{
	struct add *add = arg;
	struct slot *s = add->op->slot;
	struct cni *cni = add->op->cni;

	s->made = add->made;
	if (add_ended(add))
		return;
	if (add->err < 0) {
		fail_port(add, s->made ? "the device" : s->a.vhost ? "the directory" : "the link");
		return;
	}
	int ret = port_publish(cni, s);
	if (ret < 0) {
		(void)snprintf(add->why, sizeof(add->why), "%s", strerror(-ret));
		fail_port(add, "its place in the switch");
		return;
	}
	if (pool_run(cni->conf.loop, save, on_saved, add) < 0)
		fail_port(add, "out of memory");
}

// From the network configuration, else from the pod.
static bool wants_vhost(const struct add *add)
{
	const struct attachment *a = &add->op->slot->a;
	const struct object *pod =
		cache_get(add->op->cni->conf.cache, KIND_POD, a->namespace, a->pod);
	const char *kind = add->op->request.port_kind;

	if (kind[0] == '\0' && pod != NULL)
		kind = key_values_get(&pod->meta.annotations, ANNOTATION_PORT_KIND);
	return kind != NULL && strcmp(kind, "vhost-user") == 0;
}

void add_port(struct add *add)
{
	struct cni *cni = add->op->cni;
	struct attachment *a = &add->op->slot->a;

	a->vhost = wants_vhost(add);
	if (a->vhost && vhost_socket_path(cni->conf.config, a) < 0) {
		(void)snprintf(add->why, sizeof(add->why),
			"its path has more than %d characters; choose a shorter runDir",
			VHOST_PATH_MAX - 1);
		fail_port(add, "the socket");
		return;
	}
	if (pool_run(cni->conf.loop, make, on_made, add) < 0)
		fail_port(add, "out of memory");
}
