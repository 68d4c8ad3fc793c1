// CNI ADD, last part: what the addresses must be like, the underlay's checks, the port, the file,
// the answer.
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctrl/log.h"
#include "ctrl/node/cni_inner.h"

#define NS_PER_US 1000

// ── Consistency ────────────────────────────────────────────────────────────────────────────────

struct collect {
	struct add *add;
	bool has_ip4, has_ip6;
	const char *wrong; // NULL if all is well
};

// Takes one more of the pod's IPInstances into the attachment.
static bool collect_address(const struct ipinstance *i, void *arg)
{
	struct collect *c = arg;
	struct attachment *a = &c->add->op->slot->a;
	const char *node = c->add->op->cni->conf.config->node_name;
	bool v4 = ip_is_v4(&i->address.ip.ip);
	bool *has = v4 ? &c->has_ip4 : &c->has_ip6;

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
	bindings_each(add->op->cni->bindings, a->uid, collect_address, &c);
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
	} else if (!fib_selects_this_node(conf->fib, &n->node_selector)) {
		(void)cni_failure_set(&add->failure, CNI_INCONSISTENT,
			conf->config->store_kube
				? "its nodeSelector must match the labels of the Node"
				: "its nodeSelector must match the node's labels (node.labels)",
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

// Where the time went, in microseconds; bench/bench_add.py reads it.
static void log_laps(const struct add *add)
{
	static const char *const names[] = {
		"wait", "check", "queue", "link", "device", "file", "publish"};
	char text[256];
	size_t len = 0;
	uint64_t own = 0;

	static_assert(sizeof(names) / sizeof(names[0]) == LAP_COUNT);
	for (size_t i = 0; i < LAP_COUNT; i++) {
		len += (size_t)snprintf(text + len, sizeof(text) - len, " %s=%" PRIu64, names[i],
			add->lap[i] / NS_PER_US);
		own += i == LAP_WAIT ? 0 : add->lap[i];
	}
	log_debug("attached '%s' as port %u, own=%" PRIu64 "%s", add->op->slot->key,
		add->op->slot->port, own / NS_PER_US, text);
}

// Opening a socket takes the kernel a while: it has a table for all packet buffers. What a restart
// needs is written before anything is published, so that no port is ever unknown to it.
static void make(void *arg)
{
	struct add *add = arg;
	struct slot *s = add->op->slot;
	const struct config *c = add->op->cni->conf.config;
	int ifindex = 0;

	add_lap(add, LAP_QUEUE);
	add->step = s->a.vhost ? "the directory" : "the link";
	add->err = port_make(c, &s->a, &ifindex, add->why);
	add_lap(add, LAP_LINK);
	if (add->err < 0)
		return;
	add->made = true;
	add->step = "the device";
	add->err = port_open(add->op->cni, s, ifindex, add->why);
	add_lap(add, LAP_DEVICE);
	if (add->err < 0)
		return;
	add->step = "its file";
	add->saved = true; // perhaps only in part
	add->err = attachment_save(c->state_dir, &s->a, add->why);
	add_lap(add, LAP_FILE);
}

static void on_made(void *arg)
{
	struct add *add = arg;
	struct slot *s = add->op->slot;
	struct cni *cni = add->op->cni;

	s->made = add->made;
	s->on_disk = add->saved;
	if (add_ended(add))
		return;
	if (add->err < 0) {
		fail_port(add, add->step);
		return;
	}
	int ret = port_publish(cni, s);
	if (ret < 0) {
		(void)snprintf(add->why, sizeof(add->why), "%s", strerror(-ret));
		fail_port(add, "its place in the switch");
		return;
	}
	add_lap(add, LAP_PUBLISH);
	s->attached = true;
	log_laps(add);
	status_write(cni, s);
	op_reply(add->op, cni_result(&s->a));
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

	add_lap(add, LAP_CHECK);
	a->vhost = wants_vhost(add);
	if (a->vhost && vhost_socket_path(cni->conf.config, a) < 0) {
		(void)snprintf(add->why, sizeof(add->why),
			"its path has more than %d characters; choose a shorter runDir",
			VHOST_PATH_MAX - 1);
		fail_port(add, "the socket");
		return;
	}
	if (pool_run(cni->conf.loop, make, on_made, add) < 0) {
		(void)snprintf(add->why, sizeof(add->why), CNI_MEMORY_REMEDY);
		fail_port(add, "out of memory");
	}
}
