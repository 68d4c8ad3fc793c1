// The world: node, objects, pods, and a kernel that only takes notes.
#include "tests/unit/node/fib_world.h"

#include "ctrl/node/fib_kernel.h"
#include "ctrl/node/nat.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const uint8_t uplink_mac[6] = {0x52, 0x54, 0, 0, 0, 1};

// ── The kernel ─────────────────────────────────────────────────────────────────────────────────

static char kernel_notes[4096];
static int kernel_error;
static pthread_mutex_t kernel_lock = PTHREAD_MUTEX_INITIALIZER;

static int note(char why[LINK_WHY_MAX], const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static int note(char why[LINK_WHY_MAX], const char *format, ...)
{
	va_list ap;

	(void)pthread_mutex_lock(&kernel_lock);
	size_t len = strlen(kernel_notes);
	va_start(ap, format);
	(void)vsnprintf(&kernel_notes[len], sizeof(kernel_notes) - len, format, ap);
	va_end(ap);
	int ret = kernel_error;
	(void)pthread_mutex_unlock(&kernel_lock);
	(void)snprintf(why, LINK_WHY_MAX, "the kernel refuses, as the test wants");
	return ret;
}

bool kernel_has_noted(const char *text)
{
	(void)pthread_mutex_lock(&kernel_lock);
	bool has = strstr(kernel_notes, text) != NULL;
	(void)pthread_mutex_unlock(&kernel_lock);
	return has;
}

void kernel_forget_notes(void)
{
	(void)pthread_mutex_lock(&kernel_lock);
	kernel_notes[0] = '\0';
	(void)pthread_mutex_unlock(&kernel_lock);
}

void kernel_answers(int err)
{
	(void)pthread_mutex_lock(&kernel_lock);
	kernel_error = err;
	(void)pthread_mutex_unlock(&kernel_lock);
}

static const char *prefix_text(const struct link_address *a, char buf[CIDR_TEXT_MAX])
{
	char text[IP_TEXT_MAX];

	(void)snprintf(buf, CIDR_TEXT_MAX, "%.39s/%u", ip_text(&a->ip, text), a->prefix_len);
	return buf;
}

int link_route_add(const char *, const struct link_address *prefix, const struct in6_addr *,
	char why[LINK_WHY_MAX])
{
	char text[CIDR_TEXT_MAX];
	return note(why, "+%s ", prefix_text(prefix, text));
}

int link_route_del(const char *, const struct link_address *prefix, char why[LINK_WHY_MAX])
{
	char text[CIDR_TEXT_MAX];
	return note(why, "-%s ", prefix_text(prefix, text));
}

int nat_set(const char *, const struct cidr *, size_t n_nat, const struct cidr *, size_t n_cluster,
	char why[LINK_WHY_MAX])
{
	return note(why, "nat %zu/%zu ", n_nat, n_cluster);
}

int nat_clear(char why[LINK_WHY_MAX])
{
	return note(why, "nat- ");
}

int link_node_addresses(const char *, struct in6_addr **ret_addr, size_t *ret_n)
{
	*ret_addr = calloc(1, sizeof(**ret_addr));
	*ret_n = 0;
	return 0;
}

// ── The world ──────────────────────────────────────────────────────────────────────────────────

static struct link_address host_addresses[2];
static struct key_value node_label;

static void configure(struct world *w)
{
	static char key[] = "net", value[] = "a";
	struct config *c = &w->config;

	*c = (struct config){
		.uplink_carries_host = true,
		.vxlan_port = 8472,
		.masquerade = true,
		.host_ifname = "strata0",
		.node_name = "node-1",
	};
	node_label = (struct key_value){.key = key, .value = value};
	c->node_labels = (struct key_values){.kv = &node_label, .n = 1};
	host_addresses[0] = (struct link_address){.ip = ip("10.9.0.1"), .prefix_len = 24};
	host_addresses[1] = (struct link_address){.ip = ip("fd09::1"), .prefix_len = 64};
	c->host_addr = host_addresses;
	c->n_host_addr = 2;
	c->host_gateway4 = ip("10.9.0.254");
}

static uint16_t publish(struct world *w, struct port *dev, enum vport_kind kind)
{
	struct vport v = {.dev = dev, .kind = kind};

	memcpy(&v.mac, uplink_mac, 6);
	assert_non_null(dev);
	assert_int_equal(dataplane_add_port(w->dp, &v), 0);
	return v.index;
}

void world_open(struct world *w, const struct world_options *options)
{
	const struct dataplane_conf conf = {
		.n_workers = 1,
		.n_buffers = 4096,
		.n_routes = options->n_routes != 0 ? options->n_routes : 1024,
	};

	*w = (struct world){.uplink_index = VPORT_NONE};
	kernel_forget_notes();
	kernel_answers(0);
	configure(w);
	assert_int_equal(uv_loop_init(&w->loop), 0);
	assert_int_equal(dataplane_open(&conf, &w->dp), 0);
	w->tables = dataplane_tables(w->dp);
	w->store = memory_open(&w->loop);
	w->cache = cache_new(w->store);
	assert_non_null(w->cache);

	struct fib_conf fc = {
		.config = &w->config,
		.uplink = VPORT_NONE,
		.host = VPORT_NONE,
		.uplink_mtu = 1500,
	};
	memcpy(fc.uplink_mac, uplink_mac, 6);
	if (!options->no_uplink) {
		w->uplink = ring_open("uplink", dataplane_pool(w->dp), 1024, true);
		w->uplink_index = publish(w, w->uplink, VPORT_UPLINK);
		fc.uplink = w->uplink_index;
	}
	if (options->has_host)
		fc.host =
			publish(w, ring_open("host", dataplane_pool(w->dp), 64, true), VPORT_HOST);
	assert_int_equal(fib_new(&w->loop, w->dp, w->cache, &fc, &w->fib), 0);
}

static void on_event(
	void *, enum kind, enum cache_event, const struct object *, const struct object *)
{
}

uint32_t n_bad_objects;

static void on_bad(void *, enum kind kind, const char *key, const char *message)
{
	n_bad_objects++;
	print_message("%s %s is kept out: %s\n", kind_name(kind), key, message);
}

static struct cache_subscriber bad_objects = {.event = on_event, .bad = on_bad};

void world_start(struct world *w)
{
	n_bad_objects = 0;
	cache_subscribe(w->cache, &bad_objects);
	assert_int_equal(cache_start(w->cache), 0);
	memory_synced(w->store);
	world_turn(w);
}

void world_close(struct world *w)
{
	fib_free(w->fib);
	assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
	cache_free(w->cache);
	memory_close(w->store);
	dataplane_close(w->dp);
	assert_int_equal(uv_loop_close(&w->loop), 0);
}

void world_until(struct world *w, bool (*done)(void *arg), void *arg)
{
	uv_update_time(&w->loop);
	uint64_t end = uv_now(&w->loop) + PATIENCE_MS;

	while (!done(arg)) {
		(void)uv_run(&w->loop, UV_RUN_NOWAIT);
		uv_sleep(1);
		if (uv_now(&w->loop) > end)
			fail_msg("it does not happen");
	}
}

void world_turn(struct world *w)
{
	for (int i = 0; i < 4; i++)
		(void)uv_run(&w->loop, UV_RUN_NOWAIT);
}

void world_for(struct world *w, unsigned ms)
{
	uv_update_time(&w->loop);
	uint64_t end = uv_now(&w->loop) + ms;

	while (uv_now(&w->loop) < end) {
		(void)uv_run(&w->loop, UV_RUN_NOWAIT);
		uv_sleep(1);
	}
}

// ── Objects ────────────────────────────────────────────────────────────────────────────────────

void put_network(struct world *w, const char *name, const char *type, int net_id)
{
	bool underlay = strcmp(type, "Overlay") != 0;

	put(w,
		"{" API
		"\"kind\":\"Network\",\"metadata\":{\"name\":\"%s\"},\"spec\":{\"type\":\"%s\","
		"\"netID\":%d%s}}",
		name, type, net_id, underlay ? ",\"nodeSelector\":{\"net\":\"a\"}" : "");
	world_turn(w);
}

void put_subnet(struct world *w, const char *name, const char *network, const char *cidr,
	const char *gateway, int net_id)
{
	char more[128] = "", id[32] = "";

	if (gateway != NULL)
		(void)snprintf(more, sizeof(more), ",\"gateway\":\"%s\"", gateway);
	if (net_id >= 0)
		(void)snprintf(id, sizeof(id), ",\"netID\":%d", net_id);
	put(w,
		"{" API "\"kind\":\"Subnet\",\"metadata\":{\"name\":\"%s\"},\"spec\":{\"network\":"
		"\"%s\"%s,\"range\":{\"version\":\"%c\",\"cidr\":\"%s\"%s}}}",
		name, network, id, strchr(cidr, ':') != NULL ? '6' : '4', cidr, more);
	world_turn(w);
}

void put_ip(struct world *w, const char *subnet_name, const char *network, const char *ip_and_len,
	const char *node, const char *pod)
{
	struct cidr cidr;
	char name[64];

	assert_int_equal(cidr_parse(ip_and_len, &cidr), 0);
	ipinstance_name(&cidr.ip, name);
	put(w,
		"{" API
		"\"kind\":\"IPInstance\",\"metadata\":{\"name\":\"%s\",\"namespace\":\"default\"},"
		"\"spec\":{\"network\":\"%s\",\"subnet\":\"%s\",\"address\":{\"version\":\"%c\","
		"\"ip\":"
		"\"%s\",\"mac\":\"02:12:34:00:00:01\"},\"binding\":{\"referredObject\":{\"kind\":"
		"\"Pod\","
		"\"name\":\"p\",\"uid\":\"u\"},\"nodeName\":\"%s\",\"podName\":\"%s\"}}}",
		name, network, subnet_name, strchr(ip_and_len, ':') != NULL ? '6' : '4', ip_and_len,
		node, pod);
}

void put_node(struct world *w, const char *name, const char *vtep, const char *mac)
{
	put(w,
		"{" API
		"\"kind\":\"NodeInfo\",\"metadata\":{\"name\":\"%s\"},\"spec\":{\"vtepInfo\":{"
		"\"ip\":\"%s\",\"mac\":\"%s\",\"localIPs\":[\"%s\",\"172.31.0.%d\"]}}}",
		name, vtep, mac, vtep, (int)name[strlen(name) - 1] - '0');
	world_turn(w);
}

struct in6_addr ip(const char *text)
{
	struct in6_addr ip;

	assert_int_equal(ip_parse(text, &ip), 0);
	return ip;
}

const struct route *route(const struct world *w, const char *text)
{
	const struct in6_addr addr = ip(text);
	return tables_route(w->tables, &addr);
}

const struct nexthop *nexthop(const struct world *w, uint32_t id)
{
	assert_true(id < NEXTHOP_MAX);
	return w->tables->nexthops[id];
}

const struct subnet *subnet(const struct world *w, const char *name)
{
	const struct subnets *all = w->tables->subnets;

	for (uint32_t i = 0; i < all->n; i++) {
		if (all->subnet[i].prefix_len != 0 && strcmp(all->subnet[i].name, name) == 0)
			return &all->subnet[i];
	}
	return NULL;
}

// ── Pods ───────────────────────────────────────────────────────────────────────────────────────

void fib_pod_make(struct world *w, struct fib_pod *ret_pod, const char *name, const char *ip4,
	const char *subnet4, const char *ip6, const char *subnet6, bool overlay)
{
	static uint8_t serial;
	struct fib_pod p = {
		.namespace = "default",
		.mac = {0x02, 0x12, 0x34, 0, 1, ++serial},
		.has_ip4 = ip4 != NULL,
		.has_ip6 = ip6 != NULL,
		.overlay = overlay,
		.mtu = fib_pod_mtu(w->fib, overlay),
	};

	(void)snprintf(p.pod, sizeof(p.pod), "%s", name);
	(void)snprintf(p.name, sizeof(p.name), "default/%.32s/eth0", name);
	if (ip4 != NULL) {
		p.ip4 = ip(ip4);
		(void)snprintf(p.subnet4, sizeof(p.subnet4), "%s", subnet4);
	}
	if (ip6 != NULL) {
		p.ip6 = ip(ip6);
		(void)snprintf(p.subnet6, sizeof(p.subnet6), "%s", subnet6);
	}
	*ret_pod = p;
}

struct test_pod attach(struct world *w, const struct fib_pod *pod)
{
	struct fib_pod p = *pod;
	struct test_pod t;

	p.dev = ring_open("pod", dataplane_pool(w->dp), 256, true);
	assert_non_null(p.dev);
	t.dev = p.dev;
	assert_int_equal(fib_attach(w->fib, &p, &t.port), 0);
	return t;
}

static void close_device(struct port *dev, void *arg)
{
	dev->ops->close(dev);
	*(bool *)arg = true;
}

static bool is_set(void *arg)
{
	return *(bool *)arg;
}

void detach(struct world *w, const struct test_pod *pod)
{
	bool closed = false;

	fib_detach(w->fib, pod->port, close_device, &closed);
	world_until(w, is_set, &closed);
}
